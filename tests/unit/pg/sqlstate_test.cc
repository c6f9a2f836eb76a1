#include "pg/sqlstate.h"

#include <gtest/gtest.h>

#include <string>

namespace pgteal::pg {
namespace {

TEST(Sqlstate, TransientConditionsAreRetriedAndDefiniteOnesStop) {
  struct Case {
    const char* sqlstate;
    Verdict verdict;
  };
  const Case cases[] = {
      {"08006", Verdict::kRetry},  // connection failure
      {"40001", Verdict::kRetry},  // serialization failure
      {"40P01", Verdict::kRetry},  // deadlock detected
      {"53100", Verdict::kRetry},  // disk full
      {"53300", Verdict::kRetry},  // too many connections
      {"53400", Verdict::kRetry},  // configuration limit exceeded
      {"55006", Verdict::kRetry},  // object in use
      {"55P03", Verdict::kRetry},  // lock not available
      {"57014", Verdict::kRetry},  // query canceled
      {"57P01", Verdict::kRetry},  // admin shutdown
      {"57P02", Verdict::kRetry},  // crash shutdown
      {"57P03", Verdict::kRetry},  // cannot connect now
      {"XX000", Verdict::kRetry},  // internal error
      {"0A000", Verdict::kStop},   // feature not supported
      {"22001", Verdict::kStop},   // value too long
      {"22P02", Verdict::kStop},   // invalid text representation
      {"23505", Verdict::kStop},   // unique violation
      {"23503", Verdict::kStop},   // foreign key violation
      {"25006", Verdict::kStop},   // read-only transaction
      {"28P01", Verdict::kStop},   // invalid password
      {"38000", Verdict::kStop},   // a function in another language
      {"3D000", Verdict::kStop},   // no such database
      {"42501", Verdict::kStop},   // insufficient privilege
      {"42601", Verdict::kStop},   // syntax error, by its class
      {"42P01", Verdict::kStop},   // undefined table
      {"54000", Verdict::kStop},   // program limit exceeded
      {"55000", Verdict::kStop},   // object not in prerequisite state
      {"57P04", Verdict::kStop},   // database dropped
      {"P0001", Verdict::kStop},   // raise exception
      {"XX001", Verdict::kStop},   // data corrupted
      {"ZZ999", Verdict::kRetry},  // unknown to us
      {"", Verdict::kRetry},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(Judge(c.sqlstate).verdict, c.verdict) << c.sqlstate;
    EXPECT_FALSE(Judge(c.sqlstate).name.empty()) << c.sqlstate;
  }
}

TEST(Sqlstate, OfAFunctionOnlyWhatPassesByItselfIsRetried) {
  for (const char* sqlstate :
       {"08006", "40001", "40P01", "53100", "55P03", "57014", "57P01", "58030", "XX000"}) {
    EXPECT_EQ(JudgeOfFunction(sqlstate).verdict, Verdict::kRetry) << sqlstate;
    EXPECT_EQ(JudgeOfFunction(sqlstate).hint, Judge(sqlstate).hint) << sqlstate;
  }
  for (const char* sqlstate : {"23505", "42703", "42P01", "54000", "55000", "55006", "58P01",
                               "P0001", "XX001", "ZZ999", ""}) {
    EXPECT_EQ(JudgeOfFunction(sqlstate).verdict, Verdict::kStop) << sqlstate;
    EXPECT_EQ(JudgeOfFunction(sqlstate).name, Judge(sqlstate).name) << sqlstate;
    EXPECT_EQ(JudgeOfFunction(sqlstate).hint, Judge("P0001").hint) << sqlstate;
  }
}

TEST(Sqlstate, TheExactConditionBeatsItsClass) {
  EXPECT_EQ(Judge("23505").name, "unique violation");
  EXPECT_EQ(Judge("23999").name, "integrity constraint violation");
}

TEST(Sqlstate, HintsAreSentences) {
  for (const char* sqlstate :
       {"22001", "23505", "25006", "28P01", "42501", "42P01", "53", "53400", "3D000"}) {
    const std::string hint(Judge(sqlstate).hint);
    ASSERT_FALSE(hint.empty()) << sqlstate;
    EXPECT_TRUE(hint.ends_with(".")) << hint;
    EXPECT_TRUE(hint.front() >= 'A' && hint.front() <= 'Z') << hint;
  }
}

TEST(Sqlstate, DataExceptionsAndViolationsMayQuoteValues) {
  for (const char* sqlstate : {"21000", "22001", "22P02", "23505", "23514"}) {
    EXPECT_TRUE(MessageMayHoldValues(sqlstate)) << sqlstate;
  }
  for (const char* sqlstate : {"40P01", "42P01", "57P01", "53100"}) {
    EXPECT_FALSE(MessageMayHoldValues(sqlstate)) << sqlstate;
  }
}

}  // namespace
}  // namespace pgteal::pg
