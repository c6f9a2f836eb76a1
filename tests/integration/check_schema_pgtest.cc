#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/integration/check_test.h"

namespace pgteal::tests {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kBase = R"(
CREATE TABLE t (id int PRIMARY KEY, v varchar(10), n int NOT NULL DEFAULT 1, d numeric(10, 2),
  old text, mood text);
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TYPE pair AS (a int, b int);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE SEQUENCE s INCREMENT 1;
CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql AS 'SELECT x';
CREATE FUNCTION trg() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE VIEW w AS SELECT id, v FROM t;
CREATE MATERIALIZED VIEW m AS SELECT id FROM t;
CREATE INDEX t_n ON t (n);
CREATE TRIGGER quiet BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION trg();
CREATE POLICY mine ON t USING (id > 0);
CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
)";

// What blue and green do apart, and how the comparison names it.
struct Drift {
  const char* blue;
  const char* green;
  const char* found;
  const char* fix;
};

const std::vector<Drift> kBreaking = {
    {"CREATE TABLE new_table (id int PRIMARY KEY, a int)", "",
     "table public.new_table is missing on green", "--table='public.new_table'"},
    {"ALTER TABLE t ADD c int DEFAULT 7", "", "column public.t.c is missing on green",
     "ALTER TABLE public.t ADD c integer DEFAULT 7;"},
    {"", "ALTER TABLE t DROP old", "column public.t.old is missing on green",
     "ALTER TABLE public.t ADD old text;"},
    {"ALTER TABLE t ALTER n SET DEFAULT 2", "",
     "column public.t.n: integer NOT NULL DEFAULT 2 on blue, integer NOT NULL DEFAULT 1 on green",
     "ALTER n SET DEFAULT 2"},
    {"ALTER TABLE t ALTER d TYPE numeric(12, 4)", "",
     "column public.t.d: numeric(12,4) on blue, numeric(10,2) on green",
     "ALTER TABLE public.t ALTER d TYPE numeric(12,4)"},
    {"", "ALTER TABLE t ALTER mood SET NOT NULL", "text NOT NULL on green",
     "ALTER mood DROP NOT NULL;"},
    {"CREATE INDEX missing_index ON t (v)", "", "index public.missing_index is missing on green",
     "CREATE INDEX missing_index ON public.t USING btree (v);"},
    {"", "DROP INDEX t_n; CREATE INDEX t_n ON t (n DESC)",
     "index public.t_n: ", "DROP INDEX public.t_n; CREATE INDEX t_n ON public.t USING btree (n);"},
    {"ALTER TABLE t ADD CONSTRAINT low CHECK (n < 100)", "",
     "constraint low of public.t is missing on green",
     "ALTER TABLE public.t ADD CONSTRAINT low CHECK ((n < 100));"},
    {"CREATE FUNCTION only_blue(a int, b text) RETURNS int LANGUAGE sql AS 'SELECT 1'", "",
     "function public.only_blue(integer,text) is missing on green",
     "CREATE OR REPLACE FUNCTION public.only_blue"},
    {"CREATE OR REPLACE FUNCTION f(x int) RETURNS int LANGUAGE sql AS 'SELECT x + 1'", "",
     "function public.f(integer): ", "SELECT x + 1"},
    {"CREATE AGGREGATE agg(int) (SFUNC = int4pl, STYPE = int)", "",
     "aggregate public.agg(integer) is missing on green", ""},
    {"CREATE TRIGGER extra BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION trg()", "",
     "trigger extra on public.t is missing on green", "CREATE TRIGGER extra BEFORE UPDATE"},
    {"ALTER TABLE t DISABLE TRIGGER quiet", "",
     "trigger quiet on public.t: ", "DISABLE TRIGGER quiet;"},
    {"CREATE RULE r AS ON UPDATE TO w DO INSTEAD NOTHING", "",
     "rule r on public.w is missing on green", "CREATE RULE r"},
    {"CREATE POLICY other ON t FOR DELETE USING (id = 1)", "",
     "row policy other on public.t is missing on green", "CREATE POLICY other ON public.t"},
    {"ALTER TABLE t ENABLE ROW LEVEL SECURITY", "", "table public.t: table with row security", ""},
    {"CREATE VIEW only_view AS SELECT 1 AS one", "", "view public.only_view is missing on green",
     "CREATE VIEW public.only_view"},
    {"CREATE OR REPLACE VIEW w AS SELECT id, v FROM t WHERE id > 5", "",
     "view public.w: ", "CREATE OR REPLACE VIEW public.w"},
    {"", "DROP MATERIALIZED VIEW m", "view public.m is missing on green",
     "CREATE MATERIALIZED VIEW public.m"},
    {"ALTER SEQUENCE s INCREMENT 2", "",
     "sequence public.s: ", "ALTER SEQUENCE public.s AS bigint INCREMENT 2"},
    {"ALTER TYPE mood ADD VALUE 'calm' BEFORE 'happy'", "", "type public.mood: ", ""},
    {"ALTER DOMAIN positive ADD CONSTRAINT small CHECK (VALUE < 9)", "",
     "type public.positive: ", ""},
    {"ALTER TYPE pair ADD ATTRIBUTE c int", "", "type public.pair: ", ""},
    {"CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20)", "",
     "table public.parts_2 is missing on green", ""},
    {"", "ALTER TABLE parts DETACH PARTITION parts_1", "table public.parts_1: ", ""},
    {"CREATE EXTENSION pgcrypto", "", "extension pgcrypto is missing on green",
     "CREATE EXTENSION pgcrypto SCHEMA public;"},
    {"CREATE SCHEMA extra_schema", "", "schema extra_schema is missing on green",
     "CREATE SCHEMA extra_schema;"},
    {"CREATE OPERATOR <<>> (LEFTARG = int, RIGHTARG = int, FUNCTION = int4ne)", "",
     "object operator public.<<>>(integer,integer) is missing on green", ""},
    {"", "ALTER TABLE t ADD needs_a_value int NOT NULL",
     "column public.t.needs_a_value is only on green and refuses blue's rows", ""},
};

const std::vector<Drift> kHarmless = {
    {"", "ALTER TABLE t ADD later int", "column public.t.later is only on green", ""},
    {"", "ALTER TABLE t ADD later2 int NOT NULL DEFAULT 5",
     "column public.t.later2 is only on green", ""},
    {"", "CREATE TABLE green_table (a int)", "table public.green_table is only on green", ""},
    {"", "CREATE INDEX green_index ON t (v)", "index public.green_index is only on green", ""},
    {"", "ALTER TABLE t ADD CONSTRAINT strict CHECK (id > 0)",
     "constraint strict of public.t is only on green", ""},
    {"",
     "DROP VIEW w; ALTER TABLE t ALTER v TYPE text; CREATE VIEW w AS SELECT id, v::varchar(10)"
     " AS v FROM t; DROP VIEW w",
     "column public.t.v: character varying(10) on blue, text on green", ""},
    {"DROP VIEW w", "", "", ""},
    {"", "ALTER TABLE t ALTER n TYPE bigint",
     "column public.t.n: integer NOT NULL DEFAULT 1 on blue, bigint NOT NULL DEFAULT 1 on green",
     ""},
    {"", "ALTER TYPE mood ADD VALUE 'calm' BEFORE 'happy'", "type public.mood: ", ""},
};

const std::vector<Drift> kSettings = {
    {"ALTER TABLE t SET (fillfactor = 50)", "", "storage options public.t is missing on green",
     "ALTER TABLE public.t SET (fillfactor=50);"},
    {"ALTER TABLE t REPLICA IDENTITY FULL", "", "replica identity public.t: FULL on blue",
     "ALTER TABLE public.t REPLICA IDENTITY FULL;"},
    {"CREATE STATISTICS st ON id, n FROM t", "", "statistics public.st is missing on green",
     "CREATE STATISTICS public.st"},
    {"GRANT SELECT ON t TO PUBLIC", "", "privileges TABLE public.t TO PUBLIC is missing on green",
     "GRANT SELECT ON TABLE public.t TO PUBLIC;"},
    {"GRANT UPDATE (v) ON t TO PUBLIC", "",
     "column privileges public.t.v TO PUBLIC is missing on green", ""},
    {"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC", "",
     "default privileges of postgres in public for r TO PUBLIC is missing on green", ""},
    {"DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''7MB''', current_database());"
     " END $$",
     "", "setting work_mem of all roles in the database is missing on green",
     "SET work_mem = '7MB';"},
    {"DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = shop, \"A b\", public',"
     " current_database()); END $$",
     "", "setting search_path of all roles in the database is missing on green",
     "SET search_path = shop, \"A b\", public;"},
    {"DO $$ BEGIN EXECUTE format('ALTER ROLE postgres IN DATABASE %I SET search_path = ''''',"
     " current_database()); END $$",
     "", "setting search_path of role postgres in the database is missing on green",
     "SET search_path = '';"},
    {"CREATE ROLE an_owner; ALTER FUNCTION f(int) OWNER TO an_owner", "CREATE ROLE an_owner",
     "owner ROUTINE public.f(integer): an_owner on blue, postgres on green",
     "ALTER ROUTINE public.f(integer) OWNER TO an_owner;"},
};

class CheckSchema : public PairTest {
 protected:
  CheckSchema() : PairTest({14, 18}) { ExecBoth(kBase); }
  CheckRun Drift(const std::vector<struct Drift>& drifts) {
    for (const auto& drift : drifts) {
      blue().Exec(drift.blue);
      green().Exec(drift.green);
    }
    return RunCheck(db_, {"--copy", "none", "--only", "D19,E9"});
  }
  void ExpectNamed(const CheckRun& check, const std::string& id,
                   const std::vector<struct Drift>& drifts) {
    for (const auto& drift : drifts) {
      EXPECT_THAT(check.Findings(id), HasSubstr(drift.found));
      EXPECT_THAT(check.Findings(id), HasSubstr(drift.fix));
    }
  }
};

TEST_F(CheckSchema, EqualSchemasOfTwoVersionsAreEqual) {
  const auto check = Drift({});
  EXPECT_EQ(check.exit_code, 0);
  EXPECT_EQ(check.Findings("D19"), "");
}

TEST_F(CheckSchema, WhatGreenLacksOrHasOtherwiseIsNamedWithItsFix) {
  const auto check = Drift(kBreaking);
  EXPECT_EQ(check.exit_code, 3);
  EXPECT_EQ(check.Outcomes("D19"), "FAIL");
  ExpectNamed(check, "D19", kBreaking);
  // Once is enough: the table stands for its columns.
  EXPECT_THAT(check.Findings("D19"), Not(HasSubstr("column public.new_table")));
  EXPECT_THAT(check.Findings("D19"), Not(HasSubstr("new_table_pkey")));
}

TEST_F(CheckSchema, WhatGreenHasMoreOrWiderDoesNotForbidAnything) {
  const auto check = Drift(kHarmless);
  EXPECT_EQ(check.exit_code, 0);
  EXPECT_EQ(check.Outcomes("D19"), "WARN");
  ExpectNamed(check, "D19", kHarmless);
}

TEST_F(CheckSchema, OwnersPrivilegesAndSettingsAreAWarning) {
  const auto check = Drift(kSettings);
  EXPECT_EQ(check.exit_code, 0);
  EXPECT_EQ(check.Outcomes("D19"), "PASS");
  EXPECT_EQ(check.Outcomes("E9"), "WARN");
  ExpectNamed(check, "E9", kSettings);
  blue().Exec("DROP OWNED BY an_owner; DROP ROLE an_owner");
}

}  // namespace
}  // namespace pgteal::tests
