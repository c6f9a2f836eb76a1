#ifndef PGTEAL_TOOLS_CLI_OPTIONS_H_
#define PGTEAL_TOOLS_CLI_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <map>
#include <string>

#include "pg/conninfo.h"

namespace pgteal::tools {

// Options that several verbs share. Filled by CLI11 before a verb's callback runs.
struct CommonOptions {
  std::string source;
  std::string target;
  std::string name = "pgteal";
};

void AddSource(CLI::App* app, CommonOptions* options);
void AddTarget(CLI::App* app, CommonOptions* options);
void AddName(CLI::App* app, CommonOptions* options);

// Throw ConfigError naming the option and its environment variable when it is missing.
pg::ConnInfo ParseSource(const CommonOptions& options);
pg::ConnInfo ParseTarget(const CommonOptions& options);

// Throws ConfigError that names the option.
pg::ConnInfo ParseConnInfo(const std::string& text, const std::string& option);

// For an option with a few named values: as CLI11's CheckedTransformer, which answers a wrong name
// with its own source text instead of the choices.
template <typename T>
CLI::Validator OneOf(const std::map<std::string, T>& choices) {
  return CLI::Validator(
      [choices](std::string& value) -> std::string {
        std::string names;
        for (const auto& [name, choice] : choices) {
          const auto number = std::to_string(static_cast<int>(choice));
          if (value == name || value == number) {
            value = number;
            return "";
          }
          names += (names.empty() ? "" : ", ") + name;
        }
        return value + " is none of: " + names;
      },
      "");
}

// A slot name: what PostgreSQL allows, since the slot bears it.
std::string CheckName(const std::string& name);
std::string CheckLsn(const std::string& text);

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_CLI_OPTIONS_H_
