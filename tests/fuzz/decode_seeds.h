#ifndef PGTEAL_TESTS_FUZZ_DECODE_SEEDS_H_
#define PGTEAL_TESTS_FUZZ_DECODE_SEEDS_H_

#include <string>
#include <vector>

namespace pgteal::tests {

struct DecodeSeed {
  std::string name;  // of the file in corpus/decode
  std::string input;
  bool is_refused = false;
};

// The well-formed part of the corpus: at least one stream for each message kind and each rule of
// the assembler. Found inputs are added to the folder beside these.
std::vector<DecodeSeed> DecodeSeeds();

}  // namespace pgteal::tests

#endif  // PGTEAL_TESTS_FUZZ_DECODE_SEEDS_H_
