#include <gtest/gtest.h>

#include <string>

#include "tests/support/cluster_pair.h"
#include "tests/support/wait.h"
#include "tests/support/workload.h"

namespace pgteal::tests {
namespace {

// One of every kind of object that makes a copy different from `SELECT *`.
constexpr const char* kSchema = R"(
CREATE TABLE plain (id int PRIMARY KEY, note text, amount numeric(12, 2), tags text[], doc jsonb);
INSERT INTO plain SELECT g, 'note ' || g, g / 7.0, ARRAY['a', g::text], jsonb_build_object('n', g)
  FROM generate_series(1, 5000) AS g;
CREATE INDEX plain_note ON plain (note);
CREATE INDEX plain_doc ON plain USING gin (doc);
CREATE UNIQUE INDEX plain_upper ON plain (upper(note));
CREATE TABLE generated (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int,
  twice int GENERATED ALWAYS AS (a * 2) STORED);
INSERT INTO generated (a) SELECT generate_series(1, 100);
CREATE TABLE empty_table (id int PRIMARY KEY, t text);
CREATE TABLE no_columns ();
ALTER TABLE no_columns REPLICA IDENTITY FULL;
INSERT INTO no_columns SELECT FROM generate_series(1, 3);
CREATE TABLE parts (id int, day date, t text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE parts_2024 PARTITION OF parts FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE parts_rest PARTITION OF parts DEFAULT;
CREATE INDEX parts_t ON parts (t);
INSERT INTO parts SELECT g, date '2024-06-01' + g, 'p' || g FROM generate_series(1, 500) AS g;
CREATE TABLE parent (id int PRIMARY KEY, t text);
CREATE TABLE child (extra int, PRIMARY KEY (id)) INHERITS (parent);
INSERT INTO parent VALUES (1, 'parent'), (2, 'other');
INSERT INTO child VALUES (3, 'child', 7);
CREATE TABLE keyless (a int, b text);
ALTER TABLE keyless REPLICA IDENTITY FULL;
INSERT INTO keyless VALUES (1, 'x'), (1, 'x'), (2, NULL);
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE typed (id positive PRIMARY KEY, m mood, ms mood[], r int4range, b bytea, c regclass,
  u uuid, i interval, ip inet);
INSERT INTO typed SELECT g, CASE WHEN g % 2 = 0 THEN 'sad'::mood ELSE 'glad' END, '{sad,glad}',
  int4range(g, g + 2), decode('00ff', 'hex'), 'plain'::regclass,
  md5(g::text)::uuid, g * interval '1 hour', '10.0.0.1' FROM generate_series(1, 50) AS g;
CREATE TABLE textual (id int PRIMARY KEY, a aclitem, aa aclitem[], c regclass[]);
INSERT INTO textual VALUES (1, 'postgres=r/postgres', '{postgres=r/postgres}', '{plain,typed}');
CREATE TABLE orders (id int PRIMARY KEY, plain_id int REFERENCES plain (id) DEFERRABLE, self int
  REFERENCES orders (id), UNIQUE (plain_id, id) DEFERRABLE INITIALLY DEFERRED,
  EXCLUDE USING gist (int4range(id, id + 1) WITH &&));
INSERT INTO orders SELECT g, g, NULL FROM generate_series(1, 200) AS g;
CREATE TABLE "My ""odd"".tàble with a name of sixty-three bytes, not one more !" (
  "sélect" int PRIMARY KEY, "a.b c" text);
INSERT INTO "My ""odd"".tàble with a name of sixty-three bytes, not one more !" VALUES (1, 'x');
CREATE SCHEMA "Sch.ema";
CREATE TABLE "Sch.ema"."T" (id int PRIMARY KEY);
INSERT INTO "Sch.ema"."T" VALUES (1);
CREATE UNLOGGED TABLE scratch (id int PRIMARY KEY);
INSERT INTO scratch VALUES (1);
CREATE VIEW some_view AS SELECT id, note FROM plain WHERE id < 10;
CREATE MATERIALIZED VIEW sums AS SELECT count(*) AS n FROM plain;
CREATE MATERIALIZED VIEW sums_of_sums AS SELECT sum(n) AS n FROM sums;
CREATE SEQUENCE lonely INCREMENT -5 START -10 MINVALUE -1000 MAXVALUE -1;
SELECT nextval('lonely'), nextval('lonely');
CREATE SEQUENCE never_called START 42;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN NEW.note := ''triggered''; RETURN NEW; END';
CREATE TRIGGER touch BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION touch();
ALTER TABLE "Sch.ema"."T" ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybody ON "Sch.ema"."T" USING (true);
COMMENT ON INDEX plain_note IS 'a comment';
ALTER TABLE plain CLUSTER ON plain_note;
CREATE STATISTICS plain_stats ON id, amount FROM plain;
SELECT lo_from_bytea(123456, decode(repeat('ab', 3000000), 'hex'));
)";

// Names of everything, so that a lost object shows.
constexpr const char* kObjects = R"(
SELECT kind || ' ' || name FROM (
  SELECT 'index', n.nspname || '.' || c.relname || ' ' || pg_get_indexdef(c.oid)
         || i.indisvalid::text || i.indisclustered::text
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('public', 'Sch.ema')
  UNION ALL SELECT 'constraint', conrelid::regclass || '.' || conname || ' '
         || pg_get_constraintdef(k.oid) || convalidated::text
    FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace
   WHERE contype <> 'n' AND n.nspname IN ('public', 'Sch.ema')
  UNION ALL SELECT 'trigger', tgrelid::regclass || '.' || tgname FROM pg_trigger t
    JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE NOT tgisinternal
  UNION ALL SELECT 'relation', n.nspname || '.' || c.relname || ' ' || c.relkind::text
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname IN ('public', 'Sch.ema')
  UNION ALL SELECT 'policy', polname FROM pg_policy
  UNION ALL SELECT 'statistics', stxname FROM pg_statistic_ext
  UNION ALL SELECT 'publication', pubname FROM pg_publication WHERE pubname <> 'pgteal'
  UNION ALL SELECT 'large object', oid || ' ' || md5(lo_get(oid)) FROM pg_largeobject_metadata
) AS o(kind, name)
ORDER BY 1)";

class Load : public PairTest {
 protected:
  // Until the load is over and the stream has caught up.
  void WaitLoaded(PgtealProcess& run) {
    ASSERT_TRUE(run.WaitForLog("sequences set", std::chrono::seconds(120)));
    ASSERT_TRUE(db_.WaitCaughtUp(std::chrono::seconds(90)));
  }
  std::string Sequences(Sql& sql) {
    std::string all;
    for (const auto* name : {"lonely", "never_called", "generated_id_seq"}) {
      const auto row = sql.Query(std::string("SELECT last_value, is_called FROM ") + name)[0];
      all += std::string(name) + "=" + row[0] + row[1] + " ";
    }
    return all;
  }
};

TEST_F(Load, BringsEveryKindOfObjectFromAnEmptyGreenToACaughtUpOne) {
  blue().Exec(kSchema);
  const auto run = db_.Pgteal({"run", "--jobs", "3"});
  WaitLoaded(*run);
  EXPECT_TRUE(db_.Equal());
  EXPECT_EQ(blue().Query(kObjects), green().Query(kObjects));
  EXPECT_EQ(Sequences(blue()), Sequences(green()));
  EXPECT_EQ(green().Scalar("SELECT n FROM sums_of_sums"), "5000");
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM pgteal.table_state WHERE phase <> 'ready'"), "0");
  EXPECT_NE(run->Log().find("unlogged table (created empty): public.scratch"), std::string::npos);
  // And it streams.
  blue().Exec(
      "UPDATE plain SET note = 'new ' || id WHERE id < 50; DELETE FROM parts WHERE id > 490;"
      "INSERT INTO generated (a) VALUES (7); INSERT INTO no_columns DEFAULT VALUES;");
  ExpectCaughtUpAndEqual();
  run->Terminate();
  EXPECT_EQ(run->WaitExit(), 130);
}

TEST_F(Load, CopiesIntoASchemaThatIsThereAlready) {
  ExecBoth(
      "CREATE TABLE a (id int PRIMARY KEY, t text, n int); CREATE INDEX ON a (t);"
      "CREATE TABLE b (id int PRIMARY KEY, a_id int REFERENCES a (id));"
      "CREATE SEQUENCE s");
  blue().Exec(
      "INSERT INTO a SELECT g, 'x' || g, g FROM generate_series(1, 1000) g;"
      "INSERT INTO b SELECT g, g FROM generate_series(1, 1000) g; SELECT nextval('s')");
  green().Exec("ALTER TABLE a ALTER n TYPE bigint");
  const auto run = db_.Pgteal({"run", "--copy", "data"});
  WaitLoaded(*run);
  EXPECT_TRUE(db_.Equal());
  EXPECT_EQ(green().Scalar("SELECT is_called FROM s"), "t");
}

TEST(LoadVersions, TheOldestBlueAndTheNewestGreen) {
  DatabasePair db(ClusterPair::Shared({14, 18}));
  db.blue().Exec(
      "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE INDEX ON t (v);"
      "INSERT INTO t SELECT g, 'x' || g FROM generate_series(1, 1000) g");
  const auto run = db.Pgteal({"run"});
  ASSERT_TRUE(run->WaitForLog("sequences set"));
  db.blue().Exec("UPDATE t SET v = 'y' WHERE id < 10");
  ASSERT_TRUE(db.WaitCaughtUp());
  EXPECT_TRUE(db.Equal());
}

// pg_dump reads no server newer than itself; green is looked at first.
TEST(LoadVersions, ABlueTooNewForPgDumpIsToldAndItsDataCanBeCopied) {
  DatabasePair db(ClusterPair::Shared({17, 17}));
  const auto too_old = db.Pgteal({"run", "--pg-bin", ServerBin(15).string()});
  EXPECT_EQ(too_old->WaitExit(), 2);
  EXPECT_NE(too_old->Log().find("cannot read blue's version 17"), std::string::npos);
  db.ExecBoth("CREATE TABLE t (id int PRIMARY KEY)");
  db.blue().Exec("INSERT INTO t VALUES (1)");
  const auto run = db.Pgteal({"run", "--copy", "data"});
  ASSERT_TRUE(run->WaitForLog("sequences set"));
  EXPECT_TRUE(db.Equal());
}

TEST_F(Load, HandsOverExactlyWhileBlueIsWritten) {
  blue().Exec("CREATE TABLE big (id int PRIMARY KEY, t text, n int DEFAULT 0)");
  blue().Exec(
      "INSERT INTO big SELECT g, repeat(md5(g::text), 20) FROM generate_series(1, 150000) g");
  Workload::CreateTables(db_);
  green().Exec(
      "DO $$ DECLARE t regclass; BEGIN FOR t IN SELECT oid FROM pg_class WHERE relkind IN ('r', "
      "'p')"
      " AND NOT relispartition AND relnamespace = 'public'::regnamespace LOOP"
      " EXECUTE 'DROP TABLE ' || t || ' CASCADE'; END LOOP; END $$");
  Workload workload(db_.BlueInfo(), {.pace = std::chrono::milliseconds(2)});
  // Open before the slot, committed after it.
  Sql open = db_.clusters().blue().Connect(db_.name());
  open.Exec("BEGIN; UPDATE big SET n = n + 1 WHERE id <= 1000");
  const auto run = db_.Pgteal({"run", "--jobs", "2"});
  ASSERT_TRUE(run->WaitForLog("creating slot"));
  open.Exec("UPDATE big SET n = n + 1 WHERE id > 149000; COMMIT");
  ASSERT_TRUE(run->WaitForLog("sequences set", std::chrono::seconds(120)));
  workload.Stop();
  EXPECT_GT(workload.committed(), 100);
  ASSERT_TRUE(db_.WaitCaughtUp(std::chrono::seconds(90)));
  EXPECT_TRUE(db_.Equal());
  EXPECT_TRUE(Workload::IsConsistent(green()));
}

// Green takes rows of `held` only while the test lets go of a lock there.
constexpr const char* kHeldSql =
    "CREATE FUNCTION let_go() RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM"
    " pg_catalog.pg_advisory_xact_lock_shared(77); RETURN true; END';"
    "CREATE TABLE held (id int PRIMARY KEY, CHECK (let_go()));"
    "INSERT INTO held VALUES (1), (2)";

TEST_F(Load, TheSessionThatFlushesGreensWalIsNotNeeded) {
  blue().Exec(kHeldSql);
  Sql holder = db_.clusters().green().Connect(db_.name());
  holder.Exec("SELECT pg_advisory_lock(77)");
  const auto run = db_.Pgteal({"--log-level", "debug", "run", "--jobs", "2"});
  const auto is_ended = [&] {
    return holder.Scalar(
               "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
               " WHERE application_name = 'pgteal flush pgteal' AND query ~ 'emit_message'") ==
           "1";
  };
  EXPECT_TRUE(WaitUntil(is_ended, std::chrono::seconds(30))) << run->Log();
  EXPECT_TRUE(run->WaitForLog("WAL is not flushed ahead of COPY"));
  EXPECT_EQ(green().Scalar("SELECT state FROM pgteal.deployment"), "copying");
  holder.Exec("SELECT pg_advisory_unlock(77)");
  WaitLoaded(*run);
  EXPECT_TRUE(db_.Equal());
}

TEST_F(Load, IndexesAreBuiltWhileAnotherTableIsCopiedAndAKillThenLosesNothing) {
  blue().Exec(kHeldSql);
  blue().Exec(
      "CREATE TABLE big (id int PRIMARY KEY, t text);"
      "CREATE INDEX big_t ON big (t);"
      "INSERT INTO big SELECT g, md5(g::text) FROM generate_series(1, 20000) AS g");
  Sql holder = db_.clusters().green().Connect(db_.name());
  holder.Exec("SELECT pg_advisory_lock(77)");
  auto run = db_.Pgteal({"run", "--jobs", "2"});
  const auto is_built = [this] {
    return green().Scalar("SELECT count(*) FROM pg_class WHERE relname IN ('big_pkey', 'big_t')") ==
           "2";
  };
  EXPECT_TRUE(WaitUntil(is_built, std::chrono::seconds(30))) << run->Log();
  EXPECT_EQ(green().Scalar("SELECT state FROM pgteal.deployment"), "copying");
  run->Kill9();
  holder.Exec("SELECT pg_advisory_unlock(77)");
  blue().Exec("UPDATE big SET t = 'new' WHERE id < 100; INSERT INTO held VALUES (3)");
  run = db_.Pgteal({"run", "--jobs", "2"});
  WaitLoaded(*run);
  EXPECT_TRUE(db_.Equal());
  EXPECT_EQ(blue().Query(kObjects), green().Query(kObjects));
}

}  // namespace
}  // namespace pgteal::tests
