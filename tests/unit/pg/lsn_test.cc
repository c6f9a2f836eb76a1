#include "pg/lsn.h"

#include <gtest/gtest.h>

namespace pgteal::pg {
namespace {

TEST(Lsn, ReadsWhatServersPrint) {
  struct Case {
    const char* text;
    uint64_t value;
  };
  const Case cases[] = {
      {"0/0", 0},
      {"0/1", 1},
      {"16/B374D848", 0x16B374D848},
      {"16/b374d848", 0x16B374D848},
      {"1/0", uint64_t{1} << 32},
      {"00000016/0374D848", 0x160374D848},
      {"16/0374D848", 0x160374D848},
      {"FFFFFFFF/FFFFFFFF", UINT64_MAX},
  };
  for (const auto& c : cases) {
    const auto lsn = Lsn::Parse(c.text);
    ASSERT_TRUE(lsn) << c.text;
    EXPECT_EQ(lsn->value, c.value) << c.text;
  }
}

TEST(Lsn, RefusesEverythingElse) {
  for (const char* text : {"", "/", "0", "1/", "/1", "0x1/2", "1/0x2", "-1/2", "+1/2", "1/2 ",
                           " 1/2", "1/2/3", "123456789/0", "0/123456789", "G/1", "1/G", "1.5/2"}) {
    EXPECT_FALSE(Lsn::Parse(text)) << text;
  }
}

TEST(Lsn, PrintsWhatItReads) {
  for (const char* text : {"0/0", "0/1", "16/B374D848", "1/0", "FFFFFFFF/FFFFFFFF"}) {
    EXPECT_EQ(Lsn::Parse(text)->ToString(), text);
    EXPECT_EQ(fmt::format("{}", *Lsn::Parse(text)), text);
  }
  EXPECT_EQ(Lsn::Parse("16/0374D848")->ToString(), "16/374D848");
}

TEST(Lsn, IsOrderedWithoutSign) {
  EXPECT_LT((Lsn{1}), (Lsn{UINT64_MAX}));
  EXPECT_LT(*Lsn::Parse("0/FFFFFFFF"), *Lsn::Parse("1/0"));
  EXPECT_FALSE(Lsn{}.is_valid());
  EXPECT_TRUE(Lsn{1}.is_valid());
}

TEST(Lsn, BytesBetweenIsNeverNegative) {
  EXPECT_EQ(BytesBetween({10}, {25}), 15U);
  EXPECT_EQ(BytesBetween({25}, {10}), 0U);
  EXPECT_EQ(BytesBetween({7}, {7}), 0U);
}

}  // namespace
}  // namespace pgteal::pg
