#include "pipeline/database_properties.h"

#include <gtest/gtest.h>

namespace pgteal::pipeline {
namespace {

TEST(DatabaseProperties, ValuesOfSettingsAreLiteralsAndListsOfNamesAreTakenApart) {
  EXPECT_EQ(SettingValueSql("work_mem", "8MB"), "'8MB'");
  EXPECT_EQ(SettingValueSql("app.note", "a, \"b\""), "'a, \"b\"'");
  EXPECT_EQ(SettingValueSql("search_path", "\"$user\", public"), "'$user', 'public'");
  EXPECT_EQ(SettingValueSql("search_path", "\"\""), "''");
  EXPECT_EQ(SettingValueSql("search_path", "\"a, \"\"b\"\" c\",d"), "'a, \"b\" c', 'd'");
}

}  // namespace
}  // namespace pgteal::pipeline
