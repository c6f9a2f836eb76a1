#include "pg/lsn.h"

#include <charconv>

namespace pgteal::pg {
namespace {

std::optional<uint32_t> ParseHex32(std::string_view text) {
  uint32_t value = 0;
  if (text.empty() || text.size() > 8) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::string Lsn::ToString() const { return fmt::format("{}", *this); }

std::optional<Lsn> Lsn::Parse(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto high = ParseHex32(text.substr(0, slash));
  const auto low = ParseHex32(text.substr(slash + 1));
  if (!high || !low) return std::nullopt;
  return Lsn{(static_cast<uint64_t>(*high) << 32) | *low};
}

}  // namespace pgteal::pg
