#include <gtest/gtest.h>

#include "tests/support/cluster_pair.h"

namespace pgteal::tests {
namespace {

using std::chrono::seconds;

// What pgteal.table_state says of a table decides which changes are for it.
using TableStates = PairTest;

// A physical snapshot of blue has what an earlier migration left on blue, with positions of another
// server's log.
TEST_F(TableStates, PositionsThatGreenBringsAlongKeepNoChangesFromIt) {
  ExecBoth("CREATE TABLE t (id int PRIMARY KEY)");
  green().Exec(
      "CREATE SCHEMA pgteal; CREATE TABLE pgteal.table_state (deployment text NOT NULL,"
      " schema_name text NOT NULL, table_name text NOT NULL, phase text NOT NULL,"
      " copied_rows bigint NOT NULL DEFAULT 0, copied_bytes bigint NOT NULL DEFAULT 0,"
      " ready_lsn pg_lsn, updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),"
      " PRIMARY KEY (deployment, schema_name, table_name));"
      "INSERT INTO pgteal.table_state (deployment, schema_name, table_name, phase, ready_lsn)"
      " SELECT name, 'public', 't', 'ready', 'FFFF/0' FROM unnest('{m1,pgteal}'::text[]) AS name");
  auto run = db_.Pgteal({"run", "--copy", "none", "--until-caught-up"});
  ASSERT_EQ(run->WaitExit(seconds(60)), 0) << run->Log();
  blue().Exec("INSERT INTO t VALUES (1)");
  run = db_.Pgteal({"run", "--copy", "none", "--until-caught-up"});
  ASSERT_EQ(run->WaitExit(seconds(60)), 0) << run->Log();
  EXPECT_TRUE(db_.Equal());
}

}  // namespace
}  // namespace pgteal::tests
