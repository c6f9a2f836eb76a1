#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "applier/folder.h"
#include "applier/schema.h"
#include "applier/set_writer.h"
#include "applier/target_catalog.h"
#include "pg/connection.h"
#include "tests/support/pg_cluster.h"
#include "tests/unit/applier/change_maker.h"

namespace pgteal::applier {
namespace {

tests::PgCluster& Green() {
  static tests::PgCluster cluster(17);
  static const bool is_started = (cluster.Start(), true);
  static_cast<void>(is_started);
  return cluster;
}

// Statements on a real table whose shape green's own catalog tells.
class RowStatements : public testing::Test {
 protected:
  // Makes table public.t and maps blue's table of these columns to it.
  void Table(const std::string& ddl, const std::vector<tests::ColumnSpec>& columns) {
    side_.Exec("DROP TABLE IF EXISTS t; CREATE TABLE t(" + ddl + ")");
    auto source = std::make_shared<decoder::Relation>(*tests::MakeTarget(1, "t", columns)->source);
    EnsureSchema(connection_);
    TargetCatalog catalog(std::make_unique<pg::Connection>(info_, pg::SessionOptions{}), "s", true);
    target_ = catalog.Find(source);
  }
  uint64_t RowsOfUpdate(const tests::Cells& cells) {
    const auto row = maker_.Row(cells);
    const size_t at = rows_.Update(*target_, row.values, row.values, false);
    return pipelined_.Finish()[at].affected_rows;
  }
  // Whether the folded update finds its row.
  bool SetUpdate(const tests::Cells& cells) {
    Plan plan;
    Folder folder(&plan);
    folder.Add(maker_.Update(*target_, cells), target_);
    sets_.Write(plan.segments.front(), Part::kEarly);
    return sets_.Finish();
  }

  const pg::ConnInfo info_ = pg::ConnInfo::Parse(Green().ConnInfo());
  tests::Sql side_ = Green().Connect();
  pg::Connection connection_{info_, {}};
  pg::Pipelined pipelined_{connection_};
  StatementCache statements_;
  RowWriter rows_{pipelined_, statements_};
  SetWriter sets_{connection_, pipelined_, statements_, rows_, 200};
  tests::ChangeMaker maker_;
  std::shared_ptr<const TargetRelation> target_;
};

TEST_F(RowStatements, AnUpdateOfAnAlwaysIdentityKeyThatStaysIsPossible) {
  Table("id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY", {{"id", true}});
  side_.Exec("INSERT INTO t OVERRIDING SYSTEM VALUE VALUES (1)");
  EXPECT_EQ(RowsOfUpdate({"1"}), 1U);
  EXPECT_EQ(RowsOfUpdate({"2"}), 0U);
}

TEST_F(RowStatements, AnUpdateWithoutAColumnToWriteStillFindsItsRow) {
  Table("id int PRIMARY KEY, big text", {{"id", true}, {"big"}});
  side_.Exec("INSERT INTO t VALUES (1, 'kept')");
  EXPECT_EQ(RowsOfUpdate({"1", tests::kUnchanged}), 1U);
  EXPECT_EQ(RowsOfUpdate({"2", tests::kUnchanged}), 0U);
  EXPECT_TRUE(SetUpdate({"1", tests::kUnchanged}));
  EXPECT_FALSE(SetUpdate({"2", tests::kUnchanged})) << "a missing row went unnoticed";
  EXPECT_EQ(side_.Scalar("SELECT big FROM t"), "kept");
}

TEST_F(RowStatements, AnUpdateThatChangesOnlyAnAlwaysIdentityIsNotLost) {
  Table("id int PRIMARY KEY, seq int GENERATED ALWAYS AS IDENTITY", {{"id", true}, {"seq"}});
  side_.Exec("INSERT INTO t OVERRIDING SYSTEM VALUE VALUES (1, 10)");
  EXPECT_TRUE(SetUpdate({"1", "10"}));
  EXPECT_FALSE(SetUpdate({"1", "11"})) << "the row has to be replaced in exact mode";
}

}  // namespace
}  // namespace pgteal::applier
