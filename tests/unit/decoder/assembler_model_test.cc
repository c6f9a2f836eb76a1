#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "decoder/assembler.h"
#include "decoder/pgoutput.h"
#include "tests/support/change_text.h"
#include "tests/support/memory_logs.h"
#include "tests/support/pgoutput_writer.h"
#include "tests/unit/decoder/sample_relations.h"

namespace pgteal::decoder {
namespace {

using tests::Key;
using tests::Null;
using tests::Text;

constexpr uint32_t kTables = 4;
constexpr pg::Timestamp kTime{1};
const tests::PgoutputWriter kWriter;

// Plays a server with interleaved transactions, streamed and not, with savepoints rolled back and
// tables changing shape, and knows what each commit must deliver. It keeps to the server's rules: a
// relation is sent ahead of its first change in each streamed transaction, and again whenever the
// shape may have changed since.
class Server {
 public:
  Server(unsigned seed, size_t memory_bytes_max)
      : random_(seed),
        assembler_(AssemblerOptions{.protocol_version = 2, .memory_bytes_max = memory_bytes_max},
                   logs_) {}

  void Run(int steps) {
    for (int i = 0; i < steps; ++i) Step();
    while (!streamed_.empty()) EndStreamed(streamed_.begin()->first);
  }
  int committed_count() const { return committed_count_; }
  int log_count() const { return logs_.open_count(); }

 private:
  struct Expected {
    uint32_t subxid;
    std::string text;
    bool is_counted;
  };
  struct Open {
    std::vector<Expected> changes;
    std::set<uint32_t> live_subxids;
    std::set<uint32_t> announced;
  };

  uint32_t Pick(uint32_t count) {
    return std::uniform_int_distribution<uint32_t>(0, count - 1)(random_);
  }

  void Step() {
    switch (Pick(10)) {
      case 0:
        return ChangeShape();
      case 1:
      case 2:
        return PlainTransaction();
      case 3:
        if (!streamed_.empty()) return EndStreamed(AnyStreamed());
        return;
      case 4:
        if (!streamed_.empty()) return RollBackSavepoint(AnyStreamed());
        return;
      case 5:
        assembler_.Feed(kWriter.StreamAbort(next_xid_ + 1000, next_xid_ + 1000), {++lsn_});
        return;
      default:
        return StreamBlock();
    }
  }

  uint32_t AnyStreamed() {
    return std::next(streamed_.begin(), Pick(static_cast<uint32_t>(streamed_.size())))->first;
  }

  Relation Shape(uint32_t table) const {
    const std::string name = "t" + std::to_string(table);
    return is_wide_[table] ? tests::WiderRelation(table + 1, name)
                           : tests::SampleRelation(table + 1, name);
  }

  // An ALTER TABLE: everybody is told again before the next change.
  void ChangeShape() {
    const uint32_t table = Pick(kTables);
    is_wide_[table] = !is_wide_[table];
    announced_.erase(table);
    for (auto& [xid, open] : streamed_) open.announced.erase(table);
  }

  void Send(const std::string& message) { EXPECT_EQ(assembler_.Feed(message, {++lsn_}), nullptr); }

  void Announce(const tests::PgoutputWriter& writer, uint32_t table,
                std::set<uint32_t>* announced) {
    if (announced->insert(table).second) Send(writer.Relation(Shape(table)));
  }

  tests::Row AnyRow(uint32_t table) {
    tests::Row row = {Text(std::to_string(Pick(1000))), Text(std::string(Pick(60), 'x'))};
    if (is_wide_[table]) row.push_back(Null());
    return row;
  }

  // Sends one change and says what it must look like: what an assembler makes of it on its own.
  void Change(const tests::PgoutputWriter& writer, uint32_t subxid, Open* open,
              std::set<uint32_t>* announced) {
    const uint32_t table = Pick(kTables);
    const uint32_t kind = Pick(10);
    const uint32_t oid = table + 1;
    Announce(writer, table, announced);
    const auto write = [&, row = AnyRow(table)](const tests::PgoutputWriter& w) {
      if (kind == 0) return w.Truncate({oid}, {});
      if (kind == 1) return w.Message({true, {5}, "prefix", "content"});
      if (kind < 4) return w.Delete(oid, Key(row));
      return kind < 7 ? w.Update(oid, {}, row) : w.Insert(oid, row);
    };
    Send(write(writer));
    open->changes.push_back({subxid, TextOf(write(kWriter), table), kind != 1});
  }

  std::string TextOf(const std::string& message, uint32_t table) {
    RelationCache cache;
    cache.Apply(Shape(table), 1);
    ChangeBlock block;
    decoder::Change change = DecodeChange(message, {1, false, &cache}, &block).change;
    change.lsn = {lsn_};
    return tests::ChangeText(change);
  }

  void PlainTransaction() {
    const uint32_t xid = next_xid_++;
    Open open;
    Send(kWriter.Begin({++lsn_}, kTime, xid));
    const pg::Lsn commit_lsn{lsn_ - 1};
    const uint32_t count = Pick(30);
    for (uint32_t i = 0; i < count; ++i) Change(kWriter, xid, &open, &announced_);
    ++lsn_;
    Check(assembler_.Feed(kWriter.Commit(commit_lsn, {lsn_}, kTime), {lsn_}), open, xid);
  }

  void StreamBlock() {
    const bool is_first = streamed_.empty() || (streamed_.size() < 4 && Pick(3) == 0);
    const uint32_t xid = is_first ? next_xid_++ : AnyStreamed();
    Open& open = streamed_[xid];
    Send(kWriter.StreamStart(xid, is_first));
    const uint32_t count = Pick(20);
    for (uint32_t i = 0; i < count; ++i) {
      if (Pick(4) == 0) open.live_subxids.insert(next_xid_++);
      uint32_t subxid = xid;
      if (!open.live_subxids.empty() && Pick(2) == 0)
        subxid = *std::next(open.live_subxids.begin(),
                            Pick(static_cast<uint32_t>(open.live_subxids.size())));
      Change(kWriter.In(subxid), subxid, &open, &open.announced);
    }
    Send(kWriter.StreamStop());
  }

  void RollBackSavepoint(uint32_t xid) {
    Open& open = streamed_[xid];
    if (open.live_subxids.empty()) return;
    const uint32_t subxid = *std::next(open.live_subxids.begin(),
                                       Pick(static_cast<uint32_t>(open.live_subxids.size())));
    open.live_subxids.erase(subxid);
    std::erase_if(open.changes, [subxid](const Expected& e) { return e.subxid == subxid; });
    Send(kWriter.StreamAbort(xid, subxid));
    // The server forgets what it announced within the transaction.
    open.announced.clear();
  }

  void EndStreamed(uint32_t xid) {
    const Open open = std::move(streamed_[xid]);
    streamed_.erase(xid);
    if (Pick(3) == 0) return Send(kWriter.StreamAbort(xid, xid));
    announced_.insert(open.announced.begin(), open.announced.end());
    ++lsn_;
    Check(assembler_.Feed(kWriter.StreamCommit(xid, {lsn_}, {lsn_}, kTime), {lsn_}), open, xid);
  }

  void Check(std::unique_ptr<Transaction> transaction, const Open& open, uint32_t xid) {
    ASSERT_NE(transaction, nullptr);
    ++committed_count_;
    EXPECT_EQ(transaction->xid, pg::Xid{xid});
    std::vector<std::string> expected;
    uint64_t counted = 0;
    for (const Expected& change : open.changes) {
      expected.push_back(change.text);
      counted += change.is_counted ? 1 : 0;
    }
    EXPECT_EQ(transaction->change_count, counted);
    EXPECT_EQ(tests::ChangeTexts(transaction.get(), 1 + Pick(10'000)), expected);
    if (transaction->source == nullptr) return;
    transaction->source->Rewind();
    EXPECT_EQ(tests::ChangeTexts(transaction.get()), expected);
  }

  std::mt19937 random_;
  tests::MemoryLogs logs_;
  Assembler assembler_;
  uint64_t lsn_ = 0;
  uint32_t next_xid_ = 100;
  bool is_wide_[kTables] = {};
  std::set<uint32_t> announced_;
  std::map<uint32_t, Open> streamed_;
  int committed_count_ = 0;
};

TEST(AssemblerModel, DeliversExactlyWhatTheServerCommitted) {
  const unsigned first_seed = std::random_device()();
  for (unsigned seed = first_seed; seed != first_seed + 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const size_t memory_bytes_max = seed % 2 == 0 ? 3'000 : size_t{8} << 20;
    Server server(seed, memory_bytes_max);
    server.Run(300);
    EXPECT_GT(server.committed_count(), 20);
    EXPECT_EQ(server.log_count(), 0);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace pgteal::decoder
