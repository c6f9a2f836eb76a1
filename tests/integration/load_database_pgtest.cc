#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/cluster_pair.h"
#include "tests/support/wait.h"

namespace pgteal::tests {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

// What belongs to the database itself.
class LoadDatabase : public PairTest {
 protected:
  LoadDatabase() {
    ExecBoth("CREATE ROLE " + role_);
    blue().Exec("CREATE ROLE " + absent_);
    const std::string alter = "ALTER DATABASE " + db_.name();
    blue().Exec("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1);" + alter +
                " SET search_path = 'odd, one', \"$user\", public;" + alter +
                " SET app.greeting = 'it''s \"me\"';" + alter + " SET work_mem = '5MB';" + alter +
                " SET default_transaction_read_only = off;" + "ALTER ROLE " + role_ +
                " IN DATABASE " + db_.name() + " SET statement_timeout = '7s';" + "ALTER ROLE " +
                absent_ + " IN DATABASE " + db_.name() + " SET work_mem = '6MB';" +
                "COMMENT ON DATABASE " + db_.name() + " IS 'it''s ours';" +
                "REVOKE ALL ON DATABASE " + db_.name() + " FROM PUBLIC;" +
                "GRANT CONNECT ON DATABASE " + db_.name() + " TO " + role_ + ";" +
                "GRANT CREATE ON DATABASE " + db_.name() + " TO " + role_ + " WITH GRANT OPTION;" +
                "GRANT TEMPORARY ON DATABASE " + db_.name() + " TO " + absent_);
  }
  ~LoadDatabase() override {
    for (Sql* side : {&blue(), &green()}) {
      side->Exec("REVOKE ALL ON DATABASE " + db_.name() + " FROM " + role_ + ";DROP ROLE " + role_);
    }
    blue().Exec("REVOKE ALL ON DATABASE " + db_.name() + " FROM " + absent_ + ";DROP ROLE " +
                absent_);
  }
  std::string Settings(Sql& sql) {
    return sql.Scalar(
        "SELECT string_agg(format('%s %s', s.setrole::regrole, c), '; ' ORDER BY s.setrole <> 0, c)"
        " FROM pg_db_role_setting AS s CROSS JOIN unnest(s.setconfig) AS c WHERE s.setdatabase ="
        " (SELECT oid FROM pg_database WHERE datname = current_database())"
        " AND c NOT LIKE 'default_transaction_read_only%' AND s.setrole::regrole::text <> '" +
        absent_ + "'");
  }
  std::string Privileges(Sql& sql) {
    return sql.Scalar(
        "SELECT string_agg(format('%s %s %s', a.grantee::regrole, a.privilege_type,"
        " a.is_grantable), '; ' ORDER BY a.grantee::regrole::text, 1)"
        " FROM pg_database, aclexplode(datacl) AS a WHERE datname = current_database()"
        " AND a.grantee::regrole::text <> '" +
        absent_ + "'");
  }

  const std::string role_ = "member_" + db_.name();
  const std::string absent_ = "absent_" + db_.name();
};

TEST_F(LoadDatabase, SettingsCommentAndPrivilegesComeAlongAndTheRestIsNamed) {
  const auto run = db_.Pgteal({"run"});
  ASSERT_TRUE(run->WaitForLog("sequences set", seconds(60)));
  EXPECT_EQ(Settings(blue()), Settings(green()));
  EXPECT_THAT(Settings(green()), HasSubstr("search_path=\"odd, one\", \"$user\", public"));
  EXPECT_EQ(Privileges(blue()), Privileges(green()));
  EXPECT_EQ(green().Scalar("SELECT shobj_description(oid, 'pg_database') FROM pg_database"
                           " WHERE datname = current_database()"),
            "it's ours");
  EXPECT_THAT(run->Log(), HasSubstr("not copied: GRANT TEMPORARY ON DATABASE"));
  EXPECT_THAT(run->Log(), HasSubstr("not copied: ALTER ROLE \"" + absent_ + "\" IN DATABASE"));
  // Blue's would have opened green.
  EXPECT_THAT(run->Log(),
              HasSubstr("SET \"default_transaction_read_only\": it keeps green closed"));
  EXPECT_EQ(db_.clusters().green().Connect(db_.name()).Failure("INSERT INTO t VALUES (2)"),
            "25006");
  blue().Exec("INSERT INTO public.t VALUES (3)");
  ExpectCaughtUpAndEqual();
}

TEST_F(LoadDatabase, PrivilegesAreLeftOutOnRequest) {
  const std::string before = green().Scalar(
      "SELECT coalesce(datacl::text, 'none') FROM pg_database WHERE datname = current_database()");
  const auto run = db_.Pgteal({"run", "--no-privileges"});
  ASSERT_TRUE(run->WaitForLog("sequences set", seconds(60)));
  EXPECT_EQ(green().Scalar("SELECT coalesce(datacl::text, 'none') FROM pg_database"
                           " WHERE datname = current_database()"),
            before);
  EXPECT_EQ(Settings(blue()), Settings(green()));
  EXPECT_THAT(run->Log(), Not(HasSubstr("GRANT")));
}

}  // namespace
}  // namespace pgteal::tests
