#include "pg/conninfo.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <memory>

#include "pg/error.h"

namespace pgteal::pg {

namespace {

// libpq's reason. It quotes words of the string, of which any may be a part of a secret that was
// badly quoted: a keyword is named only where there is none.
std::string Reason(std::string_view message, std::string_view text) {
  while (message.ends_with('\n')) message.remove_suffix(1);
  if (text.find("pass") == std::string_view::npos && text.find("://") == std::string_view::npos &&
      message.starts_with("invalid connection option")) {
    return std::string(message);
  }
  std::string reason;
  bool is_quoted = false;
  for (const char c : message) {
    if (c != '"' && !is_quoted) reason += c;
    if (c != '"') continue;
    is_quoted = !is_quoted;
    if (is_quoted) reason += "…";
  }
  return reason;
}

}  // namespace

ConnInfo ConnInfo::Parse(const std::string& text) {
  char* raw_message = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(text.c_str(), &raw_message), &PQconninfoFree);
  const std::unique_ptr<char, decltype(&PQfreemem)> message(raw_message, &PQfreemem);
  if (!options) {
    throw ConfigError(
        fmt::format("the connection string cannot be parsed: {}",
                    Reason(message ? message.get() : "out of memory", text)),
        "Give it as \"host=... dbname=... user=...\" or \"postgresql://user@host/db\".");
  }
  ConnInfo info;
  for (const auto* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) info.Set(option->keyword, option->val);
  }
  return info;
}

std::string ConnInfo::Get(std::string_view keyword) const {
  const auto found = std::find_if(settings_.begin(), settings_.end(),
                                  [keyword](const auto& s) { return s.first == keyword; });
  return found == settings_.end() ? "" : found->second;
}

void ConnInfo::Set(std::string_view keyword, std::string value) {
  const auto found = std::find_if(settings_.begin(), settings_.end(),
                                  [keyword](const auto& s) { return s.first == keyword; });
  if (found != settings_.end()) {
    found->second = std::move(value);
  } else {
    settings_.emplace_back(keyword, std::move(value));
  }
}

void ConnInfo::SetDefault(std::string_view keyword, std::string value) {
  if (Get(keyword).empty()) Set(keyword, std::move(value));
}

std::string ConnInfo::Describe() const {
  std::string text;
  for (const char* keyword : {"host", "hostaddr", "port", "dbname", "user", "service"}) {
    const std::string value = Get(keyword);
    if (!value.empty()) text += fmt::format("{}{}={}", text.empty() ? "" : " ", keyword, value);
  }
  return text.empty() ? "libpq defaults" : text;
}

}  // namespace pgteal::pg
