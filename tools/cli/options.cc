#include "tools/cli/options.h"

#include <algorithm>

#include "pg/error.h"
#include "pg/lsn.h"

namespace pgteal::tools {
namespace {

pg::ConnInfo ParseRequired(const std::string& text, const char* option, const char* variable) {
  if (text.empty()) {
    throw pg::ConfigError(std::string(option) + " is missing",
                          std::string("Give ") + option + " CONNINFO, or set " + variable + ".");
  }
  return ParseConnInfo(text, option);
}

}  // namespace

void AddSource(CLI::App* app, CommonOptions* options) {
  app->add_option("--source", options->source, "Connection string of blue, the database to move")
      ->envname("PGTEAL_SOURCE")
      ->type_name("CONNINFO");
}

void AddTarget(CLI::App* app, CommonOptions* options) {
  app->add_option("--target", options->target, "Connection string of green, the database to be")
      ->envname("PGTEAL_TARGET")
      ->type_name("CONNINFO");
}

void AddName(CLI::App* app, CommonOptions* options) {
  app->add_option("--name", options->name,
                  "Name of the deployment; slot and publication on blue bear it")
      ->check(CheckName)
      ->capture_default_str();
}

pg::ConnInfo ParseConnInfo(const std::string& text, const std::string& option) {
  try {
    return pg::ConnInfo::Parse(text);
  } catch (const pg::ConfigError& error) {
    throw pg::ConfigError(option + ": " + error.what(), error.hint());
  }
}

pg::ConnInfo ParseSource(const CommonOptions& options) {
  return ParseRequired(options.source, "--source", "PGTEAL_SOURCE");
}

pg::ConnInfo ParseTarget(const CommonOptions& options) {
  return ParseRequired(options.target, "--target", "PGTEAL_TARGET");
}

std::string CheckName(const std::string& name) {
  const bool is_valid = !name.empty() && name.size() <= 50 &&
                        std::all_of(name.begin(), name.end(), [](unsigned char c) {
                          return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
                        });
  return is_valid ? "" : "use up to 50 of a-z, 0-9 and _ (it becomes the name of a slot)";
}

std::string CheckLsn(const std::string& text) {
  return pg::Lsn::Parse(text) ? "" : "is not an LSN (expected something like 16/B374D848)";
}

}  // namespace pgteal::tools
