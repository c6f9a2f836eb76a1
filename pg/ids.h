#ifndef PGTEAL_PG_IDS_H_
#define PGTEAL_PG_IDS_H_

#include <compare>
#include <cstdint>
#include <functional>

namespace pgteal::pg {

// A transaction id as it stands in replication messages: 32 bits, wraps around, so it identifies a
// transaction only while that is open. Never ordered.
struct Xid {
  uint32_t value = 0;
  bool operator==(const Xid&) const = default;
};

// An object id of one cluster's catalogs. Blue's and green's differ for everything user-defined.
struct Oid {
  uint32_t value = 0;
  auto operator<=>(const Oid&) const = default;

  // Objects below are created by initdb and have the same id in every cluster
  // (FirstNormalObjectId).
  static constexpr uint32_t kFirstNormal = 16384;
  bool is_builtin() const { return value < kFirstNormal; }
};

}  // namespace pgteal::pg

template <>
struct std::hash<pgteal::pg::Xid> {
  size_t operator()(pgteal::pg::Xid xid) const noexcept { return std::hash<uint32_t>()(xid.value); }
};
template <>
struct std::hash<pgteal::pg::Oid> {
  size_t operator()(pgteal::pg::Oid oid) const noexcept { return std::hash<uint32_t>()(oid.value); }
};

#endif  // PGTEAL_PG_IDS_H_
