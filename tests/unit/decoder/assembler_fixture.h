#ifndef PGTEAL_TESTS_UNIT_DECODER_ASSEMBLER_FIXTURE_H_
#define PGTEAL_TESTS_UNIT_DECODER_ASSEMBLER_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "decoder/assembler.h"
#include "pg/error.h"
#include "tests/support/memory_logs.h"
#include "tests/support/pgoutput_writer.h"
#include "tests/unit/decoder/sample_relations.h"

namespace pgteal::tests {

inline constexpr uint32_t kTable = 16385;
inline constexpr uint32_t kOther = 16390;
inline constexpr pg::Timestamp kTime{99};
inline const PgoutputWriter kWriter;

// An assembler with its logs. Each message gets the next LSN.
class AssemblerTest : public ::testing::Test {
 protected:
  void UseOptions(decoder::AssemblerOptions options) { assembler_.emplace(options, logs_); }

  std::unique_ptr<decoder::Transaction> Feed(const std::string& message) {
    return assembler_->Feed(message, {++lsn_});
  }
  void FeedAll(const std::vector<std::string>& messages) {
    for (const std::string& message : messages) EXPECT_EQ(Feed(message), nullptr);
  }
  std::string ErrorOf(const std::string& message) {
    try {
      Feed(message);
    } catch (const pg::ProtocolError& error) {
      return error.what();
    }
    return "no error";
  }

  std::string Begin(uint32_t xid = 7) { return kWriter.Begin({1000}, kTime, xid); }
  std::string Commit() { return kWriter.Commit({1000}, {1001}, kTime); }
  std::string StreamCommit(uint32_t xid) {
    return kWriter.StreamCommit(xid, {1000}, {1001}, kTime);
  }
  std::string Row(uint32_t relation, const std::string& id, uint32_t xid = 0) {
    const auto writer = xid == 0 ? kWriter : kWriter.In(xid);
    return writer.Insert(relation, {Text(id), Null()});
  }
  // One block of a streamed transaction.
  void Stream(uint32_t xid, bool first, const std::vector<std::string>& messages) {
    EXPECT_EQ(Feed(kWriter.StreamStart(xid, first)), nullptr);
    EXPECT_TRUE(assembler_->in_transaction());
    FeedAll(messages);
    EXPECT_EQ(Feed(kWriter.StreamStop()), nullptr);
    EXPECT_FALSE(assembler_->in_transaction());
  }
  std::string TableIn(uint32_t xid) { return kWriter.In(xid).Relation(table_); }

  decoder::Relation table_ = SampleRelation(kTable, "t");
  MemoryLogs logs_;
  std::optional<decoder::Assembler> assembler_{
      std::in_place, decoder::AssemblerOptions{.protocol_version = 2}, logs_};
  uint64_t lsn_ = 0;
};

}  // namespace pgteal::tests

#endif  // PGTEAL_TESTS_UNIT_DECODER_ASSEMBLER_FIXTURE_H_
