#include "pg/quote.h"

#include "pg/error.h"

namespace pgteal::pg {
namespace {

void RefuseNul(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) {
    throw ConfigError("a name or string holds a NUL byte");
  }
}

}  // namespace

std::string QuoteIdentifier(std::string_view name) {
  RefuseNul(name);
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out += '"';
}

std::string QuoteQualified(std::string_view schema, std::string_view name) {
  return QuoteIdentifier(schema) + "." + QuoteIdentifier(name);
}

std::string QuoteLiteral(std::string_view text) {
  RefuseNul(text);
  const bool has_backslash = text.find('\\') != std::string_view::npos;
  std::string out = has_backslash ? " E'" : "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += c;
    out += c;
  }
  return out += '\'';
}

std::string ArrayLiteral(const std::vector<std::string>& values) {
  std::string text;
  for (const auto& value : values) {
    text += text.empty() ? "{\"" : ",\"";
    for (const char c : value) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  return text.empty() ? "{}" : text + "}";
}

}  // namespace pgteal::pg
