#include "tools/check/server_bugs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pgteal::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(ServerBugs, ThoseOfAnOldMinorVersionAreNamedWithTheOneThatFixesThem) {
  EXPECT_THAT(KnownServerBugs(150006),
              ElementsAre(HasSubstr("fixed in 15.13"), HasSubstr("fixed in 15.8")));
  EXPECT_THAT(KnownServerBugs(140002), ElementsAre(HasSubstr("14.18"), HasSubstr("14.13"),
                                                   HasSubstr("14.3"), HasSubstr("14.6")));
  EXPECT_THAT(KnownServerBugs(150001), testing::Contains(HasSubstr("column list")));
  EXPECT_THAT(KnownServerBugs(170004), ElementsAre(HasSubstr("changes are lost")));
}

TEST(ServerBugs, AFixThatBroughtABugIsNamedForThatVersionAlone) {
  EXPECT_THAT(KnownServerBugs(160008), ElementsAre(HasSubstr("fixed in 16.9")));
  EXPECT_THAT(KnownServerBugs(160009), ElementsAre(HasSubstr("out of memory")));
  EXPECT_THAT(KnownServerBugs(160010), IsEmpty());
}

TEST(ServerBugs, CurrentVersionsHaveNone) {
  for (const int version : {140019, 150014, 150018, 160014, 170006, 180000, 190000}) {
    EXPECT_THAT(KnownServerBugs(version), IsEmpty()) << version;
  }
}

}  // namespace
}  // namespace pgteal::tools
