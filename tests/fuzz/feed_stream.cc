#include "tests/fuzz/feed_stream.h"

#include <algorithm>

#include "decoder/assembler.h"
#include "pg/check.h"
#include "pg/error.h"
#include "tests/support/memory_logs.h"

namespace pgteal::tests {
namespace {

constexpr uint8_t kVersionBits = 3;
constexpr uint8_t kSmallMemoryBit = 4;
constexpr size_t kSmallMemoryBytes = 2000;

std::string_view TakeMessage(std::string_view* input) {
  const auto byte = [input](size_t at) { return static_cast<uint8_t>((*input)[at]); };
  const size_t length = input->size() < 2 ? 0 : size_t{byte(0)} << 8 | byte(1);
  input->remove_prefix(std::min<size_t>(2, input->size()));
  const std::string_view message = input->substr(0, length);
  input->remove_prefix(message.size());
  return message;
}

// Reads every byte of every value, so that a sanitizer sees a view that points nowhere.
uint64_t Touch(const decoder::Tuple& tuple) {
  uint64_t sum = 0;
  for (const decoder::ColumnValue& value : tuple)
    for (const char byte : value.bytes()) sum += static_cast<uint8_t>(byte);
  return sum;
}

struct Counts {
  uint64_t all = 0;
  uint64_t rows = 0;  // as Transaction::change_count counts
  uint64_t bytes = 0;

  bool operator==(const Counts&) const = default;
};

void Count(const decoder::ChangeBlock& block, Counts* counts) {
  for (const decoder::Change& change : block.changes) {
    ++counts->all;
    if (change.kind != decoder::ChangeKind::kMessage) ++counts->rows;
    counts->bytes += Touch(change.old_tuple) + Touch(change.new_tuple);
    if (change.relation != nullptr) counts->bytes += change.relation->columns.size();
    for (uint32_t i = 0; i < change.truncated_count; ++i)
      counts->bytes += change.truncated[i]->columns.size();
  }
}

Counts ReadOnce(decoder::Transaction* transaction, size_t bytes_max) {
  Counts counts;
  Count(transaction->block, &counts);
  if (transaction->source == nullptr) return counts;
  decoder::ChangeBlock block;
  while (transaction->source->Next(bytes_max, &block)) Count(block, &counts);
  transaction->source->Rewind();
  return counts;
}

uint64_t ReadTwice(decoder::Transaction* transaction) {
  const Counts first = ReadOnce(transaction, 1);
  PGTEAL_CHECK(first.rows == transaction->change_count, "change_count is what is delivered");
  PGTEAL_CHECK(ReadOnce(transaction, 1 << 20) == first, "every pass delivers the same");
  return first.all;
}

}  // namespace

std::string WriteStream(uint8_t options, const std::vector<std::string>& messages) {
  std::string input(1, static_cast<char>(options));
  for (const std::string& message : messages) {
    input += static_cast<char>(message.size() >> 8);
    input += static_cast<char>(message.size());
    input += message;
  }
  return input;
}

FeedResult FeedStream(std::string_view input) {
  FeedResult result;
  if (input.empty()) return result;
  const auto options = static_cast<uint8_t>(input[0]);
  input.remove_prefix(1);
  MemoryLogs logs;
  decoder::AssemblerOptions assembler_options{.protocol_version = 1 + (options & kVersionBits)};
  if ((options & kSmallMemoryBit) != 0) assembler_options.memory_bytes_max = kSmallMemoryBytes;
  decoder::Assembler assembler(assembler_options, logs);
  uint64_t lsn = 0;
  try {
    while (!input.empty()) {
      const auto transaction = assembler.Feed(TakeMessage(&input), {++lsn});
      if (transaction == nullptr) continue;
      ++result.transactions;
      result.changes += ReadTwice(transaction.get());
    }
  } catch (const pg::ProtocolError&) {
    result.was_refused = true;
  }
  return result;
}

}  // namespace pgteal::tests
