#include "applier/transport_scan.h"

#include <gtest/gtest.h>

#include "applier/errors.h"
#include "tests/unit/applier/change_maker.h"

namespace pgteal::applier {
namespace {

using tests::BinaryCell;
using tests::Cells;
using tests::kNull;

class TransportScanTest : public testing::Test {
 protected:
  TransportScan ScanOf(const std::vector<Cells>& rows) {
    TransportScan scan(*target_);
    for (const auto& row : rows) scan.Look(maker_.Row(row).values, both_);
    return scan;
  }

  const ColumnList both_ = {0, 1};
  std::shared_ptr<TargetRelation> target_ = tests::MakeTarget(1, "t", {{"id", true}, {"v"}});
  tests::ChangeMaker maker_;
};

TEST_F(TransportScanTest, TextTravelsAsText) {
  const auto scan = ScanOf({{"1", "a"}, {"2", kNull}});
  EXPECT_TRUE(scan.FitsArrays(both_));
  EXPECT_TRUE(scan.IsAllText(both_));
  EXPECT_FALSE(scan.FitsCopyBinary(both_));
  EXPECT_EQ(scan.transports(), (std::vector<Transport>{Transport::kText, Transport::kText}));
}

TEST_F(TransportScanTest, BinaryTravelsAsBinary) {
  const auto scan = ScanOf({{BinaryCell("1"), kNull}, {BinaryCell("2"), BinaryCell("a")}});
  EXPECT_TRUE(scan.FitsArrays(both_));
  EXPECT_FALSE(scan.IsAllText(both_));
  EXPECT_TRUE(scan.FitsCopyBinary(both_));
  EXPECT_EQ(scan.transports(), (std::vector<Transport>{Transport::kBinary, Transport::kBinary}));
}

TEST_F(TransportScanTest, NullsAloneFitEverything) {
  const auto scan = ScanOf({{kNull, kNull}});
  EXPECT_TRUE(scan.FitsArrays(both_));
  EXPECT_TRUE(scan.IsAllText(both_));
  EXPECT_TRUE(scan.FitsCopyBinary(both_));
}

TEST_F(TransportScanTest, AColumnWithBothFormsGoesRowByRow) {
  const auto scan = ScanOf({{"1", "a"}, {BinaryCell("2"), "b"}});
  EXPECT_FALSE(scan.FitsArrays(both_));
  EXPECT_TRUE(scan.FitsArrays({1})) << "the other column does not mind";
  EXPECT_FALSE(scan.FitsCopyBinary(both_));
}

TEST_F(TransportScanTest, ABinaryArrayWouldBeFlattened) {
  target_->columns[1].is_array = true;
  EXPECT_FALSE(ScanOf({{"1", BinaryCell("a")}}).FitsArrays(both_));
  EXPECT_TRUE(ScanOf({{"1", "{a}"}}).FitsArrays(both_));
}

TEST_F(TransportScanTest, CopyBinaryKnowsNoCasts) {
  target_->columns[1].binary_type = {23};
  const auto scan = ScanOf({{BinaryCell("1"), BinaryCell("a")}});
  EXPECT_TRUE(scan.FitsArrays(both_));
  EXPECT_FALSE(scan.FitsCopyBinary(both_));
}

TEST_F(TransportScanTest, ABinaryValueThatGreenCannotTakeIsRefused) {
  target_->columns[1].takes_binary = false;
  EXPECT_THROW(ScanOf({{"1", BinaryCell("a")}}), BinaryRefused);
  EXPECT_NO_THROW(ScanOf({{"1", "a"}}));
}

}  // namespace
}  // namespace pgteal::applier
