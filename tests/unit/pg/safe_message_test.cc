#include "pg/safe_message.h"

#include <gtest/gtest.h>

#include <string>

namespace pgteal::pg {
namespace {

SafeError Of(const std::string& sqlstate, const std::string& context,
             const std::string& source_function = "RangeVarGetRelidExtended") {
  return MakeSafe({.sqlstate = sqlstate,
                   .message = "relation \"secret\" does not exist",
                   .context = context,
                   .source_function = source_function});
}

TEST(SafeMessage, TheServersOwnIsTold) {
  for (const char* context :
       {"", "COPY t, line 1, column v: \"x\"",
        "slot \"pgteal\", output plugin \"pgoutput\", in the startup callback",
        "while updating tuple (0,1) in relation \"t\"",
        "unnamed portal with parameters: $1 = 'PL/pgSQL function f() line 1'",
        "COPY t, line 1: \"\nPL/pgSQL function f() line 1\""}) {
    const auto safe = Of("42P01", context);
    EXPECT_EQ(safe.message, "relation \"secret\" does not exist") << context;
    EXPECT_FALSE(safe.is_of_function) << context;
  }
}

TEST(SafeMessage, OfAFunctionThePlaceIsToldInstead) {
  struct Case {
    const char* context;
    const char* place;
  };
  const Case cases[] = {
      {"PL/pgSQL function f() line 3 at PERFORM", "PL/pgSQL function f() line 3 at PERFORM"},
      {"SQL statement \"SELECT nextval('secret')\"\nPL/pgSQL function f() line 3 at PERFORM",
       "PL/pgSQL function f() line 3 at PERFORM"},
      {"SQL function \"g\" statement 1\nSQL statement \"SELECT g('secret')\"\nPL/pgSQL function "
       "f()",
       "SQL function \"g\" statement 1"},
      // The text of a statement is not a place, whatever its lines begin with.
      {"SQL statement \"SELECT '\nPL/pgSQL function secret\n'\"\nPL/pgSQL function f() line 1",
       "PL/pgSQL function f() line 1"},
      {"PL/pgSQL assignment \"x := 'secret'\"\nPL/pgSQL function f() line 2 at assignment",
       "PL/pgSQL function f() line 2 at assignment"},
      {"PL/Python function \"f\"", "PL/Python function \"f\""},
      {"PL/pgSQL function f() line 1 at EXECUTE\nCOPY t, line 1: \"secret\"",
       "PL/pgSQL function f() line 1 at EXECUTE"},
  };
  for (const auto& one : cases) {
    const auto safe = Of("42P01", one.context);
    EXPECT_EQ(safe.message, std::string("undefined table, raised by ") + one.place);
    EXPECT_TRUE(safe.is_of_function);
  }
}

TEST(SafeMessage, WhatIsRaisedIsKnownInEveryLanguage) {
  EXPECT_EQ(Of("42P01", "PL/pgSQL-Funktion f() Zeile 3 bei RAISE\nx", "exec_stmt_raise").message,
            "undefined table, raised by PL/pgSQL-Funktion f() Zeile 3 bei RAISE");
}

TEST(SafeMessage, OfAContextThatIsNotKnownOnlyTheConditionIsTold) {
  for (const char* context : {"SQL statement \"SELECT 'secret'\"", "fonction SQL « secret »",
                              "SQL-Anweisung »SELECT secret«"}) {
    EXPECT_EQ(Of("42P01", context).message, "undefined table");
    EXPECT_TRUE(Of("42P01", context).is_of_function);
  }
  for (const char* sqlstate : {"38000", "39004", "P0001"}) {
    EXPECT_EQ(Of(sqlstate, "").message.find("secret"), std::string::npos);
    EXPECT_TRUE(Of(sqlstate, "").is_of_function);
  }
}

}  // namespace
}  // namespace pgteal::pg
