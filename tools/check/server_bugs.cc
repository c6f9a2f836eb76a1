#include "tools/check/server_bugs.h"

#include <fmt/format.h>

namespace pgteal::tools {
namespace {

struct ServerBug {
  int first;  // server_version_num, of one major version
  int fixed;
  const char* symptom;
};

constexpr const char* kStaleCatalog =
    "changes are lost when ALTER PUBLICATION or ALTER TYPE meets open transactions";
constexpr const char* kInvalidations =
    "decoding runs out of memory after many invalidations by concurrent DDL";
constexpr const char* kPartial = "a new slot may begin in the middle of a transaction";
constexpr const char* kIdentity =
    "an unchanged key value in TOAST is not sent, and the row's update is lost";
constexpr const char* kSnapshot = "a slot that begins behind DDL may decode with a wrong catalog";
constexpr const char* kColumnList = "wrong columns are sent for tables with a column list";

// From the release notes. One line a major version and bug.
constexpr ServerBug kBugs[] = {
    {140000, 140018, kStaleCatalog},  {150000, 150013, kStaleCatalog},
    {160000, 160009, kStaleCatalog},  {170000, 170005, kStaleCatalog},
    {140018, 140019, kInvalidations}, {150013, 150014, kInvalidations},
    {160009, 160010, kInvalidations}, {170005, 170006, kInvalidations},
    {140000, 140013, kPartial},       {150000, 150008, kPartial},
    {160000, 160004, kPartial},       {140000, 140003, kIdentity},
    {140000, 140006, kSnapshot},      {150000, 150002, kColumnList},
};

}  // namespace

std::vector<std::string> KnownServerBugs(int server_version) {
  std::vector<std::string> bugs;
  for (const auto& bug : kBugs) {
    if (server_version < bug.first || server_version >= bug.fixed) continue;
    bugs.push_back(
        fmt::format("{}; fixed in {}.{}", bug.symptom, bug.fixed / 10000, bug.fixed % 10000));
  }
  return bugs;
}

}  // namespace pgteal::tools
