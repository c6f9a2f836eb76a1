#include "pg/error.h"

#include <gtest/gtest.h>

#include <string>

namespace pgteal::pg {
namespace {

TEST(Error, ContextIsAddedBehindTheMessage) {
  Error error("it failed", "Do this.");
  error.AddContext("relation public.t");
  error.AddContext("xid 7");
  EXPECT_STREQ(error.what(), "it failed, relation public.t, xid 7");
  EXPECT_EQ(error.hint(), "Do this.");
}

TEST(ServerError, TextOfAConstraintViolationHoldsNoValue) {
  const ServerError error({.sqlstate = "23505",
                           .message = "duplicate key (id)=(secret)",
                           .schema = "public",
                           .table = "t",
                           .column = "",
                           .constraint = "t_pkey"});
  EXPECT_STREQ(error.what(),
               "unique violation, relation public.t, constraint t_pkey (SQLSTATE 23505)");
  EXPECT_TRUE(error.is_constraint_violation());
  EXPECT_NE(error.hint(), "");
}

TEST(ServerError, TextOfADataExceptionHoldsNoValue) {
  for (const char* sqlstate : {"22P02", "22001", "22003", "22007", "22999", "21000", "23514"}) {
    const ServerError error({.sqlstate = sqlstate,
                             .message = "invalid input syntax for type integer: \"secret\"",
                             .schema = "",
                             .table = "",
                             .column = "",
                             .constraint = ""});
    EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find(sqlstate), std::string::npos) << error.what();
  }
}

TEST(ServerError, OtherMessagesAreTheServersOwn) {
  const ServerError error({.sqlstate = "42P01",
                           .message = "relation \"t\" does not exist",
                           .schema = "",
                           .table = "",
                           .column = "",
                           .constraint = ""});
  EXPECT_STREQ(error.what(), "relation \"t\" does not exist (SQLSTATE 42P01)");
  EXPECT_FALSE(error.is_constraint_violation());
}

TEST(Error, ACommitInDoubtIsALostConnection) {
  EXPECT_THROW(throw CommitInDoubt("lost"), ConnectionLost);
}

}  // namespace
}  // namespace pgteal::pg
