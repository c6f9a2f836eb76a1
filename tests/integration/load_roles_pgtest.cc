#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/integration/check_test.h"

namespace pgteal::tests {
namespace {

using testing::HasSubstr;

// A load by a role that is no superuser, of objects that belong to another one.
class LoadRoles : public PairTest {
 protected:
  explicit LoadRoles(Versions versions = DefaultVersions()) : PairTest(versions) {
    for (auto* side : {&blue(), &green()}) {
      side->Exec("CREATE ROLE \"App\"; CREATE ROLE mover LOGIN REPLICATION; ALTER DATABASE " +
                 db_.name() + " OWNER TO mover");
    }
    blue().Exec(
        "GRANT \"App\" TO mover; CREATE SCHEMA s AUTHORIZATION \"App\";"
        "GRANT CREATE ON SCHEMA public TO \"App\"; SET ROLE \"App\";"
        "CREATE TYPE s.mood AS ENUM ('sad', 'ok');"
        "CREATE TABLE s.t (id serial PRIMARY KEY, m s.mood, v int UNIQUE CHECK (v > 0));"
        "CREATE TABLE p (id int PRIMARY KEY, t int REFERENCES s.t);"
        "CREATE INDEX ON p (t); CREATE VIEW v AS SELECT * FROM p;"
        "INSERT INTO s.t VALUES (1, 'ok', 1); INSERT INTO p VALUES (1, 1); RESET ROLE");
  }
  ~LoadRoles() override {
    for (auto* side : {&blue(), &green()}) {
      side->Exec("ALTER DATABASE " + db_.name() +
                 " OWNER TO postgres; REASSIGN OWNED BY mover TO postgres;"
                 "DROP OWNED BY mover; DROP ROLE mover; DROP OWNED BY \"App\"; DROP ROLE \"App\"");
    }
  }
  std::unique_ptr<PgtealProcess> AsMover(const std::vector<std::string>& args) const {
    return db_.PgtealVia(db_.BlueInfo() + " user=mover", db_.GreenInfo() + " user=mover", args);
  }
};

TEST_F(LoadRoles, WhatTheOwnersNeedIsFoundBeforeTheLoad) {
  const auto ask = [this] { return ReadCheck(*AsMover({"check", "--json", "--only", "C11"})); };
  blue().Exec(
      "REVOKE CREATE ON SCHEMA public FROM \"App\"; CREATE SCHEMA hall;"
      "GRANT CREATE ON SCHEMA hall TO \"App\"");
  const bool has_options = db_.clusters().green().major() >= 16;
  const std::string member =
      "our role is no member of \"App\", which owns objects\nGRANT \"App\" TO mover" +
      std::string(has_options ? " WITH INHERIT TRUE, SET TRUE" : "") + ";\n";
  // Before version 15 everybody may.
  const std::string create =
      db_.clusters().green().major() < 15
          ? ""
          : "\"App\" owns objects in schema public and may not CREATE there\n"
            "GRANT CREATE ON SCHEMA public TO \"App\";\n";
  auto check = ask();
  EXPECT_EQ(check.Outcomes("C11"), "FAIL");
  EXPECT_THAT(check.Findings("C11"), HasSubstr(member));
  EXPECT_THAT(check.Findings("C11"), HasSubstr(create));
  // Of schema hall, which our role could not own.
  EXPECT_THAT(check.Findings("C11"), HasSubstr("our role is no member of postgres"));
  blue().Exec("DROP SCHEMA hall");
  EXPECT_EQ(ask().Findings("C11"), create + member);
  if (has_options) {
    green().Exec("GRANT \"App\" TO mover WITH INHERIT TRUE, SET FALSE");
    EXPECT_EQ(ask().Findings("C11"), create + member);
    green().Exec("GRANT \"App\" TO mover WITH INHERIT FALSE, SET TRUE");
    EXPECT_EQ(ask().Findings("C11"), create + member);
  }
  check = ask();
  for (const auto& finding : check.report["checks"][0]["findings"]) {
    green().Exec(finding["fix"].get<std::string>());
  }
  EXPECT_EQ(ask().Outcomes("C11"), "PASS");
  const auto run = AsMover({"run", "--until-caught-up"});
  EXPECT_EQ(run->WaitExit(), 0) << run->Log();
  EXPECT_TRUE(db_.Equal());
  EXPECT_EQ(green().Scalar("SELECT string_agg(DISTINCT relowner::regrole::text, ' ') FROM pg_class"
                           " WHERE relname IN ('t', 'p', 'v')"),
            "\"App\"");
}

TEST_F(LoadRoles, AnOwnerThatIsAGuestInItsSchemaGetsItsObjects) {
  blue().Exec(
      "CREATE ROLE landlord; GRANT landlord TO mover; CREATE SCHEMA hall AUTHORIZATION landlord;"
      "CREATE TABLE hall.g (id int PRIMARY KEY); ALTER TABLE hall.g OWNER TO \"App\"");
  green().Exec("CREATE ROLE landlord; GRANT landlord, \"App\" TO mover");
  const auto ask = [this] { return ReadCheck(*AsMover({"check", "--json", "--only", "C11"})); };
  auto check = ask();
  ASSERT_EQ(check.Findings("C11"),
            "\"App\" owns objects in schema hall and may not CREATE there on blue\n"
            "GRANT CREATE ON SCHEMA hall TO \"App\"; -- on blue\n");
  EXPECT_EQ(RunCheck(db_, {"--only", "C11"}).Outcomes("C11"), "PASS") << "a superuser may";
  EXPECT_EQ(RunCheck(db_, {"--only", "C11", "--copy", "data"}).Outcomes("C11"), "");
  blue().Exec(check.report["checks"][0]["findings"][0]["fix"].get<std::string>());
  EXPECT_EQ(ask().Outcomes("C11"), "PASS");
  const auto run = AsMover({"run", "--until-caught-up"});
  EXPECT_EQ(run->WaitExit(), 0) << run->Log();
  EXPECT_EQ(green().Scalar("SELECT relowner::regrole FROM pg_class WHERE relname = 'g'"),
            "\"App\"");
  constexpr const char* kAcl = "SELECT nspacl FROM pg_namespace WHERE nspname = 'hall'";
  EXPECT_EQ(green().Scalar(kAcl), blue().Scalar(kAcl));
  blue().Exec("DROP OWNED BY landlord CASCADE; DROP ROLE landlord");
  green().Exec("DROP OWNED BY landlord CASCADE; DROP ROLE landlord");
}

// Where public belongs to the first superuser.
class LoadRolesFrom14 : public LoadRoles {
 protected:
  LoadRolesFrom14() : LoadRoles({14, 17}) {}
};

TEST_F(LoadRolesFrom14, SchemaPublicStaysWithTheDatabasesOwner) {
  green().Exec("GRANT \"App\" TO mover; GRANT CREATE ON SCHEMA public TO \"App\"");
  const auto run = AsMover({"run", "--until-caught-up"});
  EXPECT_EQ(run->WaitExit(), 0) << run->Log();
  EXPECT_THAT(run->Log(), HasSubstr("not copied: the owner of schema public"));
  EXPECT_TRUE(db_.Equal());
  EXPECT_EQ(green().Scalar("SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'public'"),
            "pg_database_owner");
}

}  // namespace
}  // namespace pgteal::tests
