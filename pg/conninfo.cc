#include "pg/conninfo.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <memory>

#include "pg/error.h"

namespace pgteal::pg {

ConnInfo ConnInfo::Parse(const std::string& text) {
  char* raw_message = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(text.c_str(), &raw_message), &PQconninfoFree);
  const std::unique_ptr<char, decltype(&PQfreemem)> message(raw_message, &PQfreemem);
  if (!options) {
    throw ConfigError(
        "the connection string cannot be parsed",
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
