#include "pipeline/schema_dump.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <utility>

#include "pg/error.h"
#include "pipeline/child_process.h"

namespace pgteal::pipeline {
namespace {

// The section of the service file that we write for one run.
constexpr const char* kService = "pgteal";

// keyword='value', with quotes and backslashes escaped (PostgreSQL docs, Connection Strings).
// Without what must not be on a command line.
std::string Text(const pg::ConnInfo& info) {
  std::string text;
  for (const auto& [keyword, value] : info.settings()) {
    if (keyword == "password" || keyword == "sslpassword" || keyword == "application_name")
      continue;
    text += keyword + "='";
    for (const char c : value) {
      if (c == '\'' || c == '\\') text += '\\';
      text += c;
    }
    text += "' ";
  }
  return text;
}

// "pg_dump (PostgreSQL) 15.6 (Debian …)", "… 18beta1"
int Major(const std::string& version) {
  const size_t at = version.find(") ");
  return at == std::string::npos ? 0 : std::atoi(version.c_str() + at + 2);
}

std::string LastLines(const std::string& text) {
  constexpr size_t kMax = 600;
  std::string tail = text.size() > kMax ? text.substr(text.size() - kMax) : text;
  while (!tail.empty() && tail.back() == '\n') tail.pop_back();
  for (char& c : tail) {
    if (c == '\n') c = ' ';
  }
  return tail;
}

}  // namespace

SchemaDump::SchemaDump(const pg::ConnInfo& source, const DumpOptions& options, int source_version,
                       const pg::Interrupt* interrupt)
    : source_(source), options_(options), interrupt_(interrupt) {
  CheckVersion("pg_dump", source_version);
  CheckVersion("pg_restore", source_version);
}

std::string SchemaDump::Program(const std::string& name) const {
  return options_.pg_bin.empty() ? name : (std::filesystem::path(options_.pg_bin) / name).string();
}

void SchemaDump::CheckVersion(const std::string& name, int source_version) const {
  const int wanted = source_version / 10000;
  const std::string hint = fmt::format(
      "Install the client programs of PostgreSQL {} or newer and name their folder with --pg-bin, "
      "or restore the schema yourself and use --copy data.",
      wanted);
  ChildResult result;
  try {
    result = RunChild({.argv = {Program(name), "--version"}, .interrupt = interrupt_});
  } catch (const pg::ConfigError&) {
    throw pg::ConfigError(fmt::format("{} was not found", Program(name)), hint);
  }
  if (result.exit_code != 0) throw pg::ConfigError(Program(name) + " does not run", hint);
  const int found = Major(result.output);
  if (found < wanted) {
    throw pg::ConfigError(fmt::format("{} is version {} and cannot read blue's version {}",
                                      Program(name), found, wanted),
                          hint);
  }
}

std::string SchemaDump::Run(std::vector<std::string> argv,
                            std::vector<std::pair<std::string, std::string>> env) const {
  const std::string program = argv[0];
  const auto result =
      RunChild({.argv = std::move(argv), .env = std::move(env), .interrupt = interrupt_});
  if (result.exit_code == 0) return result.output;
  throw pg::Error(fmt::format("{} failed: {}", program, LastLines(result.errors)));
}

void SchemaDump::Take(const std::string& snapshot) {
  std::vector<std::string> argv = {
      Program("pg_dump"),          "--schema-only",
      "--format=custom",           "--no-subscriptions",
      "--exclude-schema=pgteal",   "--encoding=UTF8",
      "--lock-wait-timeout=10000", "--file=" + archive_.path(),
  };
  if (!snapshot.empty()) argv.push_back("--snapshot=" + snapshot);
  std::vector<std::pair<std::string, std::string>> env = {{"PGAPPNAME", "pgteal schema"}};
  if (const auto password = source_.Get("password"); !password.empty()) {
    env.emplace_back("PGPASSWORD", password);
  }
  std::string info = Text(source_);
  // libpq has no variable for this one, but takes it from a service file.
  std::optional<MemoryFile> service;
  if (const auto key = source_.Get("sslpassword"); !key.empty()) {
    if (!source_.Get("service").empty()) {
      throw pg::ConfigError("sslpassword and service do not go together",
                            "Put sslpassword into the service file.");
    }
    service.emplace("the service file", fmt::format("[{}]\nsslpassword={}\n", kService, key));
    env.emplace_back("PGSERVICEFILE", service->path());
    info += fmt::format("service='{}'", kService);
  }
  argv.push_back("--dbname=" + info);
  Run(std::move(argv), std::move(env));
}

std::vector<DumpItem> SchemaDump::Items(Section section) const {
  std::vector<std::string> argv = {
      Program("pg_restore"),
      section == Section::kPreData ? "--section=pre-data" : "--section=post-data", "--file=-"};
  if (options_.no_owner) argv.emplace_back("--no-owner");
  if (options_.no_privileges) argv.emplace_back("--no-privileges");
  argv.push_back(archive_.path());
  return SplitScript(Run(std::move(argv), {}));
}

}  // namespace pgteal::pipeline
