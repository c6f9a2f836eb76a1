#include "pipeline/batch_builder.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <string>

#include "pg/error.h"
#include "tests/unit/applier/change_maker.h"

namespace pgteal::pipeline {
namespace {

using applier::ApplyMode;
using applier::Batch;
using applier::TargetRelation;
using decoder::Change;
using decoder::ChangeKind;
using decoder::OldTuple;
using tests::Cells;
using tests::kNull;
using tests::MakeTarget;
using Relations = std::vector<std::shared_ptr<const decoder::Relation>>;

// Green's catalog in memory.
class FakeMapper : public applier::RelationMapper {
 public:
  std::shared_ptr<const decoder::Relation> Add(std::shared_ptr<const TargetRelation> target) {
    auto source = target->source;
    targets_[source.get()] = std::move(target);
    return source;
  }
  std::shared_ptr<const TargetRelation> Find(
      const std::shared_ptr<const decoder::Relation>& source) override {
    ++asked;
    const auto found = targets_.find(source.get());
    if (found == targets_.end()) throw pg::Refused("table public.gone is missing on green");
    return found->second;
  }

  int asked = 0;

 private:
  std::map<const decoder::Relation*, std::shared_ptr<const TargetRelation>> targets_;
};

class NoChanges : public decoder::ChangeSource {
 public:
  bool Next(size_t, decoder::ChangeBlock*) override { return false; }
  void Rewind() override {}
};

class BatchBuilderTest : public testing::Test {
 protected:
  std::shared_ptr<TargetRelation> Table(uint32_t oid, ApplyMode mode = ApplyMode::kFolded) {
    auto target = MakeTarget(oid, "t" + std::to_string(oid), {{"id", true}, {"note"}});
    target->mode = mode;
    mapper_.Add(target);
    return target;
  }
  std::unique_ptr<decoder::Transaction> Transaction(const Relations& relations,
                                                    const std::vector<Change>& changes) {
    auto transaction = std::make_unique<decoder::Transaction>();
    transaction->xid = {++xid_};
    transaction->end_lsn = {xid_ * 100};
    transaction->commit_time = {xid_};
    transaction->block.relations = relations;
    transaction->block.changes = changes;
    transaction->change_count = changes.size();
    return transaction;
  }
  // One that updates these rows of `target`.
  std::unique_ptr<decoder::Transaction> Updates(const TargetRelation& target,
                                                const std::vector<std::string>& ids) {
    std::vector<Change> changes;
    for (const auto& id : ids) changes.push_back(maker_.Update(target, {id, "x"}));
    return Transaction({target.source}, changes);
  }
  std::unique_ptr<decoder::Transaction> Truncate(const TargetRelation& target) {
    truncated_.push_back(target.source.get());
    Change change;
    change.kind = ChangeKind::kTruncate;
    change.truncated = &truncated_.back();
    change.truncated_count = 1;
    return Transaction({target.source}, {change});
  }
  void Add(std::unique_ptr<decoder::Transaction> transaction) {
    ASSERT_EQ(builder_.Add(transaction), BatchBuilder::Added::kAdded);
    ASSERT_EQ(transaction, nullptr);
  }
  std::unique_ptr<Batch> Take(uint64_t committed) { return builder_.Take(committed); }
  // Which rows of the batch are late, in order of first appearance: "EL" is early, late.
  static std::string Marks(const Batch& batch) {
    std::string marks;
    for (const auto& segment : batch.plan.segments) {
      for (const auto& row : segment.rows) marks += row.is_late ? 'L' : 'E';
    }
    return marks;
  }

  FakeMapper mapper_;
  tests::ChangeMaker maker_;
  std::deque<const decoder::Relation*> truncated_;
  uint32_t xid_ = 0;
  BatchBuilder builder_{{.rows_max = 4, .bytes_max = 1 << 20}, mapper_};
};

TEST_F(BatchBuilderTest, OnlyRowsOfOthersCountAsWritten) {
  const auto table = Table(1);
  auto own = std::make_shared<decoder::Relation>(*Table(2)->source);
  own->schema = "pgteal";
  Add(Transaction({}, {}));
  EXPECT_EQ(Take(0)->written_at, std::nullopt);
  Add(Updates(*table, {"1"}));
  Add(Transaction({own}, {}));
  Add(Transaction({}, {}));
  const auto batch = Take(0);
  EXPECT_EQ(batch->written_at, pg::Timestamp{2});
  EXPECT_EQ(batch->commit_time, pg::Timestamp{4});
  auto large = Transaction({}, {});
  large->source = std::make_unique<NoChanges>();
  Add(std::move(large));
  EXPECT_EQ(Take(0)->written_at, pg::Timestamp{5});
}

// Else green would hold half of it, and its progress all.
TEST_F(BatchBuilderTest, NothingOfATransactionThatIsRefusedHalfWayIsKept) {
  const auto table = Table(1);
  const auto half = [&] {
    return Transaction({table->source}, {maker_.Update(*table, {"7", "x"}),
                                         maker_.Insert(*table, {"8", tests::kUnchanged})});
  };
  auto refused = half();
  EXPECT_THROW(static_cast<void>(builder_.Add(refused)), pg::Refused);
  EXPECT_NE(refused, nullptr);
  EXPECT_TRUE(builder_.is_empty());

  Add(Updates(*table, {"1"}));
  Add(Updates(*table, {"2"}));
  const pg::Lsn sound{xid_ * 100};
  refused = half();
  EXPECT_THROW(static_cast<void>(builder_.Add(refused)), pg::Refused);
  const auto batch = Take(0);
  EXPECT_EQ(batch->end_lsn, sound);
  EXPECT_EQ(batch->transaction_count, 2U);
  EXPECT_EQ(batch->transactions.size(), 2U);
  EXPECT_EQ(Marks(*batch), "EE");
}

TEST_F(BatchBuilderTest, ABatchEndsWhereItsLastTransactionEnds) {
  const auto table = Table(1);
  EXPECT_TRUE(builder_.is_empty());
  Add(Updates(*table, {"1", "2"}));
  Add(Updates(*table, {"2"}));
  const auto batch = Take(0);
  EXPECT_TRUE(builder_.is_empty());
  EXPECT_EQ(batch->sequence, 1U);
  EXPECT_EQ(batch->end_lsn, pg::Lsn{200});
  EXPECT_EQ(batch->commit_time, pg::Timestamp{2});
  EXPECT_EQ(batch->transaction_count, 2U);
  EXPECT_EQ(batch->change_count, 3U);
  EXPECT_EQ(batch->transactions.size(), 2U);
  EXPECT_FALSE(batch->is_barrier);
  EXPECT_GT(batch->memory_bytes, 0U);
  EXPECT_EQ(Marks(*batch), "EE");
}

TEST_F(BatchBuilderTest, SequencesFollowEachOther) {
  const auto table = Table(1);
  for (uint64_t sequence = 1; sequence <= 3; ++sequence) {
    Add(Updates(*table, {"1"}));
    EXPECT_EQ(Take(sequence)->sequence, sequence);
  }
}

TEST_F(BatchBuilderTest, ItIsFullByRowsThatGreenWrites) {
  const auto table = Table(1);
  Add(Updates(*table, {"1", "2", "3"}));
  Add(Updates(*table, {"1", "2", "3"}));
  EXPECT_FALSE(builder_.is_full()) << "three rows, however often they were changed";
  Add(Updates(*table, {"4"}));
  EXPECT_TRUE(builder_.is_full());
}

TEST_F(BatchBuilderTest, AWaryOneIsFullBefore) {
  const auto table = Table(1);
  BatchBuilder builder({.rows_max = 4, .changes_wary = 2, .bytes_max = 1 << 20}, mapper_);
  builder.SetWary(true);
  for (const char* key : {"1", "1"}) {
    EXPECT_FALSE(builder.is_full());
    auto transaction = Updates(*table, {key});
    ASSERT_EQ(builder.Add(transaction), BatchBuilder::Added::kAdded);
  }
  EXPECT_TRUE(builder.is_full());
  builder.SetWary(false);
  EXPECT_FALSE(builder.is_full());
}

TEST_F(BatchBuilderTest, ItIsFullByMemory) {
  const auto table = Table(1);
  BatchBuilder builder({.rows_max = 1000, .bytes_max = 1}, mapper_);
  EXPECT_FALSE(builder.is_full());
  auto transaction = Updates(*table, {"1"});
  ASSERT_EQ(builder.Add(transaction), BatchBuilder::Added::kAdded);
  EXPECT_TRUE(builder.is_full());
}

TEST_F(BatchBuilderTest, ARowThatAnUncommittedBatchTouchedIsLate) {
  const auto table = Table(1);
  Add(Updates(*table, {"1", "2"}));
  EXPECT_EQ(Marks(*Take(0)), "EE");
  Add(Updates(*table, {"2", "3"}));
  EXPECT_EQ(Marks(*Take(0)), "LE");
}

TEST_F(BatchBuilderTest, ARowThatACommittedBatchTouchedIsEarly) {
  const auto table = Table(1);
  Add(Updates(*table, {"1"}));
  Take(0);
  Add(Updates(*table, {"1"}));
  EXPECT_EQ(Marks(*Take(1)), "E");
}

TEST_F(BatchBuilderTest, TheLastBatchThatTouchedARowCounts) {
  const auto table = Table(1);
  Add(Updates(*table, {"1"}));
  Take(0);
  Add(Updates(*table, {"1"}));
  Take(0);
  Add(Updates(*table, {"1"}));
  EXPECT_EQ(Marks(*Take(1)), "L") << "the first has committed, the second has not";
}

TEST_F(BatchBuilderTest, BothKeysOfAMoveAreTouched) {
  const auto table = Table(1);
  Add(Transaction({table->source},
                  {maker_.Update(*table, OldTuple::kKey, {"1", kNull}, {"2", "x"})}));
  Take(0);
  Add(Updates(*table, {"1", "2", "3"}));
  EXPECT_EQ(Marks(*Take(0)), "LLE");
}

TEST_F(BatchBuilderTest, RowsThatCameToNothingAreTouchedToo) {
  const auto table = Table(1);
  Add(Transaction({table->source}, {maker_.Insert(*table, {"1", "x"}),
                                    maker_.Delete(*table, OldTuple::kKey, {"1", kNull})}));
  Take(0);
  Add(Updates(*table, {"1"}));
  EXPECT_EQ(Marks(*Take(0)), "L");
}

TEST_F(BatchBuilderTest, KeysOfExactChangesMakeLaterRowsLate) {
  const auto table = Table(1);
  Add(Transaction({table->source},
                  {maker_.Update(*table, OldTuple::kKey, {"1", kNull}, {"2", tests::kUnchanged})}));
  Take(0);
  Add(Updates(*table, {"1", "2", "3"}));
  EXPECT_EQ(Marks(*Take(0)), "LLE");
}

TEST_F(BatchBuilderTest, KeysOfOneBatchThatShareAPlaceDoNotHideAnEarlierTouch) {
  constexpr int kTouched = 3000;
  constexpr int kOthers = 6000;
  const auto table = Table(1);
  std::vector<std::string> ids;
  for (int i = 0; i < kTouched; ++i) ids.push_back(std::to_string(i));
  Add(Updates(*table, ids));
  Take(0);
  std::vector<std::string> others;
  for (int i = 0; i < kOthers; ++i) others.push_back(std::to_string(kTouched + i));
  others.insert(others.end(), ids.begin(), ids.end());
  Add(Updates(*table, others));
  EXPECT_EQ(Marks(*Take(0)).substr(kOthers), std::string(kTouched, 'L'));
}

TEST_F(BatchBuilderTest, TablesThatCannotBeKeptApartByKeyAreLate) {
  const auto table = Table(1, ApplyMode::kLate);
  Add(Updates(*table, {"1"}));
  EXPECT_EQ(Marks(*Take(0)), "L");
}

TEST_F(BatchBuilderTest, ATableInExactModeHasNoRowsToMark) {
  const auto table = Table(1, ApplyMode::kExact);
  Add(Updates(*table, {"1"}));
  const auto batch = Take(0);
  EXPECT_EQ(Marks(*batch), "");
  EXPECT_EQ(batch->plan.segments.front().exact.size(), 1U);
  EXPECT_FALSE(batch->is_barrier);
}

TEST_F(BatchBuilderTest, ARowInASecondSegmentOfItsBatchWaitsForTheFirstAnyway) {
  const auto table = Table(1);
  Add(Updates(*table, {"1"}));
  Take(0);
  Add(Transaction({table->source}, {maker_.Delete(*table, OldTuple::kKey, {"1", kNull}),
                                    maker_.Delete(*table, OldTuple::kKey, {"1", kNull})}));
  const auto batch = Take(0);
  ASSERT_EQ(batch->plan.segments.size(), 2U);
  EXPECT_TRUE(batch->plan.segments[0].rows[0].is_late);
}

TEST_F(BatchBuilderTest, ATruncateIsABatchOfItsOwnAndABarrier) {
  const auto table = Table(1);
  Add(Updates(*table, {"1"}));
  auto truncate = Truncate(*table);
  ASSERT_EQ(builder_.Add(truncate), BatchBuilder::Added::kNeedsNext);
  ASSERT_NE(truncate, nullptr) << "it stays with the caller";
  EXPECT_FALSE(Take(0)->is_barrier);
  Add(std::move(truncate));
  EXPECT_TRUE(builder_.is_full());
  auto next = Updates(*table, {"1"});
  ASSERT_EQ(builder_.Add(next), BatchBuilder::Added::kNeedsNext);
  const auto batch = Take(0);
  EXPECT_TRUE(batch->is_barrier);
  EXPECT_EQ(batch->transaction_count, 1U);
}

TEST_F(BatchBuilderTest, ACopiedTableTakesOnlyWhatWasCommittedAfterItsSnapshot) {
  const auto copied = Table(1);
  const auto other = Table(2);
  copied->ready_lsn = {200};
  Add(Updates(*copied, {"1"}));  // ends at 100
  Add(Updates(*copied, {"2"}));  // ends at 200, which the copy holds
  EXPECT_EQ(Marks(*Take(0)), "");
  Add(Updates(*copied, {"3"}));
  EXPECT_EQ(Marks(*Take(0)), "E");

  copied->ready_lsn = {500};
  Add(Truncate(*copied));  // ends at 400
  EXPECT_TRUE(Take(0)->plan.segments.front().is_empty());
  Add(Transaction({copied->source, other->source},
                  {maker_.Update(*copied, {"4", "x"}), maker_.Update(*other, {"4", "x"})}));
  EXPECT_EQ(Marks(*Take(0)), "E") << "of one transaction, the part of the other table";
  Add(Truncate(*copied));
  EXPECT_TRUE(Take(0)->plan.segments.front().truncate.has_value());
}

TEST_F(BatchBuilderTest, ASpooledTransactionIsABarrier) {
  auto spooled = Transaction({}, {});
  spooled->source = std::make_unique<NoChanges>();
  spooled->change_count = 7;
  Add(std::move(spooled));
  const auto batch = Take(0);
  EXPECT_TRUE(batch->is_barrier);
  EXPECT_EQ(batch->change_count, 7U);
}

TEST_F(BatchBuilderTest, TheNextVersionOfATableIsABarrier) {
  const auto before = Table(1);
  const auto after = MakeTarget(1, "t1", {{"id", true}, {"note"}, {"added"}});
  mapper_.Add(after);
  Add(Updates(*before, {"1"}));
  auto altered = Transaction({after->source}, {maker_.Update(*after, Cells{"1", "x", "y"})});
  ASSERT_EQ(builder_.Add(altered), BatchBuilder::Added::kNeedsNext);
  Take(0);
  Add(std::move(altered));
  EXPECT_TRUE(Take(0)->is_barrier);
  Add(Transaction({after->source}, {maker_.Update(*after, Cells{"1", "x", "y"})}));
  EXPECT_FALSE(Take(0)->is_barrier) << "it is known by now";
}

TEST_F(BatchBuilderTest, GreenIsAskedOncePerVersion) {
  const auto table = Table(1);
  for (int i = 0; i < 3; ++i) {
    Add(Updates(*table, {"1"}));
    Take(0);
  }
  EXPECT_EQ(mapper_.asked, 1);
}

TEST_F(BatchBuilderTest, WhatGreenCannotTakeIsNamedWithItsTransactionAndTheRestIsKept) {
  const auto table = Table(1);
  const auto unknown = MakeTarget(2, "gone", {{"id", true}, {"note"}});
  Add(Updates(*table, {"1"}));
  auto refused = Updates(*unknown, {"1"});
  try {
    static_cast<void>(builder_.Add(refused));
    ADD_FAILURE() << "taken";
  } catch (const pg::Refused& error) {
    EXPECT_STREQ(error.what(), "table public.gone is missing on green, xid 2, end_lsn 0/C8");
  }
  const auto batch = Take(0);
  EXPECT_EQ(batch->transaction_count, 1U);
  EXPECT_EQ(batch->end_lsn, pg::Lsn{100});
}

TEST_F(BatchBuilderTest, OurOwnSchemaIsNeverApplied) {
  auto own = MakeTarget(9, "progress", {{"id", true}, {"note"}});
  auto source = std::make_shared<decoder::Relation>(*own->source);
  source->schema = "pgteal";
  own->source = source;
  Add(Transaction({source}, {maker_.Insert(*own, {"1", "x"})}));
  EXPECT_EQ(mapper_.asked, 0);
  const auto batch = Take(0);
  EXPECT_EQ(Marks(*batch), "");
  EXPECT_EQ(batch->end_lsn, pg::Lsn{100});
}

TEST_F(BatchBuilderTest, AnIdlePositionIsABatchWithoutTransactions) {
  auto idle = std::make_unique<decoder::Transaction>();
  idle->end_lsn = {500};
  Add(std::move(idle));
  const auto batch = Take(0);
  EXPECT_EQ(batch->end_lsn, pg::Lsn{500});
  EXPECT_EQ(batch->transaction_count, 0U);
}

}  // namespace
}  // namespace pgteal::pipeline
