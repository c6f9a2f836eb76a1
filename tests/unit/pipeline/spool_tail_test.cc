#include "pipeline/spool_tail.h"

#include <thread>

#include "pg/error.h"
#include "pipeline/early_stream.h"
#include "pipeline/spool.h"
#include "tests/unit/pipeline/frame_fixture.h"

namespace pgteal::pipeline {
namespace {

class SpoolTailTest : public FrameFixture {
 protected:
  SpoolTailTest() {
    spool_.emplace(SpoolOptions{.folder = folder_, .memory_bytes = 1000});
    messages_ = RandomMessages(11, 3000);
    for (auto& message : messages_) message.time = 0;
    log_ = spool_->Open({7});
  }
  void Append(size_t from, size_t to) {
    for (size_t i = from; i < to; ++i) log_->Append({messages_[i].lsn}, messages_[i].bytes);
  }
  static std::vector<StoredMessage> ReadAll(decoder::MessageReader& reader) {
    std::vector<StoredMessage> read;
    reader.Rewind();
    pg::Lsn lsn;
    std::string_view message;
    while (reader.Next(&lsn, &message)) read.push_back({lsn.value, 0, std::string(message)});
    return read;
  }

  std::optional<SpoolFolder> spool_;
  std::vector<StoredMessage> messages_;
  std::unique_ptr<decoder::MessageLog> log_;
};

// The sanitizer build proves that writer and reader share nothing but the mark.
TEST_F(SpoolTailTest, ReadsBehindTheWriterToTheEnd) {
  Append(0, 300);
  const auto tail = log_->Follow();
  ASSERT_NE(tail, nullptr);
  std::vector<StoredMessage> read;
  std::thread reader([&] { read = ReadAll(*tail); });
  Append(300, messages_.size());
  log_->Seal();
  reader.join();
  EXPECT_TRUE(read == messages_);
  EXPECT_TRUE(ReadAll(*log_) == messages_);
}

TEST_F(SpoolTailTest, ThereIsOneOnceThereIsAFile) {
  EXPECT_EQ(log_->Follow(), nullptr);
  Append(0, 300);
  const auto tail = log_->Follow();
  EXPECT_NE(tail, nullptr);
  EXPECT_EQ(log_->Follow(), nullptr);
}

TEST_F(SpoolTailTest, ACutEndsTheWait) {
  Append(0, 300);
  const auto tail = log_->Follow();
  ASSERT_NE(tail, nullptr);
  std::thread reader([&] { EXPECT_THROW(ReadAll(*tail), pg::Interrupted); });
  tail->Cut();
  reader.join();
}

TEST_F(SpoolTailTest, ALogThatIsDroppedBeforeItsEndCutsTheTail) {
  Append(0, 300);
  const auto tail = log_->Follow();
  ASSERT_NE(tail, nullptr);
  std::thread reader([&] { EXPECT_THROW(ReadAll(*tail), pg::Interrupted); });
  log_.reset();
  reader.join();
}

TEST_F(SpoolTailTest, OnlyOneDecidesWhoCommitsAnEarlyTransaction) {
  Append(0, 300);
  EarlyStream early({7}, log_->Follow(), {}, {1});
  EXPECT_TRUE(early.Claim());
  EXPECT_TRUE(early.is_claimed());
  EXPECT_FALSE(early.GiveUp());
  log_ = spool_->Open({8});
  Append(0, 300);
  EarlyStream other({8}, log_->Follow(), {}, {1});
  EXPECT_TRUE(other.GiveUp());
  EXPECT_FALSE(other.Claim());
}

}  // namespace
}  // namespace pgteal::pipeline
