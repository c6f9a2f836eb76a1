#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/cluster_pair.h"

namespace pgteal::tests {
namespace {

// What a deployment could leave behind on either side, as text.
constexpr const char* kCatalog =
    "SELECT (SELECT count(*) FROM pg_replication_slots WHERE database = current_database()) || ' '"
    " || (SELECT count(*) FROM pg_publication) || ' ' || (SELECT count(*) FROM pg_class)"
    " || ' ' || (SELECT count(*) FROM pg_namespace) || ' ' || (SELECT count(*) FROM pg_proc)"
    " || ' ' || (SELECT count(*) FROM pg_replication_origin)"
    " || ' ' || (SELECT count(*) FROM pg_event_trigger)"
    " || ' ' || (SELECT string_agg(rolname || rolcanlogin::text, ',' ORDER BY rolname)"
    " FROM pg_roles)"
    " || ' ' || (SELECT string_agg(relname || relreplident::text, ',' ORDER BY relname)"
    " FROM pg_class"
    " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace)"
    // Of this database and, with setdatabase = 0, of roles everywhere.
    " || ' ' || (SELECT coalesce(string_agg(setrole::regrole || ' ' || setconfig::text, ','"
    " ORDER BY setdatabase, setrole), '') FROM pg_db_role_setting WHERE setdatabase IN"
    " (0, (SELECT oid FROM pg_database WHERE datname = current_database())))";

class CleanupTest : public PairTest {};

TEST_F(CleanupTest, LeavesBothCatalogsAsTheyWere) {
  ExecBoth("CREATE TABLE t (id int PRIMARY KEY)");
  const std::string blue_before = blue().Scalar(kCatalog);
  const std::string green_before = green().Scalar(kCatalog);
  blue().Exec("INSERT INTO t VALUES (1)");
  auto run = db_.Pgteal({"run", "--copy", "none"});
  ASSERT_TRUE(run->WaitForLog("streaming"));
  blue().Exec("INSERT INTO t VALUES (2)");
  ASSERT_TRUE(db_.WaitCaughtUp());
  EXPECT_NE(green().Scalar(kCatalog), green_before);

  auto refused = db_.Pgteal({"cleanup"});
  EXPECT_EQ(refused->WaitExit(), 3);
  EXPECT_NE(refused->Log().find("in use"), std::string::npos);
  refused = db_.Pgteal({"cleanup", "--only", "green"});
  EXPECT_EQ(refused->WaitExit(), 3);
  EXPECT_NE(refused->Log().find("deployment pgteal is at work: process"), std::string::npos);

  run->Terminate();
  ASSERT_EQ(run->WaitExit(), 130);
  auto cleanup = db_.Pgteal({"cleanup"});
  ASSERT_EQ(cleanup->WaitExit(), 0);
  EXPECT_NE(cleanup->Stdout().find("removed schema pgteal"), std::string::npos);
  EXPECT_EQ(blue().Scalar(kCatalog), blue_before);
  EXPECT_EQ(green().Scalar(kCatalog), green_before);

  auto again = db_.Pgteal({"cleanup"});
  ASSERT_EQ(again->WaitExit(), 0);
  EXPECT_NE(again->Stdout().find("nothing to remove"), std::string::npos);
}

TEST_F(CleanupTest, PutsBackTheReplicaIdentitiesThatItSet) {
  ExecBoth(
      "CREATE TABLE bare (v int); CREATE TABLE keyed (id int NOT NULL UNIQUE, v int);"
      "CREATE TABLE silent (id int PRIMARY KEY); ALTER TABLE silent REPLICA IDENTITY NOTHING;"
      "CREATE TABLE chosen (id int NOT NULL); CREATE UNIQUE INDEX pick ON chosen (id);"
      "ALTER TABLE chosen REPLICA IDENTITY USING INDEX pick");
  const std::string before = blue().Scalar(kCatalog);
  ASSERT_EQ(db_.Pgteal({"run", "--copy", "none", "--set-replica-identity", "--until-caught-up"})
                ->WaitExit(),
            0);
  EXPECT_EQ(blue().Scalar("SELECT string_agg(relreplident::text, '' ORDER BY relname) FROM pg_class"
                          " WHERE relname IN ('bare', 'keyed', 'silent', 'chosen')"),
            "fiii");
  ASSERT_EQ(db_.Pgteal({"cleanup"})->WaitExit(), 0);
  EXPECT_EQ(blue().Scalar(kCatalog), before);
}

// Blue's own UPDATE would fail.
TEST_F(CleanupTest, AnIdentityThatAnotherPublicationNeedsStaysAndIsNamed) {
  ExecBoth(
      "CREATE TABLE bare (v int); CREATE TABLE parts (v int) PARTITION BY LIST (v);"
      "CREATE TABLE part_1 PARTITION OF parts FOR VALUES IN (1)");
  ASSERT_EQ(db_.Pgteal({"run", "--copy", "none", "--set-replica-identity", "--until-caught-up"})
                ->WaitExit(),
            0);
  ASSERT_EQ(db_.Pgteal({"prepare", "--name", "second", "--include-table", "bare"})->WaitExit(), 0);
  blue().Exec(
      "CREATE PUBLICATION rooted FOR TABLE parts WITH (publish_via_partition_root = true);"
      "CREATE PUBLICATION inserted FOR TABLE bare WITH (publish = 'insert')");
  const auto identities = [this] {
    return blue().Scalar(
        "SELECT string_agg(relreplident::text, '' ORDER BY relname) FROM pg_class"
        " WHERE relname IN ('bare', 'part_1')");
  };
  const auto cleanup = db_.Pgteal({"cleanup"});
  ASSERT_EQ(cleanup->WaitExit(), 0) << cleanup->Log();
  EXPECT_EQ(identities(), "ff");
  blue().Exec("UPDATE bare SET v = 1; UPDATE parts SET v = 1");
  for (const auto* stays : {"public.bare on blue stays: publication second needs",
                            "public.part_1 on blue stays: publication rooted needs"}) {
    EXPECT_NE(cleanup->Log().find(stays), std::string::npos) << cleanup->Log();
  }
}

// Nothing that was dropped or changed meanwhile is what a cleanup waits for.
TEST_F(CleanupTest, AnIdentityThatCannotBePutBackOrIsSomebodyElsesStays) {
  ExecBoth(
      "CREATE TABLE chosen (id int NOT NULL UNIQUE, d int GENERATED ALWAYS AS (id) STORED NOT "
      "NULL);"
      "CREATE UNIQUE INDEX pick ON chosen (d); ALTER TABLE chosen REPLICA IDENTITY USING INDEX "
      "pick;"
      "CREATE TABLE silent (id int PRIMARY KEY); ALTER TABLE silent REPLICA IDENTITY NOTHING");
  ASSERT_EQ(db_.Pgteal({"run", "--copy", "none", "--set-replica-identity", "--until-caught-up"})
                ->WaitExit(),
            0);
  blue().Exec("DROP INDEX pick; ALTER TABLE silent REPLICA IDENTITY DEFAULT");
  const auto cleanup = db_.Pgteal({"cleanup"});
  EXPECT_EQ(cleanup->WaitExit(), 0) << cleanup->Log();
  EXPECT_EQ(blue().Scalar("SELECT string_agg(relreplident::text, '' ORDER BY relname) FROM pg_class"
                          " WHERE relname IN ('chosen', 'silent')"),
            "id");
}

TEST_F(CleanupTest, OneSideIsCleanedWhileTheOtherIsGone) {
  ExecBoth("CREATE TABLE t (id int PRIMARY KEY)");
  const std::string blue_before = blue().Scalar(kCatalog);
  const std::string green_before = green().Scalar(kCatalog);
  ASSERT_EQ(db_.Pgteal({"run", "--copy", "none", "--until-caught-up"})->WaitExit(), 0);
  const auto nowhere = db_.PgtealVia("", "host=127.0.0.1 port=1 dbname=gone", {"cleanup"});
  EXPECT_EQ(nowhere->WaitExit(), 1);
  const auto blue_only =
      db_.PgtealVia("", "host=127.0.0.1 port=1 dbname=gone", {"cleanup", "--only", "blue"});
  EXPECT_EQ(blue_only->WaitExit(), 0) << blue_only->Log();
  EXPECT_NE(blue_only->Stdout().find("removed slot pgteal on blue"), std::string::npos);
  EXPECT_EQ(blue().Scalar(kCatalog), blue_before);
  EXPECT_NE(green().Scalar(kCatalog), green_before);
  EXPECT_EQ(db_.Pgteal({"cleanup", "--only", "green", "--name", "other"})->WaitExit(), 3);
  const auto green_only =
      db_.PgtealVia("host=127.0.0.1 port=1 dbname=gone", "", {"cleanup", "--only", "green"});
  EXPECT_EQ(green_only->WaitExit(), 0) << green_only->Log();
  EXPECT_EQ(green().Scalar(kCatalog), green_before);
}

TEST_F(CleanupTest, OneSideIsNotCleanedWhileOnlyTheOtherKnowsWhoTakesTheWrites) {
  ExecBoth("CREATE TABLE t (id int PRIMARY KEY)");
  const auto run = db_.Pgteal({"run", "--copy", "none"});
  ASSERT_TRUE(run->WaitForLog("streaming slot="));
  // A run that lives would settle it.
  const auto killed =
      db_.Pgteal({"switchover", "--hook",
                  "test \"$PGTEAL_PHASE\" != arm || kill -9 $PPID " + std::to_string(run->pid())});
  EXPECT_EQ(killed->WaitExit(), 128 + 9) << killed->Log();
  run->WaitExit();
  for (const auto* side : {"blue", "green"}) {
    const auto refused = db_.Pgteal({"cleanup", "--only", side});
    EXPECT_EQ(refused->WaitExit(), 3);
    EXPECT_NE(refused->Log().find("was left unfinished"), std::string::npos) << refused->Log();
  }
  EXPECT_EQ(blue().Scalar("SELECT count(*) FROM pg_replication_slots"), "1");
  EXPECT_EQ(db_.Pgteal({"status"})->WaitExit(), 0);
  EXPECT_EQ(db_.Pgteal({"cleanup"})->WaitExit(), 0);
}

// Only the opened side knows that it was opened, until the closed one has heard of it.
TEST_F(CleanupTest, TheProofThatGreenWasOpenedIsKeptUntilBlueKnows) {
  ExecBoth("CREATE TABLE t (id int PRIMARY KEY)");
  const auto run = db_.Pgteal({"run", "--copy", "none"});
  ASSERT_TRUE(run->WaitForLog("streaming slot="));
  const auto killed = db_.Pgteal(
      {"switchover", "--hook",
       "test \"$PGTEAL_PHASE\" != commit || kill -9 $PPID " + std::to_string(run->pid())});
  EXPECT_EQ(killed->WaitExit(), 128 + 9) << killed->Log();
  run->WaitExit();
  const auto refused = db_.Pgteal({"cleanup", "--only", "green"});
  EXPECT_EQ(refused->WaitExit(), 3);
  EXPECT_NE(refused->Log().find("was left unfinished"), std::string::npos) << refused->Log();
  // Gone in another way: nobody can tell, so nothing is opened.
  const std::string proof = "DELETE FROM pgteal.turn";
  green().Exec("BEGIN; CREATE TABLE kept AS SELECT * FROM pgteal.turn; " + proof + "; COMMIT");
  const auto unknown = db_.Pgteal({"status"});
  unknown->WaitExit();
  EXPECT_NE(unknown->Log().find("has nothing of it on record"), std::string::npos)
      << unknown->Log();
  EXPECT_EQ(blue().Scalar("SELECT phase FROM pgteal.turn"), "committing");
  EXPECT_NE(blue().Scalar("SELECT count(*) FROM pgteal.fence"), "0");
  green().Exec("INSERT INTO pgteal.turn SELECT * FROM kept; DROP TABLE kept");
  EXPECT_EQ(db_.Pgteal({"status"})->WaitExit(), 0);
  EXPECT_EQ(blue().Scalar("SELECT epoch || coalesce(phase, '') FROM pgteal.turn"), "1");
  const auto cleaned = db_.Pgteal({"cleanup", "--only", "green"});
  EXPECT_EQ(cleaned->WaitExit(), 0) << cleaned->Log();
  EXPECT_EQ(db_.Pgteal({"cleanup", "--only", "blue"})->WaitExit(), 0);
}

TEST_F(CleanupTest, ANameThatNobodyBearsIsRefusedAndAnotherDeploymentKeepsWhatIsItsOwn) {
  ExecBoth("CREATE TABLE bare (v int)");
  const std::string before = blue().Scalar(kCatalog);
  ASSERT_EQ(db_.Pgteal({"run", "--copy", "none", "--set-replica-identity", "--until-caught-up",
                        "--ddl-guard", "event-trigger"})
                ->WaitExit(),
            0);
  const std::string living = blue().Scalar(kCatalog);
  auto unknown = db_.Pgteal({"cleanup", "--name", "nosuch"});
  EXPECT_EQ(unknown->WaitExit(), 3);
  EXPECT_NE(unknown->Log().find("no deployment nosuch"), std::string::npos);
  EXPECT_NE(unknown->Log().find("--name is one of: pgteal."), std::string::npos);
  EXPECT_EQ(blue().Scalar(kCatalog), living);

  ASSERT_EQ(db_.Pgteal({"prepare", "--name", "second"})->WaitExit(), 0);
  auto second = db_.Pgteal({"cleanup", "--name", "second"});
  EXPECT_EQ(second->WaitExit(), 0) << second->Log();
  EXPECT_EQ(second->Stdout().find("removed schema"), std::string::npos) << second->Stdout();
  EXPECT_EQ(blue().Scalar(kCatalog), living);

  ASSERT_EQ(db_.Pgteal({"cleanup"})->WaitExit(), 0);
  EXPECT_EQ(blue().Scalar(kCatalog), before);
}

TEST_F(CleanupTest, GreenStaysReadOnlyForTheLastOfTwoDeployments) {
  ExecBoth("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)");
  const std::string before = green().Scalar(kCatalog);
  const auto write = [this] { return Sql(db_.GreenInfo()).Failure("INSERT INTO a VALUES (1)"); };
  const std::vector<std::string> names = {"pgteal", "second"};
  for (const size_t first : {0, 1}) {
    for (const auto& name : names) {
      auto run = db_.Pgteal({"run", "--copy", "none", "--until-caught-up", "--name", name,
                             "--include-table", name == "second" ? "b" : "a"});
      ASSERT_EQ(run->WaitExit(), 0) << run->Log();
    }
    ASSERT_EQ(db_.Pgteal({"cleanup", "--name", names[first]})->WaitExit(), 0);
    EXPECT_EQ(write(), "25006") << names[first] << " was cleaned up";
    ASSERT_EQ(db_.Pgteal({"cleanup", "--name", names[1 - first]})->WaitExit(), 0);
    EXPECT_EQ(green().Scalar(kCatalog), before);
  }
  EXPECT_EQ(write(), "");
}

TEST_F(CleanupTest, APublicationOfAllTablesIsNotInTheWay) {
  ExecBoth("CREATE TABLE bare (v int)");
  blue().Exec("CREATE PUBLICATION debezium FOR ALL TABLES");
  const std::string before = blue().Scalar(kCatalog);
  ASSERT_EQ(db_.Pgteal({"run", "--copy", "none", "--set-replica-identity", "--until-caught-up"})
                ->WaitExit(),
            0);
  EXPECT_EQ(blue().Scalar("SELECT count(*) FROM pg_class AS c WHERE relkind = 'r'"
                          " AND relnamespace = 'pgteal'::regnamespace AND NOT EXISTS (SELECT FROM"
                          " pg_index WHERE indrelid = c.oid AND indisprimary)"),
            "0");
  // As an older pgteal made it.
  blue().Exec("ALTER TABLE pgteal.schema_baseline DROP COLUMN id");
  auto cleanup = db_.Pgteal({"cleanup"});
  EXPECT_EQ(cleanup->WaitExit(), 0) << cleanup->Log();
  // It would make blue's own UPDATE fail without the identity, which stays.
  blue().Exec("UPDATE bare SET v = 1; ALTER TABLE bare REPLICA IDENTITY DEFAULT");
  EXPECT_EQ(blue().Scalar(kCatalog), before);
}

TEST_F(CleanupTest, AnotherDatabaseOfTheServerKeepsItsSlotAndItsOrigins) {
  ExecBoth("CREATE TABLE t (id int PRIMARY KEY)");
  ASSERT_EQ(db_.Pgteal({"run", "--copy", "none", "--until-caught-up"})->WaitExit(), 0);
  const DatabasePair other(db_.clusters());
  const std::string blue_before = blue().Scalar(kCatalog);
  const std::string green_before = green().Scalar(kCatalog);
  const auto refused = [&](const std::string& blue_info, const std::string& green_info,
                           std::vector<std::string> only) {
    only.insert(only.begin(), "cleanup");
    const auto cleanup = db_.PgtealVia(blue_info, green_info, only);
    EXPECT_EQ(cleanup->WaitExit(), 3) << cleanup->Stdout();
    EXPECT_NE(cleanup->Log().find("slot pgteal of blue belongs to database " + db_.name()),
              std::string::npos)
        << cleanup->Log();
  };
  refused(other.BlueInfo(), "", {"--only", "blue"});
  refused(other.BlueInfo(), other.GreenInfo(), {});
  refused(other.BlueInfo(), "", {});
  const auto nothing = db_.PgtealVia("", other.GreenInfo(), {"cleanup", "--only", "green"});
  EXPECT_EQ(nothing->WaitExit(), 0);
  EXPECT_NE(nothing->Stdout().find("nothing to remove"), std::string::npos) << nothing->Stdout();
  EXPECT_EQ(blue().Scalar(kCatalog), blue_before);
  EXPECT_EQ(green().Scalar(kCatalog), green_before);
}

// Origins belong to the server: a like-named deployment of another database has some, too.
TEST_F(CleanupTest, OriginsOfThisDatabaseGoAndThoseOfAnotherStay) {
  ExecBoth("CREATE TABLE t (id int PRIMARY KEY)");
  ASSERT_EQ(db_.Pgteal({"run", "--copy", "none", "--until-caught-up"})->WaitExit(), 0);
  green().Exec(
      "SELECT pg_replication_origin_create(format('pgteal_pgteal_%s_%s', oid, lane))"
      " FROM pg_database, generate_series(7, 8) AS lane"
      " WHERE datname IN (current_database(), 'postgres')");
  ASSERT_EQ(db_.Pgteal({"cleanup"})->WaitExit(), 0);
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM pg_replication_origin WHERE roname ~ '_[78]$'"
                           " AND roname ~ (SELECT '_' || oid || '_' FROM pg_database"
                           " WHERE datname = current_database())"),
            "0");
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM pg_replication_origin WHERE roname ~ '_[78]$'"),
            "2");
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM pg_replication_origin"
                           " WHERE roname ~ '^pgteal_pgteal_[0-9]+$'"),
            "0");
}

TEST_F(CleanupTest, AnotherToolKeepsItsSlotAndItsPublication) {
  ExecBoth("CREATE TABLE t (id int PRIMARY KEY)");
  blue().Exec("CREATE PUBLICATION debezium FOR ALL TABLES");
  blue().Exec(
      "SELECT pg_create_logical_replication_slot('debezium', 'pgoutput');"
      "SELECT pg_create_logical_replication_slot('decoding', 'test_decoding');"
      "SELECT pg_create_physical_replication_slot('standby')");
  const std::string before = blue().Scalar(kCatalog);
  const auto refused = [this](const std::string& name, const std::string& why) {
    for (const auto& side : {"", "blue"}) {
      std::vector<std::string> args = {"cleanup", "--name", name};
      if (*side != '\0') args.insert(args.end(), {"--only", side});
      const auto cleanup = db_.Pgteal(args);
      EXPECT_EQ(cleanup->WaitExit(), 3) << cleanup->Stdout();
      EXPECT_NE(cleanup->Log().find(why), std::string::npos) << cleanup->Log();
    }
  };
  refused("debezium", "DROP PUBLICATION \"debezium\";");
  refused("decoding", "slot decoding of blue is one of test_decoding");
  refused("standby", "slot standby of blue is a physical one");
  EXPECT_EQ(blue().Scalar(kCatalog), before);
  blue().Exec("SELECT pg_drop_replication_slot('standby')");
}

TEST_F(CleanupTest, WhatABeginningLeftIsRemovedThoughNothingIsOnRecord) {
  ExecBoth("CREATE TABLE t (id int PRIMARY KEY)");
  const std::string before = blue().Scalar(kCatalog);
  const auto only_blue = std::vector<std::string>{"cleanup", "--only", "blue"};
  const auto both = std::vector<std::string>{"cleanup"};
  for (const auto& args : {only_blue, both}) {
    ASSERT_EQ(db_.Pgteal({"prepare"})->WaitExit(), 0);
    const auto cleanup = db_.Pgteal(args);
    ASSERT_EQ(cleanup->WaitExit(), 0) << cleanup->Log();
    EXPECT_NE(cleanup->Stdout().find("removed slot pgteal on blue"), std::string::npos);
    EXPECT_EQ(blue().Scalar(kCatalog), before);
  }
}

TEST_F(CleanupTest, LeavesNothingAfterThereAndBack) {
  ExecBoth(
      "CREATE TABLE t (id int PRIMARY KEY); CREATE ROLE open LOGIN;"
      "ALTER ROLE open SET default_transaction_read_only = off; ALTER ROLE open SET work_mem = "
      "'5MB'");
  const std::string blue_before = blue().Scalar(kCatalog);
  const std::string green_before = green().Scalar(kCatalog);
  EXPECT_NE(blue_before.find("work_mem=5MB"), std::string::npos);
  auto run = db_.Pgteal({"run", "--copy", "none", "--ddl-guard", "event-trigger"});
  ASSERT_TRUE(run->WaitForLog("streaming slot="));
  for (const std::string verb : {"switchover", "rollback"}) {
    auto turn = db_.Pgteal({verb});
    ASSERT_EQ(turn->WaitExit(), 0) << turn->Log();
  }
  run->Terminate();
  ASSERT_EQ(run->WaitExit(), 130);
  auto cleanup = db_.Pgteal({"cleanup"});
  ASSERT_EQ(cleanup->WaitExit(), 0) << cleanup->Log();
  EXPECT_EQ(blue().Scalar(kCatalog), blue_before);
  EXPECT_EQ(green().Scalar(kCatalog), green_before);
  ExecBoth("DROP ROLE open");
}

TEST_F(CleanupTest, ACaptureSlotThatIsTheSlotOfAnotherDeploymentStays) {
  ExecBoth("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)");
  ASSERT_EQ(db_.Pgteal({"run", "--copy", "none", "--until-caught-up", "--include-table", "a"})
                ->WaitExit(),
            0);
  // As an older pgteal let one be called.
  blue().Exec("CREATE PUBLICATION pgteal_capture FOR TABLE b");
  blue().Exec("SELECT pg_create_logical_replication_slot('pgteal_capture', 'pgoutput')");
  const auto cleanup = db_.Pgteal({"cleanup"});
  EXPECT_EQ(cleanup->WaitExit(), 0) << cleanup->Log();
  EXPECT_EQ(blue().Scalar("SELECT string_agg(slot_name, ' ') FROM pg_replication_slots"
                          " WHERE database = current_database()"),
            "pgteal_capture");
}

TEST_F(CleanupTest, NamesThatWouldMeetTheSlotsOfAnotherDeploymentAreRefused) {
  ExecBoth("CREATE TABLE t (id int PRIMARY KEY)");
  const std::string before = blue().Scalar(kCatalog);
  const std::vector<std::vector<std::string>> beginnings = {
      {"prepare"}, {"run"}, {"run", "--copy", "none"}, {"run", "--copy", "data"}};
  for (const std::string name : {"pgteal_capture", "pgteal_load"}) {
    for (auto args : beginnings) {
      args.insert(args.end(), {"--name", name});
      const auto refused = db_.Pgteal(args);
      EXPECT_EQ(refused->WaitExit(), 2) << refused->Log();
      EXPECT_NE(refused->Log().find("a slot of deployment pgteal"), std::string::npos)
          << refused->Log();
    }
  }
  EXPECT_EQ(blue().Scalar(kCatalog), before);
  // One that an older pgteal began goes on.
  ASSERT_EQ(db_.Pgteal({"run", "--copy", "none", "--until-caught-up"})->WaitExit(), 0);
  blue().Exec("ALTER PUBLICATION pgteal RENAME TO old_load");
  blue().Exec("SELECT pg_copy_logical_replication_slot('pgteal', 'old_load')");
  blue().Exec("SELECT pg_drop_replication_slot('pgteal')");
  green().Exec(
      "UPDATE pgteal.deployment SET name = 'old_load', slot = 'old_load', publication = "
      "'old_load'; UPDATE pgteal.progress SET slot = 'old_load'");
  const std::vector<std::string> again = {"run", "--until-caught-up", "--name", "old_load"};
  const auto run = db_.Pgteal(again);
  EXPECT_EQ(run->WaitExit(), 0) << run->Log();
}

// Nothing tells that the two have to do with pgteal.
TEST_F(CleanupTest, APublicationAndASlotOfOneNameThatAreAnothersKeepNothingOfOurs) {
  ExecBoth("CREATE TABLE bare (v int)");
  blue().Exec("CREATE PUBLICATION other");
  blue().Exec("SELECT pg_create_logical_replication_slot('other', 'pgoutput')");
  const std::string before = blue().Scalar(kCatalog);
  ASSERT_EQ(db_.Pgteal({"run", "--copy", "none", "--set-replica-identity", "--until-caught-up",
                        "--ddl-guard", "event-trigger"})
                ->WaitExit(),
            0);
  const auto cleanup = db_.Pgteal({"cleanup"});
  EXPECT_EQ(cleanup->WaitExit(), 0) << cleanup->Log();
  EXPECT_EQ(blue().Scalar(kCatalog), before);
}

}  // namespace
}  // namespace pgteal::tests
