#include "pipeline/stream_position.h"

#include <gtest/gtest.h>

#include "pg/error.h"
#include "tests/support/pgoutput_writer.h"

namespace pgteal::pipeline {
namespace {

using Take = StreamPosition::Take;
using tests::PgoutputWriter;

const PgoutputWriter kServer;

void TakeTransaction(StreamPosition* position, uint64_t commit_lsn, uint64_t end_lsn) {
  EXPECT_EQ(position->OnMessage(kServer.Begin({commit_lsn}, {0}, 7)), Take::kTake);
  EXPECT_EQ(position->OnMessage(kServer.Commit({commit_lsn}, {end_lsn}, {0})), Take::kTake);
}

TEST(StreamPosition, MovesToTheEndOfEachCommit) {
  StreamPosition position({0x10}, {});
  EXPECT_EQ(position.complete(), pg::Lsn{0x10});
  EXPECT_EQ(position.OnMessage(kServer.Begin({0x80}, {0}, 7)), Take::kTake);
  EXPECT_EQ(position.complete(), pg::Lsn{0x10});
  EXPECT_EQ(position.OnMessage(kServer.Commit({0x80}, {0x90}, {0})), Take::kTake);
  EXPECT_EQ(position.complete(), pg::Lsn{0x90});
  EXPECT_EQ(position.transaction_count(), 1U);
}

TEST(StreamPosition, AKeepaliveCountsBetweenTransactionsOnly) {
  StreamPosition position({0x10}, {});
  position.OnKeepalive({0x40});
  EXPECT_EQ(position.complete(), pg::Lsn{0x40});
  EXPECT_EQ(position.OnMessage(kServer.Begin({0x80}, {0}, 7)), Take::kTake);
  position.OnKeepalive({0x70});
  EXPECT_EQ(position.complete(), pg::Lsn{0x40});
}

TEST(StreamPosition, AKeepaliveInsideASegmentDoesNotCount) {
  StreamPosition position({0x10}, {});
  EXPECT_EQ(position.OnMessage(kServer.StreamStart(7, true)), Take::kTake);
  position.OnKeepalive({0x70});
  EXPECT_EQ(position.complete(), pg::Lsn{0x10});
  EXPECT_EQ(position.OnMessage(kServer.StreamStop()), Take::kTake);
  position.OnKeepalive({0x70});
  EXPECT_EQ(position.complete(), pg::Lsn{0x70});
  EXPECT_EQ(position.OnMessage(kServer.StreamCommit(7, {0x80}, {0x90}, {0})), Take::kTake);
  EXPECT_EQ(position.complete(), pg::Lsn{0x90});
}

TEST(StreamPosition, NeverGoesBack) {
  StreamPosition position({0x10}, {});
  position.OnKeepalive({0x90});
  TakeTransaction(&position, 0x40, 0x50);
  EXPECT_EQ(position.complete(), pg::Lsn{0x90});
}

TEST(StreamPosition, EndsBeforeWhatCommitsAtTheEnd) {
  for (const bool is_streamed : {false, true}) {
    StreamPosition position({0x10}, {0x100});
    TakeTransaction(&position, 0x40, 0x50);
    EXPECT_FALSE(position.has_reached_end());
    const auto next = is_streamed ? kServer.StreamCommit(7, {0x100}, {0x110}, {0})
                                  : kServer.Begin({0x100}, {0}, 7);
    EXPECT_EQ(position.OnMessage(next), Take::kEnd);
    EXPECT_TRUE(position.has_reached_end());
    EXPECT_EQ(position.complete(), pg::Lsn{0x100});
  }
}

TEST(StreamPosition, EndsWithAKeepaliveThatReachesTheEnd) {
  StreamPosition position({0x10}, {0x100});
  position.OnKeepalive({0x200});
  EXPECT_TRUE(position.has_reached_end());
  EXPECT_EQ(position.complete(), pg::Lsn{0x100});
}

TEST(StreamPosition, GarbageIsAnError) {
  StreamPosition position({0x10}, {});
  EXPECT_THROW(static_cast<void>(position.OnMessage("")), pg::ProtocolError);
  EXPECT_THROW(static_cast<void>(position.OnMessage("C")), pg::ProtocolError);
}

}  // namespace
}  // namespace pgteal::pipeline
