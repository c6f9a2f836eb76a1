#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/tidy/rules.h"

namespace pgteal::tidy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::vector<SourceFile>& Sources() {
  static const std::vector<SourceFile> kSources = ReadSources(PGTEAL_SOURCE_FOLDER);
  return kSources;
}

testing::AssertionResult Clean(Findings (*rule)(const SourceFile&)) {
  std::string all;
  for (const SourceFile& file : Sources()) {
    for (const std::string& finding : rule(file)) all += finding + "\n";
  }
  return all.empty() ? testing::AssertionSuccess() : testing::AssertionFailure() << "\n" << all;
}

TEST(Tidy, IncludesFollowTheLayers) { EXPECT_TRUE(Clean(CheckIncludes)); }
TEST(Tidy, HeaderGuardsFollowThePath) { EXPECT_TRUE(Clean(CheckHeaderGuard)); }
TEST(Tidy, LinesFunctionsAndFilesAreShort) { EXPECT_TRUE(Clean(CheckLengths)); }
TEST(Tidy, NoWordIsOutOfPlace) { EXPECT_TRUE(Clean(CheckWords)); }

TEST(Tidy, EverySourceFolderSaysWhatItIsFor) {
  for (const char* folder :
       {"pg", "decoder", "applier", "pipeline", "proto", "tools", "tests", "bench"}) {
    const auto readme = std::filesystem::path(PGTEAL_SOURCE_FOLDER) / folder / "README.md";
    EXPECT_TRUE(std::filesystem::exists(readme)) << folder << "/README.md is missing";
  }
}

TEST(TidyRules, LayersAreDirected) {
  struct Case {
    const char* from;
    const char* include;
    bool is_allowed;
  };
  for (const Case& c : {
           Case{"decoder/a.cc", "\"pg/lsn.h\"", true},
           Case{"decoder/a.cc", "\"pg/connection.h\"", false},
           Case{"decoder/a.cc", "\"applier/batch.h\"", false},
           Case{"pg/lsn.cc", "\"pg/error.h\"", true},
           Case{"pg/lsn.cc", "\"pg/connection.h\"", false},
           Case{"pg/copy.cc", "<libpq-fe.h>", true},
           Case{"pg/copy.cc", "\"decoder/tuple.h\"", false},
           Case{"applier/a.cc", "\"pg/connection.h\"", true},
           Case{"applier/a.cc", "\"pipeline/ring.h\"", false},
           Case{"applier/a.cc", "<libpq-fe.h>", false},
           Case{"pipeline/a.cc", "\"proto/frame.pb.h\"", true},
           Case{"pipeline/a.cc", "\"tools/x.h\"", false},
           Case{"tools/a.cc", "\"pipeline/ring.h\"", true},
           Case{"tests/unit/pg/a.cc", "<libpq-fe.h>", false},
           Case{"tests/support/a.cc", "<libpq-fe.h>", true},
           Case{"pipeline/a.cc", "\"ring.h\"", false},
           Case{"pipeline/a.cc", "\"../pg/lsn.h\"", false},
       }) {
    const SourceFile file{c.from, std::string("#include ") + c.include + "\n"};
    EXPECT_EQ(CheckIncludes(file).empty(), c.is_allowed) << c.from << " " << c.include;
  }
}

TEST(TidyRules, GuardsAreMadeOfThePath) {
  const std::string good =
      "#ifndef PGTEAL_PG_A_B_H_\n#define PGTEAL_PG_A_B_H_\n#endif  // PGTEAL_PG_A_B_H_\n";
  EXPECT_THAT(CheckHeaderGuard({"pg/a_b.h", good}), IsEmpty());
  EXPECT_THAT(CheckHeaderGuard({"pg/other.h", good}), ElementsAre(HasSubstr("PGTEAL_PG_OTHER_H_")));
}

TEST(TidyRules, LongLinesFunctionsAndFilesAreFound) {
  const SourceFile wide{"pg/a.cc", std::string(101, 'x') + "\n" + std::string(100, 'x') + "\n"};
  EXPECT_THAT(CheckLengths(wide), ElementsAre(HasSubstr("pg/a.cc:1:")));
  std::string body = "namespace a {\nint F(int x) {\n";
  for (int i = 0; i < 69; ++i) body += "if (x) { x = '{' + 1'000; }\n";
  EXPECT_THAT(CheckLengths({"pg/a.cc", body + "}\n}\n"}), ElementsAre(HasSubstr("pg/a.cc:2:")));
  std::string tall;
  for (int i = 0; i < 401; ++i) tall += "\n";
  EXPECT_THAT(CheckLengths({"pg/a.cc", tall}), ElementsAre(HasSubstr("401 lines")));
  EXPECT_THAT(CheckLengths({"tests/a.cc", tall}), IsEmpty());
}

TEST(TidyRules, BodiesAreNotTypesNamespacesOrTables) {
  const std::string text =
      "namespace n {\nstruct S {\n  int F() {\n    return 1;\n  }\n  int x = 0;\n};\n"
      "const int kTable[] = {\n  1,\n};\nS::S() : x_(1) {\n}\nenum class E {\n  kA,\n};\n}\n";
  const std::vector<Body> bodies = FunctionBodies(text);
  ASSERT_EQ(bodies.size(), 2U);
  EXPECT_EQ(bodies[0].first_line, 3);
  EXPECT_EQ(bodies[0].lines, 3);
  EXPECT_EQ(bodies[1].first_line, 11);
}

TEST(TidyRules, WordsAreFoundWhereTheyAreForbidden) {
  EXPECT_EQ(CheckWords({"pg/a.cc", "// TODO: later\n"}).size(), 1U);
  EXPECT_EQ(CheckWords({"pg/a.cc", "std::cout << 1;\n"}).size(), 1U);
  EXPECT_EQ(CheckWords({"pg/a.cc", "// not std::cout\nf(\"std::cout\");\n"}).size(), 0U);
  EXPECT_EQ(CheckWords({"tools/a.cc", "std::cout << 1;\n"}).size(), 0U);
  EXPECT_EQ(CheckWords({"decoder/a.cc", "printf(x);\n"}).size(), 1U);
  EXPECT_EQ(CheckWords({"tests/unit/a.cc", "std::this_thread::sleep_for(x);\n"}).size(), 1U);
}

TEST(TidyRules, CodeWithoutCommentsAndLiteralsKeepsItsLines) {
  EXPECT_EQ(CodeOnly("a /* b\nc */ d"), "a     \n     d");
  EXPECT_EQ(CodeOnly("f(\"x\\\"y\") // z"), "f(      )     ");
  EXPECT_EQ(CodeOnly("R\"(a\"b)\" c"), "R        c");
  EXPECT_EQ(CodeOnly("1'000 + '\"'"), "1'000 +    ");
}

}  // namespace
}  // namespace pgteal::tidy
