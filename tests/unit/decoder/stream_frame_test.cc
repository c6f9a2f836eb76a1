#include "decoder/stream_frame.h"

#include <gtest/gtest.h>

#include <string>

#include "pg/error.h"
#include "tests/support/pgoutput_writer.h"

namespace pgteal::decoder {
namespace {

using namespace std::string_literals;

const tests::PgoutputWriter kWriter;

TEST(StreamFrame, ReadsXLogData) {
  const std::string bytes = kWriter.XLogData({0x16B374D848}, {0x16B374D900}, {-5}, "payload");
  const StreamFrame frame = ReadStreamFrame(bytes);
  const auto* data = std::get_if<XLogData>(&frame);
  ASSERT_NE(data, nullptr);
  EXPECT_EQ(data->start_lsn, pg::Lsn{0x16B374D848});
  EXPECT_EQ(data->end_lsn, pg::Lsn{0x16B374D900});
  EXPECT_EQ(data->send_time, pg::Timestamp{-5});
  EXPECT_EQ(data->payload, "payload");
}

TEST(StreamFrame, ReadsKeepalive) {
  for (const bool reply_requested : {false, true}) {
    const std::string bytes = kWriter.Keepalive({77}, {88}, reply_requested);
    const StreamFrame frame = ReadStreamFrame(bytes);
    const auto* keepalive = std::get_if<Keepalive>(&frame);
    ASSERT_NE(keepalive, nullptr);
    EXPECT_EQ(keepalive->end_lsn, pg::Lsn{77});
    EXPECT_EQ(keepalive->send_time, pg::Timestamp{88});
    EXPECT_EQ(keepalive->reply_requested, reply_requested);
  }
}

TEST(StreamFrame, RefusesWhatItDoesNotKnow) {
  EXPECT_THROW(ReadStreamFrame(""), pg::ProtocolError);
  EXPECT_THROW(ReadStreamFrame("z"), pg::ProtocolError);
  EXPECT_THROW(ReadStreamFrame(kWriter.Keepalive({1}, {2}, true) + "x"), pg::ProtocolError);
}

TEST(StreamFrame, RefusesAFrameCutAnywhereInItsHeader) {
  const std::string data = kWriter.XLogData({1}, {2}, {3}, "");
  const std::string keepalive = kWriter.Keepalive({1}, {2}, true);
  for (size_t size = 0; size < data.size(); ++size)
    EXPECT_THROW(ReadStreamFrame(data.substr(0, size)), pg::ProtocolError) << size;
  for (size_t size = 0; size < keepalive.size(); ++size)
    EXPECT_THROW(ReadStreamFrame(keepalive.substr(0, size)), pg::ProtocolError) << size;
}

TEST(StreamFrame, WritesStandbyStatus) {
  const StandbyStatusBytes bytes = WriteStandbyStatus({.write_lsn = {0x0102030405060708},
                                                       .flush_lsn = {2},
                                                       .apply_lsn = {3},
                                                       .client_time = {-1},
                                                       .reply_requested = true});
  const std::string expected =
      "r\1\2\3\4\5\6\7\10"
      "\0\0\0\0\0\0\0\2"
      "\0\0\0\0\0\0\0\3"
      "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
      "\1"s;
  EXPECT_EQ(std::string(bytes.begin(), bytes.end()), expected);
}

}  // namespace
}  // namespace pgteal::decoder
