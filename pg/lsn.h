#ifndef PGTEAL_PG_LSN_H_
#define PGTEAL_PG_LSN_H_

#include <fmt/format.h>

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pgteal::pg {

// A position in the write-ahead log, in bytes. Only end LSNs of commits (and positions that a
// keepalive names) are ever compared for progress: begin and change LSNs are not ordered by commit.
struct Lsn {
  uint64_t value = 0;

  auto operator<=>(const Lsn&) const = default;
  bool is_valid() const { return value != 0; }

  // "16/B374D848", as the server prints it before version 19 and reads it in every version.
  std::string ToString() const;
  // Accepts both `X/X` and the zero-padded `X/XXXXXXXX` of PostgreSQL 19.
  static std::optional<Lsn> Parse(std::string_view text);
};

// Bytes from `from` to `to`, zero when `to` is behind.
inline uint64_t BytesBetween(Lsn from, Lsn to) {
  return to.value > from.value ? to.value - from.value : 0;
}

}  // namespace pgteal::pg

template <>
struct fmt::formatter<pgteal::pg::Lsn> : fmt::formatter<std::string_view> {
  auto format(pgteal::pg::Lsn lsn, fmt::format_context& ctx) const -> decltype(ctx.out()) {
    return fmt::format_to(ctx.out(), "{:X}/{:X}", lsn.value >> 32, lsn.value & 0xFFFFFFFFU);
  }
};

#endif  // PGTEAL_PG_LSN_H_
