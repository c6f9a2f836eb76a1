#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/support/cluster_pair.h"

namespace pgteal::tests {
namespace {

constexpr int kSequences = 10'000;
// Each takes a place in the server's lock table until its transaction ends.
constexpr int kPerTransaction = 2500;

class SequencesTest : public PairTest {
 protected:
  // For numbers $1 to $2 of every transaction.
  static std::string Filled(std::string sql, int first) {
    for (const auto& [token, value] :
         {std::pair("$1", first), std::pair("$2", first + kPerTransaction - 1)}) {
      for (size_t at = sql.find(token); at != std::string::npos; at = sql.find(token)) {
        sql.replace(at, 2, std::to_string(value));
      }
    }
    return sql;
  }
  static void ExecForAll(Sql& side, const std::string& sql) {
    for (int first = 1; first <= kSequences; first += kPerTransaction) {
      side.Exec(Filled(sql, first));
    }
  }
  static std::string Values(Sql& side) {
    std::string values;
    for (int first = 1; first <= kSequences; first += kPerTransaction) {
      values += side.Scalar(Filled("SELECT values_of($1, $2)", first)) + "\n";
    }
    return values;
  }
};

TEST_F(SequencesTest, TenThousandAreReadAndSetHoweverTheyStand) {
  ExecBoth(
      "CREATE SCHEMA many;"
      "CREATE FUNCTION values_of(first int, final int) RETURNS text LANGUAGE plpgsql AS $$"
      " DECLARE one text; every text = ''; BEGIN FOR i IN first..final LOOP EXECUTE"
      " 'SELECT last_value || is_called::text FROM many.s' || i INTO one;"
      " every = every || one || ' '; END LOOP; RETURN every; END $$");
  const std::string make =
      "DO $$ BEGIN FOR i IN $1..$2 LOOP EXECUTE format('CREATE SEQUENCE many.s%s START %s', i,"
      " i % 7 + 1); END LOOP; END $$";
  for (int first = 1; first <= kSequences; first += kPerTransaction) {
    for (auto* side : {&blue(), &green()}) side->Send(Filled(make, first));
    for (auto* side : {&blue(), &green()}) side->Finish();
  }
  // Half of blue's have never been called, and a quarter is where setval(…, false) has put it.
  const std::string set =
      "SELECT count(setval(format('many.s%s', i)::regclass, i * 3, i % 4 = 0))"
      " FROM generate_series($1, $2) AS i WHERE i % 2 = ";
  ExecForAll(blue(), set + "0");
  ExecForAll(green(), set + "1");
  const std::string values = Values(blue());
  ASSERT_EQ(db_.Pgteal({"run", "--copy", "none", "--until-caught-up"})->WaitExit(), 0);
  EXPECT_NE(Values(green()), values);
  auto sync = db_.Pgteal({"sync-sequences", "--json"});
  ASSERT_EQ(sync->WaitExit(), 0) << sync->Log();
  const auto report = nlohmann::json::parse(sync->Stdout());
  EXPECT_EQ(report["sequences"], kSequences);
  EXPECT_EQ(Values(green()), values);
  // In under a second where nothing else is at work.
  RecordProperty("ms", std::to_string(report["ms"].get<double>()));
}

}  // namespace
}  // namespace pgteal::tests
