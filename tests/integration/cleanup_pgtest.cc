#include <gtest/gtest.h>

#include <string>

#include "tests/support/cluster_pair.h"

namespace pgteal::tests {
namespace {

// What a deployment could leave behind, as text.
constexpr const char* kBlueCatalog =
    "SELECT (SELECT count(*) FROM pg_replication_slots WHERE database = current_database()) || ' '"
    " || (SELECT count(*) FROM pg_publication) || ' ' || (SELECT count(*) FROM pg_class)"
    " || ' ' || (SELECT count(*) FROM pg_namespace)";
constexpr const char* kGreenCatalog =
    "SELECT (SELECT count(*) FROM pg_replication_origin) || ' ' || (SELECT count(*) FROM pg_class)"
    " || ' ' || (SELECT count(*) FROM pg_namespace) || ' ' || (SELECT count(*) FROM pg_proc)"
    " || ' ' || (SELECT count(*) FROM pg_db_role_setting AS s JOIN pg_database AS d"
    " ON d.oid = s.setdatabase WHERE d.datname = current_database())";

class CleanupTest : public PairTest {};

TEST_F(CleanupTest, LeavesBothCatalogsAsTheyWere) {
  ExecBoth("CREATE TABLE t (id int PRIMARY KEY)");
  const std::string blue_before = blue().Scalar(kBlueCatalog);
  const std::string green_before = green().Scalar(kGreenCatalog);
  blue().Exec("INSERT INTO t VALUES (1)");
  auto run = db_.Pgteal({"run", "--copy", "none"});
  ASSERT_TRUE(run->WaitForLog("streaming"));
  blue().Exec("INSERT INTO t VALUES (2)");
  ASSERT_TRUE(db_.WaitCaughtUp());
  EXPECT_NE(green().Scalar(kGreenCatalog), green_before);

  auto refused = db_.Pgteal({"cleanup"});
  EXPECT_EQ(refused->WaitExit(), 3);
  EXPECT_NE(refused->Log().find("in use"), std::string::npos);

  run->Terminate();
  ASSERT_EQ(run->WaitExit(), 130);
  auto cleanup = db_.Pgteal({"cleanup"});
  ASSERT_EQ(cleanup->WaitExit(), 0);
  EXPECT_NE(cleanup->Stdout().find("removed schema pgteal"), std::string::npos);
  EXPECT_EQ(blue().Scalar(kBlueCatalog), blue_before);
  EXPECT_EQ(green().Scalar(kGreenCatalog), green_before);

  auto again = db_.Pgteal({"cleanup"});
  ASSERT_EQ(again->WaitExit(), 0);
  EXPECT_NE(again->Stdout().find("nothing to remove"), std::string::npos);
}

}  // namespace
}  // namespace pgteal::tests
