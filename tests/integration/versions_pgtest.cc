#include <gtest/gtest.h>

#include <string>

#include "tests/integration/stream_test.h"

namespace pgteal::tests {
namespace {

// What differs between servers, briefly, on the pairs that the other programs do not run on.
class VersionPairs : public StreamTest, public testing::WithParamInterface<Versions> {
 protected:
  VersionPairs() : StreamTest(GetParam()) {}
};

TEST_P(VersionPairs, TypesInBothForms) {
  green().Exec("CREATE TYPE shifts_oids AS ENUM ('x')");
  ExecBoth(
      "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN positive AS int CHECK (VALUE > 0);"
      "CREATE TYPE pair AS (m mood, p positive);"
      "CREATE TABLE plain(id int PRIMARY KEY, n numeric, f float8, ts timestamptz, i interval,"
      " b bytea, u uuid, j jsonb, c char(4));"
      "CREATE TABLE mixed(id mood, k positive, a int[], r numrange, m int4multirange, p pair,"
      " o regclass, x xml, PRIMARY KEY (id, k))");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  for (const char* mode : {"off", "on", "auto"}) {
    blue().Exec("TRUNCATE plain, mixed");
    blue().Exec(
        "INSERT INTO plain SELECT g, 'NaN', '-0', 'infinity', '1 mon -1 day', '\\x005c',"
        " md5(g::text)::uuid, '{\"a\": 1.10}', 'x' FROM generate_series(1, 300) AS g");
    blue().Exec(
        "INSERT INTO mixed SELECT CASE g % 2 WHEN 0 THEN 'sad' ELSE 'ok' END::mood, g,"
        " '[2:3]={1,NULL}', '[1.0,2)', '{[1,2)}', ROW('ok'::mood, g::positive)::pair, 'plain', "
        "'<a/>'"
        " FROM generate_series(1, 300) AS g");
    blue().Exec("INSERT INTO plain VALUES (1000, 'Infinity', 1.5, '4713-01-01 BC')");
    blue().Exec("INSERT INTO mixed VALUES ('ok', 1000)");
    ASSERT_NO_FATAL_FAILURE(ExpectApplied({"--binary", mode})) << mode;
    blue().Exec("UPDATE plain SET n = 1.50, c = 'y' WHERE id % 2 = 0");
    blue().Exec("UPDATE mixed SET k = k + 5000, a = '{}' WHERE k < 20");
    blue().Exec("DELETE FROM mixed WHERE id = 'sad'");
    ASSERT_NO_FATAL_FAILURE(ExpectApplied({"--binary", mode})) << mode;
  }
}

TEST_P(VersionPairs, Identities) {
  ExecBoth(
      "CREATE TABLE d(id int PRIMARY KEY, big text, n int); ALTER TABLE d ALTER big SET STORAGE"
      " EXTERNAL; CREATE TABLE i(a int NOT NULL UNIQUE, n int); ALTER TABLE i REPLICA IDENTITY"
      " USING INDEX i_a_key; CREATE TABLE f(n numeric, j json); ALTER TABLE f REPLICA IDENTITY "
      "FULL;"
      "CREATE TABLE g(id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int,"
      " b int GENERATED ALWAYS AS (a + 1) STORED)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  blue().Exec("INSERT INTO d SELECT g, repeat('b', 5000), g FROM generate_series(1, 250) AS g");
  blue().Exec("INSERT INTO i SELECT g, g FROM generate_series(1, 250) AS g");
  blue().Exec("INSERT INTO f SELECT 1.0, '{}' FROM generate_series(1, 5)");
  blue().Exec("INSERT INTO f SELECT 1.00, '{}' FROM generate_series(1, 5)");
  blue().Exec("INSERT INTO g(a) SELECT g FROM generate_series(1, 250) AS g");
  ASSERT_NO_FATAL_FAILURE(ExpectApplied());
  blue().Exec("UPDATE d SET n = 0");
  blue().Exec("UPDATE d SET id = id + 1000 WHERE id < 10");
  blue().Exec("UPDATE i SET a = -a WHERE a % 2 = 0");
  blue().Exec("DELETE FROM f WHERE ctid IN ('(0,1)', '(0,7)')");
  blue().Exec("UPDATE f SET j = '[]' WHERE ctid = '(0,8)'");
  blue().Exec("UPDATE g SET a = -a, id = DEFAULT WHERE id < 5");
  blue().Exec("TRUNCATE i RESTART IDENTITY");
  ExpectApplied();
}

TEST_P(VersionPairs, AStreamedTransactionWithRollbacks) {
  ExecBoth("CREATE TABLE t(id int PRIMARY KEY, v text)");
  db_.clusters().blue().Connect().Exec("ALTER SYSTEM SET logical_decoding_work_mem = '64kB'");
  db_.clusters().blue().Reload();
  ASSERT_NO_FATAL_FAILURE(Start());
  Sql other(db_.BlueInfo());
  blue().Exec(
      "BEGIN; INSERT INTO t SELECT g, 'v' FROM generate_series(1, 20000) AS g; SAVEPOINT a;"
      "INSERT INTO t SELECT g, 'v' FROM generate_series(20001, 40000) AS g");
  other.Exec("BEGIN; INSERT INTO t SELECT g, 'w' FROM generate_series(100001, 110000) AS g");
  other.Exec("ROLLBACK");
  other.Exec("INSERT INTO t VALUES (-1, 'small')");
  blue().Exec("ROLLBACK TO a; UPDATE t SET v = 'u' WHERE id % 3 = 0; COMMIT");
  ExpectCaughtUpAndEqual();
  StopCleanly();
}

INSTANTIATE_TEST_SUITE_P(Pairs, VersionPairs,
                         testing::Values(Versions{14, 18}, Versions{16, 17}, Versions{17, 17}),
                         [](const auto& pair) {
                           return std::to_string(pair.param.blue) + "to" +
                                  std::to_string(pair.param.green);
                         });

}  // namespace
}  // namespace pgteal::tests
