#include "applier/folder.h"

#include <gtest/gtest.h>

#include <string>

#include "pg/error.h"
#include "tests/unit/applier/change_maker.h"

namespace pgteal::applier {
namespace {

using decoder::OldTuple;
using tests::Cells;
using tests::kNull;
using tests::kUnchanged;
using tests::MakeTarget;

std::string TextOf(const TargetRelation& target, const decoder::ColumnValue* row, bool key_only) {
  std::string text;
  for (size_t i = 0; i < target.columns.size(); ++i) {
    if (key_only && !target.IsKey(i)) continue;
    if (!text.empty()) text += ",";
    if (row[i].is_null()) {
      text += "null";
    } else {
      text += row[i].is_unchanged() ? "u" : std::string(row[i].bytes());
    }
  }
  return text;
}

std::string TextOf(const TargetRelation& target, const RowEffect& row) {
  if (row.is_nothing()) return "nothing";
  std::string text;
  if (row.deletes) text += "delete " + TextOf(target, row.key, true);
  if (row.write == RowEffect::Write::kNone) return text;
  if (!text.empty()) text += " and ";
  text += row.write == RowEffect::Write::kInsert ? "insert " : "update ";
  text += TextOf(target, row.image, false);
  return row.has_unchanged ? text + " (partly)" : text;
}

// "insert 1,a; exact 1 | truncate 2": segments by "|".
std::string TextOf(const Plan& plan) {
  std::string text;
  const auto add = [&text](const std::string& part) {
    if (!text.empty() && !text.ends_with("| ")) text += "; ";
    text += part;
  };
  for (const auto& segment : plan.segments) {
    if (segment.is_empty()) continue;
    if (!text.empty()) text += " | ";
    for (const auto& row : segment.rows) add(TextOf(*segment.tables[row.table].target, row));
    for (const auto& exact : segment.exact) add("exact " + exact.target->name);
    if (segment.truncate) add("truncate " + std::to_string(segment.truncate->targets.size()));
  }
  return text;
}

class FolderTest : public testing::Test {
 protected:
  void Insert(const Cells& row) { folder_.Add(maker_.Insert(*target_, row), target_); }
  void Update(const Cells& row) { folder_.Add(maker_.Update(*target_, row), target_); }
  void Update(OldTuple kind, const Cells& old, const Cells& row) {
    folder_.Add(maker_.Update(*target_, kind, old, row), target_);
  }
  void Delete(const std::string& id) {
    folder_.Add(maker_.Delete(*target_, OldTuple::kKey, {id, kNull}), target_);
  }
  void Truncate() { folder_.AddTruncate({.targets = {target_}, .restart_identity = false}); }
  std::string Result() const { return TextOf(plan_); }

  std::shared_ptr<TargetRelation> target_ = MakeTarget(1, "t", {{"id", true}, {"note"}});
  tests::ChangeMaker maker_;
  Plan plan_;
  Folder folder_{&plan_};
};

TEST_F(FolderTest, InsertAndUpdateAreAnInsertOfTheLastImage) {
  Insert({"1", "a"});
  Update({"1", "b"});
  EXPECT_EQ(Result(), "insert 1,b");
}

TEST_F(FolderTest, InsertAndDeleteAreNothing) {
  Insert({"1", "a"});
  Delete("1");
  EXPECT_EQ(Result(), "nothing");
}

TEST_F(FolderTest, InsertDeleteInsertIsAnInsert) {
  Insert({"1", "a"});
  Delete("1");
  Insert({"1", "b"});
  EXPECT_EQ(Result(), "insert 1,b");
}

TEST_F(FolderTest, UpdatesAreOneUpdate) {
  Update({"1", "a"});
  Update({"1", "b"});
  EXPECT_EQ(Result(), "update 1,b");
}

TEST_F(FolderTest, UpdateAndDeleteAreADelete) {
  Update({"1", "a"});
  Delete("1");
  EXPECT_EQ(Result(), "delete 1");
}

TEST_F(FolderTest, DeleteAndInsertReplaceTheRow) {
  Delete("1");
  Insert({"1", "b"});
  EXPECT_EQ(Result(), "delete 1 and insert 1,b");
}

TEST_F(FolderTest, WhatIsDoneToAReplacedRowIsDoneToItsImage) {
  Delete("1");
  Insert({"1", "b"});
  Update({"1", "c"});
  EXPECT_EQ(Result(), "delete 1 and insert 1,c");
  Delete("1");
  EXPECT_EQ(Result(), "delete 1");
}

TEST_F(FolderTest, NullIsAValueLikeAnyOther) {
  Insert({"1", "a"});
  Update({"1", kNull});
  EXPECT_EQ(Result(), "insert 1,null");
}

TEST_F(FolderTest, AnUnchangedToastValueComesFromTheEarlierInsert) {
  Insert({"1", "long"});
  Update({"1", kUnchanged});
  EXPECT_EQ(Result(), "insert 1,long");
}

TEST_F(FolderTest, AnUnchangedToastValueComesFromTheEarlierUpdate) {
  Update({"1", "long"});
  Update({"1", kUnchanged});
  EXPECT_EQ(Result(), "update 1,long");
}

TEST_F(FolderTest, AnUnchangedToastValueIsLeftOutWhenNobodySentIt) {
  Update({"1", kUnchanged});
  EXPECT_EQ(Result(), "update 1,u (partly)");
  Update({"1", "new"});
  EXPECT_EQ(Result(), "update 1,new");
}

TEST_F(FolderTest, UnderFullAnUnchangedToastValueComesFromTheOldRow) {
  Update(OldTuple::kFull, {"1", "long"}, {"1", kUnchanged});
  EXPECT_EQ(Result(), "update 1,long");
}

TEST_F(FolderTest, WhatIsWrongIsSaidOfTheSideThatSends) {
  target_->sides = SideNamesAt(1);
  const auto error_of = [](const auto& change) -> std::string {
    try {
      change();
    } catch (const pg::Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(error_of([this] {
              Insert({"1", kUnchanged});
            }),
            "green sent an insert into public.t without a TOAST value");
  EXPECT_EQ(error_of([this] {
              Update({kUnchanged, "a"});
            }),
            "green sent an update of public.t without its key column id");
}

TEST_F(FolderTest, AnInsertWithoutAToastValueIsRefused) {
  EXPECT_THROW(Insert({"1", kUnchanged}), pg::Refused);
}

TEST_F(FolderTest, AMovedKeyIsADeleteAndAnInsert) {
  Update(OldTuple::kKey, {"1", kNull}, {"2", "a"});
  EXPECT_EQ(Result(), "insert 2,a; delete 1");
}

TEST_F(FolderTest, KeysThatMoveInAChainKeepTheirRows) {
  Update(OldTuple::kKey, {"3", kNull}, {"4", "c"});
  Update(OldTuple::kKey, {"2", kNull}, {"3", "b"});
  EXPECT_EQ(Result(), "insert 4,c; delete 3 and insert 3,b; delete 2");
}

TEST_F(FolderTest, KeysThatSwapThroughAThirdEndSwapped) {
  Update(OldTuple::kKey, {"1", kNull}, {"0", "a"});
  Update(OldTuple::kKey, {"2", kNull}, {"1", "b"});
  Update(OldTuple::kKey, {"0", kNull}, {"2", "a"});
  EXPECT_EQ(Result(), "nothing; delete 1 and insert 1,b; delete 2 and insert 2,a");
}

TEST_F(FolderTest, AMovedKeyWithAnUnsentValueIsExact) {
  Update(OldTuple::kKey, {"1", kNull}, {"2", kUnchanged});
  EXPECT_EQ(Result(), "exact t");
  EXPECT_EQ(plan_.exact_hashes.size(), 2U) << "rows of later batches wait for both keys";
}

TEST_F(FolderTest, UnderFullAMovedKeyTakesTheUnsentValueFromTheOldRow) {
  Update(OldTuple::kFull, {"1", "long"}, {"2", kUnchanged});
  EXPECT_EQ(Result(), "insert 2,long; delete 1");
}

TEST_F(FolderTest, AMovedKeyIsExactWhereGreenHasFurtherColumns) {
  target_->has_extra_columns = true;
  Update(OldTuple::kKey, {"1", kNull}, {"2", "a"});
  EXPECT_EQ(Result(), "exact t");
}

TEST_F(FolderTest, AMovedKeyIsExactWhereGreenHasAnAlwaysIdentity) {
  target_->has_identity_always = true;
  Update(OldTuple::kKey, {"1", kNull}, {"2", "a"});
  EXPECT_EQ(Result(), "exact t");
}

TEST_F(FolderTest, AnOldKeyThatIsTheSameMovesNothing) {
  Update(OldTuple::kKey, {"1", kNull}, {"1", "a"});
  EXPECT_EQ(Result(), "update 1,a");
}

TEST_F(FolderTest, AnOutOfLineKeyThatDidNotMoveIsExact) {
  Update(OldTuple::kKey, {"long key", kNull}, {kUnchanged, "a"});
  EXPECT_EQ(Result(), "exact t");
}

TEST_F(FolderTest, AnUpdateWithoutItsKeyIsAProtocolError) {
  EXPECT_THROW(Update({kUnchanged, "a"}), pg::ProtocolError);
}

TEST_F(FolderTest, AfterAnExactChangeItsTableGoesOnInANewSegment) {
  Update({"1", "a"});
  Update(OldTuple::kKey, {"1", kNull}, {"2", kUnchanged});
  Update({"2", "b"});
  EXPECT_EQ(Result(), "update 1,a; exact t | update 2,b");
}

TEST_F(FolderTest, ASecondInsertMeetsGreenAsItCame) {
  Insert({"1", "a"});
  Insert({"1", "b"});
  EXPECT_EQ(Result(), "insert 1,a | insert 1,b");
}

TEST_F(FolderTest, AnInsertAfterAnUpdateMeetsGreenAsItCame) {
  Update({"1", "a"});
  Insert({"1", "b"});
  EXPECT_EQ(Result(), "update 1,a | insert 1,b");
}

TEST_F(FolderTest, AnUpdateOfADeletedRowMeetsGreenAsItCame) {
  Delete("1");
  Update({"1", "b"});
  EXPECT_EQ(Result(), "delete 1 | update 1,b");
}

TEST_F(FolderTest, ASecondDeleteMeetsGreenAsItCame) {
  Delete("1");
  Delete("1");
  EXPECT_EQ(Result(), "delete 1 | delete 1");
}

TEST_F(FolderTest, ADeleteOfARowThatCameAndWentMeetsGreenAsItCame) {
  Insert({"1", "a"});
  Delete("1");
  Delete("1");
  EXPECT_EQ(Result(), "nothing | delete 1");
}

TEST_F(FolderTest, AKeyThatMovesOntoARowMeetsGreenAsItCame) {
  Update({"2", "b"});
  Update(OldTuple::kKey, {"1", kNull}, {"2", "a"});
  EXPECT_EQ(Result(), "update 2,b | insert 2,a; delete 1");
}

TEST_F(FolderTest, ATruncateEndsItsSegment) {
  Insert({"1", "a"});
  Truncate();
  Insert({"1", "b"});
  EXPECT_EQ(Result(), "insert 1,a; truncate 1 | insert 1,b");
}

TEST_F(FolderTest, TruncatesFollowEachOther) {
  Truncate();
  Truncate();
  EXPECT_EQ(Result(), "truncate 1 | truncate 1");
}

TEST_F(FolderTest, TablesDoNotShareKeys) {
  const auto other = MakeTarget(2, "other", {{"id", true}, {"note"}});
  Insert({"1", "a"});
  folder_.Add(maker_.Delete(*other, OldTuple::kKey, {"1", kNull}), other);
  EXPECT_EQ(Result(), "insert 1,a; delete 1");
  EXPECT_EQ(plan_.segments.front().tables.size(), 2U);
}

TEST_F(FolderTest, TheSecondVersionOfATableBeginsASegment) {
  const auto altered = MakeTarget(1, "t", {{"id", true}, {"note"}, {"added"}});
  Insert({"1", "a"});
  folder_.Add(maker_.Update(*altered, {"1", "a", "x"}), altered);
  EXPECT_EQ(Result(), "insert 1,a | update 1,a,x");
}

TEST_F(FolderTest, AnExactChangeIsNotOvertakenByTheNextVersionOfItsTable) {
  target_->mode = ApplyMode::kExact;
  const auto altered = MakeTarget(1, "t", {{"id", true}, {"note"}, {"added"}});
  Insert({"1", "a"});
  folder_.Add(maker_.Update(*altered, {"1", "a", "x"}), altered);
  EXPECT_EQ(Result(), "exact t | update 1,a,x");
}

TEST_F(FolderTest, EverythingOfATableInExactModeIsExactAndInOrder) {
  target_->mode = ApplyMode::kExact;
  Insert({"1", "a"});
  Update({"1", "b"});
  Delete("1");
  EXPECT_EQ(Result(), "exact t; exact t; exact t");
}

TEST_F(FolderTest, InsertsIntoATableWithoutKeyStayApart) {
  target_ = MakeTarget(1, "t", {{"id"}, {"note"}});
  Insert({"1", "a"});
  Insert({"1", "a"});
  EXPECT_EQ(Result(), "insert 1,a; insert 1,a");
  for (const auto& row : plan_.segments.front().rows) EXPECT_EQ(row.hash, 0U);
}

TEST_F(FolderTest, ChangesOfATableWithoutKeyAreExact) {
  target_ = MakeTarget(1, "t", {{"id"}, {"note"}});
  Insert({"1", "a"});
  folder_.Add(maker_.Delete(*target_, OldTuple::kFull, {"1", "a"}), target_);
  Insert({"1", "b"});
  EXPECT_EQ(Result(), "insert 1,a; exact t | insert 1,b");
}

TEST_F(FolderTest, ManyKeysStayApart) {
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 5000; ++i) Update({std::to_string(i), std::to_string(round)});
  }
  const auto& segment = plan_.segments.front();
  ASSERT_EQ(plan_.segments.size(), 1U);
  ASSERT_EQ(segment.rows.size(), 5000U);
  EXPECT_EQ(folder_.row_count(), 5000U);
  for (int i = 0; i < 5000; ++i) {
    EXPECT_EQ(TextOf(*target_, segment.rows[static_cast<size_t>(i)]),
              "update " + std::to_string(i) + ",1");
  }
}

TEST_F(FolderTest, ATruncateOrMessageIsNoRowChange) {
  decoder::Change change;
  change.kind = decoder::ChangeKind::kMessage;
  target_ = MakeTarget(1, "t", {{"id", true}, {"note"}});
  change.relation = target_->source.get();
  EXPECT_THROW(folder_.Add(change, target_), pg::ProtocolError);
}

}  // namespace
}  // namespace pgteal::applier
