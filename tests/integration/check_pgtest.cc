#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/check_test.h"
#include "tests/support/wait.h"

namespace pgteal::tests {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// One of every kind of object that a schema comparison looks at.
constexpr const char* kRichSchema = R"(
CREATE EXTENSION hstore;
CREATE TABLE attributes (id int PRIMARY KEY, h hstore DEFAULT 'a=>1');
CREATE INDEX ON attributes USING gin (h);
CREATE SCHEMA "Sch.ema";
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE pair AS (a int, b text);
CREATE TYPE span AS RANGE (subtype = timestamptz);
CREATE DOMAIN positive AS int DEFAULT 1 CHECK (VALUE > 0);
CREATE COLLATION "Sch.ema".c (locale = 'C');
CREATE SEQUENCE lonely INCREMENT -5 START -10 MINVALUE -1000 MAXVALUE -1 CYCLE;
CREATE FUNCTION twice(x int DEFAULT 1) RETURNS int LANGUAGE sql IMMUTABLE
  RETURN x * 2;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql SET search_path = 'public' AS
  'BEGIN NEW.note := NEW.note || ''!''; RETURN NEW; END';
CREATE PROCEDURE nothing(INOUT x int) LANGUAGE sql AS 'SELECT x';
CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq);
CREATE CAST (pair AS text) WITH INOUT;
CREATE TEXT SEARCH CONFIGURATION simple_copy (COPY = simple);
CREATE TABLE plain (id serial PRIMARY KEY, note text COLLATE "C" DEFAULT 'x''y', m mood
  DEFAULT 'ok', at timestamptz DEFAULT now() + interval '1 day', p positive, r span, c pair,
  big numeric(12, 2) NOT NULL DEFAULT 0.5, tags text[] DEFAULT '{}', UNIQUE (note, id),
  CHECK (big >= 0 AND note <> ALL (ARRAY['a', 'b'])));
CREATE INDEX plain_upper ON plain (upper(note) text_pattern_ops DESC) WHERE big > 0;
CREATE UNIQUE INDEX plain_cover ON plain (note) INCLUDE (big) WITH (fillfactor = 70);
CREATE TABLE generated (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int,
  b int GENERATED ALWAYS AS (a * 2) STORED, FOREIGN KEY (a) REFERENCES plain DEFERRABLE,
  EXCLUDE USING gist (int4range(a, a + 1) WITH &&)) WITH (fillfactor = 90);
CREATE TABLE parts (id int, day date, t text DEFAULT 'p', plain_id int REFERENCES plain,
  PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE parts_old PARTITION OF parts FOR VALUES FROM (MINVALUE) TO ('2024-01-01');
CREATE TABLE parts_2024 (t text DEFAULT 'q', plain_id int, day date NOT NULL, id int NOT NULL);
ALTER TABLE parts ATTACH PARTITION parts_2024 FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE parts_rest PARTITION OF parts DEFAULT PARTITION BY HASH (id);
CREATE TABLE parts_rest_0 PARTITION OF parts_rest FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE INDEX ON parts (t);
CREATE TABLE refers (id int PRIMARY KEY, pid int, day date,
  FOREIGN KEY (pid, day) REFERENCES parts (id, day));
CREATE TABLE parent (id int PRIMARY KEY, v int CHECK (v > 0));
CREATE TABLE child (extra int, PRIMARY KEY (id)) INHERITS (parent);
CREATE TABLE "Sch.ema"."My ""T""" (id int PRIMARY KEY, "a b" text, secret text);
ALTER TABLE "Sch.ema"."My ""T""" ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON "Sch.ema"."My ""T""" FOR UPDATE USING (id > 0) WITH CHECK (id > 1);
CREATE VIEW v AS SELECT id, upper(note) AS note FROM plain WHERE big > 0 ORDER BY id;
CREATE VIEW joined WITH (security_barrier) AS SELECT p.id, g.b, count(*) OVER w AS n,
  extract(year FROM p.at) AS y, p.note LIKE 'a%' AS l, CURRENT_DATE AS d, g.a::text || 1.5 AS x
  FROM plain p LEFT JOIN LATERAL (SELECT * FROM generated WHERE a = p.id) g ON g.a BETWEEN 1 AND 5
  WINDOW w AS (PARTITION BY p.m ORDER BY p.id);
CREATE VIEW recursive_one AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r
  WHERE n < 5) SELECT r.n, (SELECT max(note) FROM plain) FROM r WHERE n IN (SELECT id FROM plain);
CREATE MATERIALIZED VIEW sums AS SELECT count(*) AS n, sum(big) FROM plain;
CREATE UNIQUE INDEX sums_n ON sums (n);
CREATE RULE quiet AS ON DELETE TO v DO INSTEAD NOTHING;
CREATE TRIGGER touch BEFORE INSERT OR UPDATE OF note ON plain FOR EACH ROW
  WHEN (NEW.big > 0) EXECUTE FUNCTION touch();
CREATE TRIGGER part_touch BEFORE INSERT ON parts_old FOR EACH ROW EXECUTE FUNCTION touch();
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON plain DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  EXECUTE FUNCTION touch();
ALTER TABLE plain DISABLE TRIGGER late;
CREATE STATISTICS plain_stats ON id, big FROM plain;
GRANT SELECT ON plain TO PUBLIC;
GRANT SELECT (id) ON generated TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC;
)";
constexpr const char* kRichRows = R"(
INSERT INTO plain (id, note) SELECT g, 'n' || g FROM generate_series(10, 20) AS g;
REFRESH MATERIALIZED VIEW sums;
)";

class CheckVersions : public testing::TestWithParam<Versions> {};

TEST_P(CheckVersions, APairMadeByRunHasNothingThatStandsInTheWay) {
  DatabasePair db(ClusterPair::Shared(GetParam()));
  db.blue().Exec(kRichSchema);
  db.blue().Exec(kRichRows);
  // Blue 17 is too new for the pg_dump at hand.
  const std::string copy = GetParam().blue < 17 ? "all" : "data";
  if (copy == "data") db.green().Exec(kRichSchema);
  const auto before = RunCheck(db, {"--copy", copy});
  EXPECT_EQ(before.exit_code, 0);
  EXPECT_THAT(before.With("FAIL"), IsEmpty());
  const auto run = db.Pgteal({"run", "--copy", copy});
  ASSERT_TRUE(run->WaitForLog("sequences set"));
  ASSERT_TRUE(db.WaitCaughtUp());
  for (const auto* phase : {"auto", "switchover"}) {
    const auto check = RunCheck(db, {"--phase", phase});
    EXPECT_EQ(check.exit_code, 0) << phase;
    EXPECT_THAT(check.With("FAIL"), IsEmpty()) << phase;
    EXPECT_EQ(check.Findings("D19"), "") << phase;
    for (const auto& skipped : check.With("SKIPPED")) {
      EXPECT_THAT(skipped, HasSubstr("for PostgreSQL")) << phase;
    }
  }
  if (GetParam().blue == GetParam().green) {
    EXPECT_EQ(RunCheck(db, {"--only", "E9"}).Findings("E9"), "");
  }
}

TEST(CheckTurned, AfterASwitchoverTheWayBackIsAskedAbout) {
  ClusterPair clusters({14, 18});  // roles lose their login
  DatabasePair db(clusters);
  db.blue().Exec(kRichSchema);
  db.blue().Exec(kRichRows);
  const auto run = db.Pgteal({"run", "--ddl-guard", "event-trigger"});
  ASSERT_TRUE(run->WaitForLog("streaming slot="));
  ASSERT_TRUE(db.WaitCaughtUp());
  const auto guardrails = RunCheck(db, {"--phase", "switchover"});
  EXPECT_THAT(guardrails.With("FAIL"), IsEmpty());
  auto switchover = db.Pgteal({"switchover"});
  ASSERT_EQ(switchover->WaitExit(), 0) << switchover->Log();
  ASSERT_TRUE(run->WaitForLog("streaming back to blue"));
  ASSERT_TRUE(WaitUntil(
      [&] {
        return db.green().Scalar("SELECT count(*) FROM pg_replication_slots WHERE active") == "1";
      },
      std::chrono::seconds(30)));
  for (const auto* phase : {"auto", "switchover"}) {
    const auto back = RunCheck(db, {"--phase", phase});
    EXPECT_THAT(back.With("FAIL"), IsEmpty()) << phase;
    EXPECT_THAT(back.log, HasSubstr("green takes the writes"));
  }
  EXPECT_EQ(db.blue().Scalar("SELECT state FROM pgteal.deployment"), "streaming");
}

std::string VersionsName(const testing::TestParamInfo<Versions>& info) {
  return std::to_string(info.param.blue) + "to" + std::to_string(info.param.green);
}
INSTANTIATE_TEST_SUITE_P(Pairs, CheckVersions, testing::Values(Versions{14, 18}, Versions{17, 17}),
                         VersionsName);

class CheckVerb : public PairTest {
 protected:
  CheckVerb() : PairTest({14, 18}) {}
  // Everything with the rights of a role that may log in and nothing else.
  std::unique_ptr<PgtealProcess> AsNobody(const std::vector<std::string>& args) {
    for (auto* side : {&blue(), &green()}) {
      side->Exec(
          "DO $$ BEGIN CREATE ROLE nobody LOGIN; EXCEPTION WHEN duplicate_object THEN END $$");
    }
    return db_.PgtealVia(db_.BlueInfo() + " user=nobody", db_.GreenInfo() + " user=nobody", args);
  }
};

TEST_F(CheckVerb, ARoleThatMayNothingIsToldWhatItLacksAndWhatItCannotSee) {
  ExecBoth(
      "CREATE TABLE t (id serial PRIMARY KEY); ALTER TABLE t ENABLE ROW LEVEL SECURITY;"
      "CREATE MATERIALIZED VIEW m AS SELECT * FROM t");
  for (const auto* phase : {"before", "running", "switchover"}) {
    SCOPED_TRACE(phase);
    const auto check =
        ReadCheck(*AsNobody({"check", "--json", "--copy", "none", "--phase", phase}));
    EXPECT_EQ(check.exit_code, 3) << check.log;
    EXPECT_THAT(check.log, testing::Not(HasSubstr("error")));
    EXPECT_THAT(check.Outcomes("F2"), testing::StartsWith("SKIPPED"));
    EXPECT_THAT(check.Findings("F2"), HasSubstr("GRANT pg_read_all_stats TO nobody;"));
    EXPECT_EQ(check.Outcomes("E7"), "SKIPPED");
    EXPECT_THAT(check.Findings("E7"), HasSubstr("not permitted"));
    EXPECT_THAT(check.Findings("C3"), HasSubstr("GRANT SELECT ON SEQUENCE public.t_id_seq"));
    EXPECT_THAT(check.Findings("E2"), HasSubstr("1 sequences may not be read"));
    EXPECT_THAT(check.Findings("C5"), HasSubstr("TRUNCATE ON public.t TO nobody;"));
    EXPECT_THAT(check.Findings("C12"), HasSubstr("GRANT SELECT, UPDATE ON SEQUENCE public.t_id"));
    EXPECT_THAT(check.Findings("C6"), HasSubstr("GRANT SET ON PARAMETER"));
    EXPECT_THAT(check.Findings("C8"), HasSubstr("ALTER ROLE nobody BYPASSRLS;"));
    EXPECT_THAT(check.Findings("H6"), HasSubstr("role postgres"));
    EXPECT_EQ(check.Outcomes("D19"), "PASS");
    if (phase != std::string("before")) continue;
    EXPECT_THAT(check.Outcomes("A1"), HasSubstr("FAIL"));
    EXPECT_THAT(check.Findings("C1"), HasSubstr("ALTER ROLE nobody REPLICATION;"));
    EXPECT_THAT(check.Findings("C2"), HasSubstr("GRANT SELECT ON public.t TO nobody;"));
    EXPECT_THAT(check.Findings("C4"), HasSubstr("public.t belongs to postgres"));
    EXPECT_THAT(check.Findings("C7"), HasSubstr("GRANT CREATE ON DATABASE"));
    EXPECT_EQ(check.Outcomes("B15"), "SKIPPED");
    EXPECT_EQ(check.Outcomes("B11"), "SKIPPED");
  }
}

// README, Privileges.
TEST_F(CheckVerb, WithTheOptionalGrantsNothingIsHidden) {
  const auto ask = [this] {
    return ReadCheck(*AsNobody({"check", "--json", "--only", "B15,E7,F2"}));
  };
  for (const auto* id : {"B15", "E7", "F2"}) {
    EXPECT_THAT(ask().Outcomes(id), testing::StartsWith("SKIPPED")) << id;
  }
  blue().Exec("GRANT EXECUTE ON FUNCTION pg_ls_waldir() TO nobody");
  ExecBoth("GRANT pg_read_all_settings, pg_read_all_stats TO nobody");
  const auto check = ask();
  EXPECT_EQ(check.Outcomes("B15"), "INFO") << check.Findings("B15");
  EXPECT_EQ(check.Outcomes("E7"), "PASS") << check.Findings("E7");
  EXPECT_THAT(check.Outcomes("F2"), testing::StartsWith("PASS")) << check.Findings("F2");
  ExecBoth("REVOKE pg_read_all_settings, pg_read_all_stats FROM nobody");
}

// Not what is switched off, what fires for nobody but replicas, or fires in any case.
TEST_F(CheckVerb, TriggersAndRulesThatWouldFireForRowsThatComeBackAreFound) {
  const auto ask = [this] { return ReadCheck(*AsNobody({"check", "--json", "--only", "H15"})); };
  blue().Exec(
      "CREATE FUNCTION noop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
      "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE quiet (id int PRIMARY KEY REFERENCES t);"
      "CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY LIST (id);"
      "CREATE TABLE part_1 PARTITION OF parts FOR VALUES IN (1);"
      "CREATE TABLE part_2 PARTITION OF parts FOR VALUES IN (2)");
  const std::string trigger = " AFTER INSERT ON quiet FOR EACH ROW EXECUTE FUNCTION noop();";
  for (const std::string mode : {"DISABLE", "ENABLE REPLICA", "ENABLE ALWAYS"}) {
    const std::string name = "\"" + mode + "\"";
    blue().Exec("CREATE TRIGGER " + name + trigger + "ALTER TABLE quiet " + mode + " TRIGGER " +
                name);
  }
  const auto calm = ask();
  EXPECT_EQ(calm.Outcomes("H15"), "INFO");
  EXPECT_THAT(calm.Findings("H15"), HasSubstr("ALTER ROLE nobody SUPERUSER;"));
  EXPECT_THAT(calm.Findings("H15"), testing::Not(HasSubstr("quiet")));
  blue().Exec(
      "CREATE TRIGGER own AFTER INSERT ON t EXECUTE FUNCTION noop();"
      "CREATE RULE also AS ON DELETE TO t DO ALSO NOTHING;"
      "CREATE TRIGGER whole AFTER DELETE ON parts FOR EACH ROW EXECUTE FUNCTION noop();"
      "CREATE TRIGGER one AFTER DELETE ON part_2 FOR EACH ROW EXECUTE FUNCTION noop()");
  const auto noisy = ask();
  EXPECT_EQ(noisy.Outcomes("H15"), "WARN");
  const std::string fix = "\nALTER ROLE nobody SUPERUSER;\n";
  EXPECT_EQ(noisy.Findings("H15"), "public.part_2: trigger one" + fix +
                                       "public.parts: trigger whole" + fix +
                                       "public.t: rule also, trigger own" + fix);
  EXPECT_EQ(RunCheck(db_, {"--only", "H15"}).Outcomes("H15"), "PASS");
}

// Its own change then finds no row.
TEST_F(CheckVerb, ForeignKeysThatWouldActForRowsThatComeBackAreFound) {
  blue().Exec(
      "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE quiet (id int PRIMARY KEY REFERENCES t);"
      "CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY LIST (id);"
      "CREATE TABLE part_1 PARTITION OF parts FOR VALUES IN (1);"
      "CREATE TABLE child (id int PRIMARY KEY, t int CONSTRAINT gone REFERENCES t"
      " ON DELETE CASCADE, p int CONSTRAINT moved REFERENCES parts ON UPDATE SET NULL)"
      " PARTITION BY LIST (id); CREATE TABLE child_1 PARTITION OF child FOR VALUES IN (1);"
      "CREATE UNLOGGED TABLE own (id int PRIMARY KEY, t int REFERENCES own ON DELETE CASCADE)");
  for (const std::string phase : {"before", "switchover"}) {
    const auto check = ReadCheck(*AsNobody({"check", "--json", "--only", "H15", "--phase", phase}));
    EXPECT_EQ(check.Outcomes("H15"), phase == "before" ? "WARN" : "FAIL");
    EXPECT_EQ(check.Findings("H15"),
              "public.child: foreign key gone, foreign key moved\nALTER ROLE nobody SUPERUSER;\n");
  }
}

TEST_F(CheckVerb, ASecondSessionThatIsRefusedIsAFinding) {
  ExecBoth("CREATE ROLE single LOGIN CONNECTION LIMIT 1");
  const auto check =
      ReadCheck(*db_.PgtealVia(db_.BlueInfo() + " user=single", db_.GreenInfo() + " user=single",
                               {"check", "--json", "--only", "A4,B13"}));
  EXPECT_EQ(check.exit_code, 3) << check.log;
  EXPECT_EQ(check.Outcomes("A4"), "FAIL");
  EXPECT_THAT(check.Findings("A4"), HasSubstr("too many connections for role \"single\""));
  EXPECT_EQ(check.Outcomes("B13"), "FAIL FAIL");
  ExecBoth("DROP ROLE single");
}

TEST_F(CheckVerb, AnIdThatNoCheckHasIsRefused) {
  const std::vector<std::vector<std::string>> refused = {{"check", "--only", "XX9"},
                                                         {"check", "--only", "B1,XX9"},
                                                         {"check", "--skip", "XX9"},
                                                         {"switchover", "--skip-check", "XX9"}};
  for (const auto& args : refused) {
    const auto process = db_.Pgteal(args);
    EXPECT_EQ(process->WaitExit(), 2);
    EXPECT_THAT(process->Log(), HasSubstr(args[1] + " XX9: there is no check"));
  }
}

TEST_F(CheckVerb, OneSideAloneIsEnough) {
  blue().Exec("CREATE TABLE t (id int PRIMARY KEY)");
  const auto blue_alone = ReadCheck(*db_.PgtealVia(db_.BlueInfo(), "", {"check", "--json"}));
  // An empty address is the pair's own.
  EXPECT_EQ(blue_alone.exit_code, 0);
  PgtealProcess without({"check", "--json", "--source", db_.BlueInfo()}, {{"PGTEAL_TARGET", ""}});
  const auto check = ReadCheck(without);
  EXPECT_EQ(check.exit_code, 0) << check.log;
  EXPECT_EQ(check.Findings("A2"), "no --target");
  EXPECT_EQ(check.Outcomes("B1"), "PASS");
  PgtealProcess nothing({"check"}, {{"PGTEAL_TARGET", ""}, {"PGTEAL_SOURCE", ""}});
  EXPECT_EQ(nothing.WaitExit(), 2);
}

TEST_F(CheckVerb, TheTableNamesAreasAndFixesAndCutsLongLists) {
  for (int i = 0; i < 13; ++i) blue().Exec("CREATE TABLE k" + std::to_string(i) + " (a int)");
  auto check = db_.Pgteal({"check", "--only", "D1,B1"});
  EXPECT_EQ(check->WaitExit(), 3);
  const std::string text = check->Stdout();
  EXPECT_THAT(text, HasSubstr("WAL, slots, limits\n  PASS     B1  blue  wal_level is logical\n"));
  EXPECT_THAT(text, HasSubstr("  FAIL     D1  blue  every published table has a usable replica"));
  EXPECT_THAT(text, HasSubstr("ALTER TABLE public.k0 REPLICA IDENTITY FULL;\n"));
  EXPECT_THAT(text, HasSubstr("- and 3 more"));
  EXPECT_THAT(text, HasSubstr("2 checks: 1 PASS, 0 INFO, 0 WARN, 1 FAIL, 0 SKIPPED. Not ready."));
  const auto json = RunCheck(db_, {"--only", "D1", "--side", "blue"});
  EXPECT_EQ(json.report["verdict"], "refused");
  EXPECT_EQ(json.report["checks"][0]["findings"].size(), 13U);
  EXPECT_EQ(RunCheck(db_, {"--skip", "D1", "--side", "blue"}).exit_code, 0);
}

}  // namespace
}  // namespace pgteal::tests
