#ifndef PGTEAL_TOOLS_CLI_JSON_TEXT_H_
#define PGTEAL_TOOLS_CLI_JSON_TEXT_H_

#include <nlohmann/json.hpp>
#include <string>

namespace pgteal::tools {

// How JSON is printed. Names, keys and messages of a SQL_ASCII database need not be UTF-8, and one
// such byte must not cost the whole report: it becomes U+FFFD.
template <typename Json>
std::string JsonText(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_CLI_JSON_TEXT_H_
