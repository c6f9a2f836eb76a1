#ifndef PGTEAL_TESTS_SUPPORT_CHANGE_TEXT_H_
#define PGTEAL_TESTS_SUPPORT_CHANGE_TEXT_H_

#include <string>
#include <vector>

#include "decoder/change.h"
#include "decoder/transaction.h"

namespace pgteal::tests {

// A change on one line, every field of it, for comparison: "update public.t K(t'1' n) N(t'2' u)".
// Relations are written with their columns, so that another version gives another text.
std::string ChangeText(const decoder::Change& change);

// All changes of a transaction, from memory or from its source (one pass, from where it stands).
std::vector<std::string> ChangeTexts(decoder::Transaction* transaction, size_t bytes_max = 4096);

}  // namespace pgteal::tests

#endif  // PGTEAL_TESTS_SUPPORT_CHANGE_TEXT_H_
