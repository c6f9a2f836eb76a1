#include <gtest/gtest.h>

#include <string>

#include "tests/integration/stream_test.h"

namespace pgteal::tests {
namespace {

class Constraints : public StreamTest {
 protected:
  static const Args& SmallBatches() {
    static const Args args = {"--lanes", "4", "--batch-rows", "2"};
    return args;
  }
};

TEST_F(Constraints, ASecondUniqueIndexWhoseValuesMoveBetweenRows) {
  ExecBoth("CREATE TABLE t(id int PRIMARY KEY, mail text UNIQUE, v int)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  blue().Exec("INSERT INTO t SELECT g, 'm' || g, 0 FROM generate_series(1, 20) AS g");
  for (int i = 0; i < 150; ++i) {
    const std::string old_id = std::to_string(1000 + i);
    const std::string new_id = std::to_string(1001 + i);
    if (i == 0) blue().Exec("INSERT INTO t VALUES (1000, 'hot', 0)");
    blue().Exec("DELETE FROM t WHERE id = " + old_id);
    blue().Exec("INSERT INTO t VALUES (" + new_id + ", 'hot', " + old_id + ")");
    blue().Exec("UPDATE t SET v = v + 1 WHERE id = " + std::to_string(1 + i % 20));
  }
  // A swap, within one transaction and over three.
  blue().Exec(
      "BEGIN; UPDATE t SET mail = NULL WHERE id = 1; UPDATE t SET mail = 'm1' WHERE id = 2;"
      "UPDATE t SET mail = 'm2' WHERE id = 1; COMMIT");
  blue().Exec("UPDATE t SET mail = 'tmp' WHERE id = 3");
  blue().Exec("UPDATE t SET mail = 'm3' WHERE id = 4");
  blue().Exec("UPDATE t SET mail = 'm4' WHERE id = 3");
  ASSERT_NO_FATAL_FAILURE(ExpectApplied(SmallBatches()));
}

TEST_F(Constraints, AUniqueIndexOnAnExpressionAndAPartialOne) {
  ExecBoth(
      "CREATE TABLE t(id int PRIMARY KEY, mail text, active bool);"
      "CREATE UNIQUE INDEX ON t(lower(mail)); CREATE UNIQUE INDEX ON t(active) WHERE active");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  blue().Exec("INSERT INTO t SELECT g, 'M' || g, false FROM generate_series(1, 20) AS g");
  for (int i = 1; i < 40; ++i) {
    blue().Exec("UPDATE t SET active = false WHERE active");
    blue().Exec("UPDATE t SET active = true WHERE id = " + std::to_string(i % 20 + 1));
  }
  blue().Exec("DELETE FROM t WHERE id = 1");
  blue().Exec("INSERT INTO t VALUES (100, 'm1', false)");
  ExpectApplied(SmallBatches());
}

TEST_F(Constraints, AnExclusionConstraint) {
  ExecBoth(
      "CREATE EXTENSION btree_gist; CREATE TABLE t(id int PRIMARY KEY, room int, at int4range,"
      " EXCLUDE USING gist (room WITH =, at WITH &&))");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  for (int i = 0; i < 40; ++i) {
    const std::string id = std::to_string(i);
    if (i > 0) blue().Exec("DELETE FROM t WHERE id = " + std::to_string(i - 1));
    blue().Exec("INSERT INTO t VALUES (" + id + ", 1, '[1,10)')");
    blue().Exec("INSERT INTO t VALUES (1000 + " + id + ", " + id + " + 10, '[1,10)')");
    blue().Exec("UPDATE t SET at = '[2,9)' WHERE id = " + id);
  }
  ExpectApplied(SmallBatches());
}

TEST_F(Constraints, DeferrableOnes) {
  ExecBoth("CREATE TABLE t(id int PRIMARY KEY, pos int UNIQUE DEFERRABLE INITIALLY DEFERRED)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  blue().Exec("INSERT INTO t SELECT g, g FROM generate_series(1, 300) AS g");
  blue().Exec("UPDATE t SET pos = 301 - pos");
  blue().Exec("UPDATE t SET pos = pos + 1");
  blue().Exec(
      "BEGIN; UPDATE t SET pos = 5 WHERE id = 7; UPDATE t SET pos = (SELECT 1000) WHERE"
      " pos = 5 AND id <> 7; COMMIT");
  ExpectApplied();
}

TEST_F(Constraints, ForeignKeysInAnyOrder) {
  ExecBoth(
      "CREATE TABLE store(id int PRIMARY KEY, manager int);"
      "CREATE TABLE staff(id int PRIMARY KEY, store int REFERENCES store ON DELETE CASCADE,"
      " boss int REFERENCES staff DEFERRABLE INITIALLY DEFERRED);"
      "ALTER TABLE store ADD FOREIGN KEY (manager) REFERENCES staff DEFERRABLE INITIALLY DEFERRED");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  blue().Exec(
      "BEGIN; INSERT INTO store SELECT g, g FROM generate_series(1, 300) AS g;"
      "INSERT INTO staff SELECT g, g, 301 - g FROM generate_series(1, 300) AS g; COMMIT");
  blue().Exec("UPDATE store SET manager = NULL WHERE id < 50");
  blue().Exec("UPDATE staff SET boss = NULL");
  blue().Exec("DELETE FROM store WHERE id < 50");
  blue().Exec("UPDATE staff SET boss = id");
  ASSERT_NO_FATAL_FAILURE(ExpectApplied());
  for (int i = 400; i < 420; ++i) {
    const std::string id = std::to_string(i);
    blue().Exec("INSERT INTO store VALUES (" + id + ", NULL)");
    blue().Exec("INSERT INTO staff VALUES (" + id + ", " + id + ", NULL)");
    blue().Exec("UPDATE store SET manager = " + id + " WHERE id = " + id);
  }
  ExpectApplied(SmallBatches());
}

// Without the right to switch foreign keys off they are checked, in blue's order.
TEST_F(Constraints, ForeignKeysWithoutTheReplicaRole) {
  ExecBoth(
      "CREATE TABLE parent(id int PRIMARY KEY); CREATE TABLE child(id int PRIMARY KEY,"
      " p int REFERENCES parent)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  const std::string role = "plain_" + db_.name();
  green().Exec("CREATE ROLE " + role + " LOGIN; GRANT USAGE ON SCHEMA pgteal TO " + role +
               "; GRANT ALL ON ALL TABLES IN SCHEMA pgteal, public TO " + role +
               "; GRANT ALL ON ALL SEQUENCES IN SCHEMA pgteal TO " + role);
  blue().Exec("INSERT INTO parent SELECT g FROM generate_series(1, 300) AS g");
  blue().Exec("INSERT INTO child SELECT g, g FROM generate_series(1, 300) AS g");
  blue().Exec(
      "BEGIN; INSERT INTO parent VALUES (1000); INSERT INTO child VALUES (1000, 1000);"
      "UPDATE child SET p = 1000 WHERE id = 7; DELETE FROM parent WHERE id = 7; COMMIT");
  blue().Exec("DELETE FROM child WHERE id < 5");
  blue().Exec("DELETE FROM parent WHERE id < 5");
  EXPECT_EQ(RunVia("", db_.GreenInfo() + " user=" + role, {"--lanes", "4", "--batch-rows", "3"}), 0)
      << Log();
  EXPECT_TRUE(db_.Equal());
  green().Exec("DROP OWNED BY " + role + "; DROP ROLE " + role);
}

TEST_F(Constraints, AStricterCheckOnGreenStops) {
  ExecBoth("CREATE TABLE t(id int PRIMARY KEY, v text)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  blue().Exec("INSERT INTO t VALUES (1, 'geheim')");
  ASSERT_NO_FATAL_FAILURE(Apply());
  green().Exec("ALTER TABLE t ADD CONSTRAINT strict CHECK (v <> 'geheim') NOT VALID");
  blue().Exec("INSERT INTO t VALUES (2, 'geheim')");
  EXPECT_EQ(RunUntilCaughtUp(), 1);
  ExpectLogNames({"public.t", "strict", "23514", "hint"});
  ExpectNotLogged("geheim");
  green().Exec("ALTER TABLE t DROP CONSTRAINT strict; ALTER TABLE t ALTER v SET NOT NULL");
  blue().Exec("INSERT INTO t VALUES (3, NULL)");
  EXPECT_EQ(RunUntilCaughtUp(), 1);
  ExpectLogNames({"public.t", "23502"});
  green().Exec("ALTER TABLE t ALTER v DROP NOT NULL");
  ExpectApplied();
}

TEST_F(Constraints, TriggersFireOnlyWhereTheyAreToldTo) {
  ExecBoth(
      "CREATE TABLE t(id int PRIMARY KEY, v int); CREATE TABLE seen(kind text, id int);"
      "ALTER TABLE seen REPLICA IDENTITY FULL;"
      "CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO"
      " public.seen VALUES (TG_ARGV[0], coalesce(NEW.id, OLD.id)); RETURN NULL; END'");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  green().Exec(
      "CREATE TRIGGER o AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION"
      " note('origin'); CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE"
      " FUNCTION note('always'); CREATE TRIGGER r AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH "
      "ROW"
      " EXECUTE FUNCTION note('replica'); ALTER TABLE t ENABLE ALWAYS TRIGGER a;"
      " ALTER TABLE t ENABLE REPLICA TRIGGER r");
  blue().Exec("INSERT INTO t VALUES (1, 1), (2, 2)");
  blue().Exec("UPDATE t SET v = 5 WHERE id = 1");
  blue().Exec("UPDATE t SET v = 6 WHERE id = 1");
  blue().Exec("DELETE FROM t WHERE id = 1");
  ASSERT_NO_FATAL_FAILURE(Apply());
  EXPECT_EQ(green().Scalar("SELECT string_agg(kind || id, ' ' ORDER BY kind, id) FROM seen"),
            "always1 always1 always1 always1 always2 "
            "replica1 replica1 replica1 replica1 replica2");
  EXPECT_EQ(green().Scalar("SELECT string_agg(t::text, ' ') FROM t"), "(2,2)");
}

TEST_F(Constraints, RulesOfGreenAreSilentOrRefuseToLose) {
  ExecBoth("CREATE TABLE t(id int PRIMARY KEY)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  green().Exec("CREATE RULE r AS ON INSERT TO t DO INSTEAD NOTHING");
  blue().Exec("INSERT INTO t SELECT g FROM generate_series(1, 300) AS g");
  blue().Exec("INSERT INTO t VALUES (1000)");
  ASSERT_NO_FATAL_FAILURE(ExpectApplied());
  green().Exec("ALTER TABLE t ENABLE ALWAYS RULE r");
  blue().Exec("INSERT INTO t VALUES (1001)");
  EXPECT_NE(RunUntilCaughtUp(), 0);
  ExpectLogNames({"public.t"});
  green().Exec("DROP RULE r ON t");
  ExpectApplied();
}

TEST_F(Constraints, RowSecurityIsRefused) {
  ExecBoth("CREATE TABLE t(id int PRIMARY KEY)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  const std::string role = "policed_" + db_.name();
  green().Exec("CREATE ROLE " + role + " LOGIN; GRANT USAGE ON SCHEMA pgteal TO " + role +
               "; GRANT ALL ON ALL TABLES IN SCHEMA pgteal, public TO " + role +
               "; GRANT ALL ON ALL SEQUENCES IN SCHEMA pgteal TO " + role +
               "; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (id > 1)");
  blue().Exec("INSERT INTO t VALUES (1)");
  EXPECT_EQ(RunVia("", db_.GreenInfo() + " user=" + role), 3);
  ExpectLogNames({"row security", "public.t"});
  ASSERT_NO_FATAL_FAILURE(ExpectApplied());
  green().Exec("DROP OWNED BY " + role + "; DROP ROLE " + role);
}

}  // namespace
}  // namespace pgteal::tests
