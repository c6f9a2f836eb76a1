#include "pipeline/source_identity.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "pg/error.h"

namespace pgteal::pipeline {
namespace {

std::pair<std::string, std::string> RefusalOf(const pg::Slot& slot,
                                              const applier::SideNames& sides) {
  try {
    RequireKeptSlot(slot, sides);
  } catch (const pg::Refused& refused) {
    return {refused.what(), refused.hint()};
  }
  return {};
}

// The setting that keeps the next slot is one of the server that had this one.
TEST(SourceIdentity, ALostSlotIsOfTheSideThatSends) {
  pg::Slot slot;
  slot.name = "green";
  slot.wal_status = "lost";
  const auto [text, hint] = RefusalOf(slot, applier::SideNamesAt(0));
  EXPECT_EQ(text, "slot green was invalidated by blue (wal_removed): what green needs is gone");
  EXPECT_EQ(hint, "Raise max_slot_wal_keep_size on blue, run `pgteal cleanup` and begin anew.");
  slot.invalidation_reason = "wal_level_insufficient";
  const auto [back, back_hint] = RefusalOf(slot, applier::SideNamesAt(1));
  EXPECT_EQ(back,
            "slot green was invalidated by green (wal_level_insufficient): what blue needs is"
            " gone");
  EXPECT_EQ(back_hint,
            "Set wal_level = logical on green's primary, run `pgteal cleanup` and begin anew.");
}

TEST(SourceIdentity, AKeptSlotIsNone) {
  pg::Slot slot;
  slot.wal_status = "reserved";
  EXPECT_EQ(RefusalOf(slot, {}).first, "");
}

}  // namespace
}  // namespace pgteal::pipeline
