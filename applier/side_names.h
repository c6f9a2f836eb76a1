#ifndef PGTEAL_APPLIER_SIDE_NAMES_H_
#define PGTEAL_APPLIER_SIDE_NAMES_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace pgteal::applier {

// What an operator calls the side that sends and the one that receives; after a switchover green
// sends.
struct SideNames {
  std::string blue = "blue";
  std::string green = "green";
};
// After that many complete turns.
SideNames SideNamesAt(int64_t epoch);

// A text of ours that says blue for the side that sends and green for the other, with the names of
// the sides. Not for texts with names of the operator's in them.
std::string Renamed(std::string_view text, const SideNames& names);

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_SIDE_NAMES_H_
