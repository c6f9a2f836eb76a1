#include "tests/integration/stream_test.h"
#include "tests/support/gate.h"

namespace pgteal::tests {
namespace {

using testing::HasSubstr;

class GarbageTest : public StreamTest {};

struct Damage {
  const char* name;
  std::string from;
  std::string to;
  const char* says;
};

// A stream that does not follow the protocol ends the process: the same bytes would come again.
// What it says names the place, and once the stream is sound again nothing is missing.
TEST_F(GarbageTest, AStreamThatBreaksTheProtocolStopsWithItsPlaceAndLosesNothing) {
  using std::string_literals::operator""s;
  const Damage damages[] = {
      {"replica identity", "broken_table\0d"s, "broken_table\0Z"s, "replica identity"},
      {"column count", "broken_table\0d\0\2"s, "broken_table\0d\0\1"s, "lsn"},
      {"value kind", "t\0\0\0\006marker"s, "X\0\0\0\006marker"s, "lsn"},
      {"value length", "t\0\0\0\006marker"s, "t\0\0\1\006marker"s, "lsn"},
  };
  ExecBoth("CREATE TABLE broken_table (id int PRIMARY KEY, v text)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  int id = 0;
  for (const Damage& damage : damages) {
    SCOPED_TRACE(damage.name);
    blue().Exec("INSERT INTO broken_table VALUES (" + std::to_string(++id) + ", 'marker')");
    Gate gate(db_.clusters().blue());
    gate.Corrupt(damage.from, damage.to);
    EXPECT_EQ(RunVia(gate.ConnInfo(db_.name()), "", {"--binary", "off"}), 1);
    EXPECT_THAT(Log(), HasSubstr(damage.says));
    EXPECT_THAT(Log(), HasSubstr("lsn"));
    EXPECT_THAT(Log(), HasSubstr("hint: Nothing was lost"));
    EXPECT_EQ(Log().find("marker"), std::string::npos);
    ASSERT_NO_FATAL_FAILURE(ExpectApplied({"--binary", "off"}));
  }
}

}  // namespace
}  // namespace pgteal::tests
