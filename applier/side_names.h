#ifndef PGTEAL_APPLIER_SIDE_NAMES_H_
#define PGTEAL_APPLIER_SIDE_NAMES_H_

#include <fmt/core.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace pgteal::applier {

struct SideNames;
// A text of ours that says blue for the side that sends and green for the other, with the names of
// the sides. Not for texts with names of the operator's in them.
std::string Renamed(std::string_view text, const SideNames& names);

// What an operator calls the side that sends and the one that receives; after a switchover green
// sends.
struct SideNames {
  std::string blue = "blue";
  std::string green = "green";

  // A text of ours, Renamed() before it is filled in: names of the operator's stay as they are.
  template <typename... Args>
  std::string Format(fmt::format_string<Args...> text, const Args&... args) const {
    const fmt::string_view view = text;
    return fmt::vformat(Renamed({view.data(), view.size()}, *this), fmt::make_format_args(args...));
  }
};
// After that many complete turns.
SideNames SideNamesAt(int64_t epoch);

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_SIDE_NAMES_H_
