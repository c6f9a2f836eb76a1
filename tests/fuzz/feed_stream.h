#ifndef PGTEAL_TESTS_FUZZ_FEED_STREAM_H_
#define PGTEAL_TESTS_FUZZ_FEED_STREAM_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pgteal::tests {

// The input of the decode target:
//   input   = options message*
//   options = byte: bits 0-1 protocol version less one, bit 2 small memory limit (logs are used)
//   message = length (2 bytes, high first) bytes
// A length beyond the end takes what is left.
std::string WriteStream(uint8_t options, const std::vector<std::string>& messages);

struct FeedResult {
  uint64_t transactions = 0;
  uint64_t changes = 0;  // delivered, each transaction read twice
  bool was_refused = false;
};

// Feeds an Assembler and reads all that comes out of it. Only ProtocolError is caught: anything
// else is a bug. Aborts when a transaction delivers another number of changes than it says, or
// another one on the second pass.
FeedResult FeedStream(std::string_view input);

}  // namespace pgteal::tests

#endif  // PGTEAL_TESTS_FUZZ_FEED_STREAM_H_
