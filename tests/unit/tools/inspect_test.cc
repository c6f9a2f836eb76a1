#include "tools/inspect/inspect.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/pgoutput_writer.h"
#include "tests/unit/pipeline/frame_fixture.h"
#include "tools/inspect/change_json.h"

namespace pgteal::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using tests::Binary;
using tests::Null;
using tests::PgoutputWriter;
using tests::Text;
using tests::Unchanged;

decoder::Relation TableNamed(uint32_t oid, const std::string& name) {
  decoder::Relation relation;
  relation.oid = {oid};
  relation.schema = "public";
  relation.name = name;
  relation.columns.resize(2);
  relation.columns[0].name = "id";
  relation.columns[0].type = {23};
  relation.columns[0].is_key = true;
  relation.columns[1].name = "v";
  relation.columns[1].type = {25};
  relation.key_columns = {0};
  return relation;
}

class InspectTest : public pipeline::FrameFixture {
 protected:
  // Transaction 1 with all kinds of changes, 2 with one insert, ending at 0/100 and 0/200.
  InspectTest() {
    options_.path = PathOf("f");
    options_.spool_folder = folder_;
    const PgoutputWriter server;
    const std::vector<std::string> messages = {
        server.Begin({0xF0}, {0}, 7),
        server.Relation(TableNamed(1, "t")),
        server.Relation(TableNamed(2, "other")),
        server.Insert(1, {Text("1"), Null()}),
        server.Update(1, tests::Key({Text("1"), Null()}), {Text("2"), Unchanged()}),
        server.Update(1, tests::Full({Text("2"), Text("say \"x\"\n")}),
                      {Text("2"), Binary(std::string("\0\xff", 2))}),
        server.Delete(2, tests::Key({Text("\xff"), Null()})),
        server.Truncate({1, 2}, {.cascade = true, .restart_identity = false}),
        server.Commit({0xF0}, {0x100}, {1'500'000}),
        server.Begin({0x1F0}, {0}, 8),
        server.Insert(2, {Text("5"), Text("x")}),
        server.Commit({0x1F0}, {0x200}, {2'000'000}),
    };
    pipeline::FrameWriter writer(options_.path, {});
    for (const auto& message : messages) writer.Append({0xA}, {}, message);
    writer.Finish({0x300});
  }

  // One line of output each.
  std::vector<std::string> Lines() const {
    std::ostringstream out;
    EXPECT_EQ(Inspect(options_, out), 0);
    std::istringstream in(out.str());
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }

  InspectOptions options_;
};

TEST_F(InspectTest, PrintsEveryKindOfChangeAsText) {
  EXPECT_THAT(
      Lines(),
      ElementsAre(
          "begin xid=7 commit_lsn=0/F0 end_lsn=0/100 "
          "commit_time=2000-01-01T00:00:01.500000Z changes=5",
          R"(  insert public.t new (id="1", v=null))",
          R"(  update public.t key (id="1") new (id="2", v={"unchanged":true}))",
          R"(  update public.t old (id="2", v="say \"x\"\n") new (id="2", v={"hex":"00ff"}))",
          R"(  delete public.other key (id={"text_hex":"ff"}))",
          "  truncate public.t, public.other cascade", "commit xid=7 end_lsn=0/100",
          "begin xid=8 commit_lsn=0/1F0 end_lsn=0/200 "
          "commit_time=2000-01-01T00:00:02.000000Z changes=1",
          R"(  insert public.other new (id="5", v="x"))", "commit xid=8 end_lsn=0/200"));
}

TEST_F(InspectTest, PrintsOneJsonObjectALine) {
  options_.json = true;
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 10U);
  for (const auto& line : lines) EXPECT_TRUE(Json::parse(line).is_object()) << line;
  EXPECT_EQ(lines[0], R"({"kind":"begin","xid":7,"commit_lsn":"0/F0","end_lsn":"0/100",)"
                      R"("commit_time":"2000-01-01T00:00:01.500000Z","changes":5})");
  EXPECT_EQ(lines[2],
            R"({"kind":"update","lsn":"0/A","schema":"public","table":"t","key":{"id":"1"},)"
            R"("new":{"id":"2","v":{"unchanged":true}}})");
  EXPECT_EQ(lines[5],
            R"({"kind":"truncate","lsn":"0/A","tables":[{"schema":"public","table":"t"},)"
            R"({"schema":"public","table":"other"}],"cascade":true,"restart_identity":false})");
  EXPECT_EQ(lines[6], R"({"kind":"commit","xid":7,"end_lsn":"0/100"})");
}

TEST_F(InspectTest, LimitsAreEndLsnsAndInclusive) {
  struct Case {
    uint64_t from, until;
    std::vector<std::string> xids;
  };
  const std::vector<Case> cases = {{0, 0, {"7", "8"}}, {0x100, 0x100, {"7"}}, {0x101, 0, {"8"}},
                                   {0, 0x1FF, {"7"}},  {0x200, 0x200, {"8"}}, {0x201, 0, {}}};
  for (const auto& c : cases) {
    options_.from = {c.from};
    options_.until = {c.until};
    std::vector<std::string> xids;
    for (const auto& line : Lines()) {
      if (line.starts_with("begin")) xids.push_back(line.substr(10, 1));
    }
    EXPECT_EQ(xids, c.xids) << c.from << " " << c.until;
  }
}

TEST_F(InspectTest, ATableFilterLeavesOutTransactionsWithoutSuchChanges) {
  options_.tables = {"public.t"};
  EXPECT_THAT(Lines(), ElementsAre(HasSubstr("begin xid=7"), HasSubstr("insert public.t"),
                                   HasSubstr("update public.t"), HasSubstr("update public.t"),
                                   HasSubstr("truncate"), HasSubstr("commit xid=7")));
  options_.tables = {"other"};
  EXPECT_EQ(Lines().size(), 7U);
  options_.tables = {"public.nothing"};
  EXPECT_TRUE(Lines().empty());
}

TEST_F(InspectTest, TheSummaryCountsByTableAndKind) {
  options_.summary = true;
  EXPECT_THAT(Lines(),
              ElementsAre("server  slot  publication  start_lsn 0/0", "complete up to 0/300",
                          "2 transactions, 0 logical messages",
                          "end LSN 0/100 to 0/200, committed 2000-01-01T00:00:01.500000Z to "
                          "2000-01-01T00:00:02.000000Z",
                          "public.other insert=1 update=0 delete=1 truncate=1",
                          "public.t insert=1 update=2 delete=0 truncate=1"));
  options_.json = true;
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 1U);
  const auto json = Json::parse(lines[0]);
  EXPECT_EQ(json["complete_up_to"], "0/300");
  EXPECT_EQ(json["tables"][1]["update"], 2);
}

TEST_F(InspectTest, DamageInsideTheStreamNamesFileAndLsn) {
  options_.path = PathOf("bad");
  {
    pipeline::FrameWriter writer(options_.path, {});
    writer.Append({0xAB}, {}, "no such message");
  }
  std::ostringstream out;
  const auto [text, hint] = pipeline::ErrorOf([&] { Inspect(options_, out); });
  EXPECT_THAT(text, HasSubstr("message with lsn 0/AB in " + options_.path));
}

}  // namespace
}  // namespace pgteal::tools
