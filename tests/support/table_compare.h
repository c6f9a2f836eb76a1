#ifndef PGTEAL_TESTS_SUPPORT_TABLE_COMPARE_H_
#define PGTEAL_TESTS_SUPPORT_TABLE_COMPARE_H_

#include <gtest/gtest.h>

#include <string>

namespace pgteal::tests {

// The oracle of every end-to-end test: does each user table of blue hold the same rows, as a
// multiset, on green? Rows are compared by the text of blue's columns in blue's order, under
// settings pinned for both sides. Names the tables that differ, their counts and a few rows.
testing::AssertionResult CompareTables(const std::string& blue_conninfo,
                                       const std::string& green_conninfo);

}  // namespace pgteal::tests

#endif  // PGTEAL_TESTS_SUPPORT_TABLE_COMPARE_H_
