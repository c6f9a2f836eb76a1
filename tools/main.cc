#include <malloc.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "pg/error.h"
#include "tools/cli/exit_codes.h"
#include "tools/cli/json_log.h"
#include "tools/cli/options.h"
#include "tools/cli/terminal_log.h"
#include "tools/cli/verbs.h"

namespace {

using pgteal::tools::ExitCode;

struct LogOptions {
  spdlog::level::level_enum level = spdlog::level::info;
  std::string format = "text";
};

const std::map<std::string, spdlog::level::level_enum> kLevels = {{"debug", spdlog::level::debug},
                                                                  {"info", spdlog::level::info},
                                                                  {"warn", spdlog::level::warn},
                                                                  {"error", spdlog::level::err}};

// Logs go to standard error; standard output belongs to what a verb reports.
void SetUpLog(const LogOptions& options) {
  spdlog::sink_ptr sink;
  if (isatty(STDERR_FILENO) == 1) {
    sink = std::make_shared<pgteal::tools::TerminalLog>();
  } else {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  }
  auto logger = std::make_shared<spdlog::logger>("pgteal", sink);
  logger->set_level(options.level);
  if (options.format == "json") {
    logger->set_formatter(pgteal::tools::JsonLogFormatter());
  } else {
    logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %^%l%$ %v");
  }
  spdlog::set_default_logger(logger);
}

// Transactions come and go by the hundred megabytes a second; giving each one's pages back to the
// kernel would cost more than decoding it. What is kept this way is bounded by the ring's limit.
void KeepFreedMemory() {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
}

// Bytes that break a format have no remedy of their own.
constexpr const char* kProtocolHint =
    "Nothing was lost; the same command resumes. If it happens again, look for a proxy or a "
    "network "
    "device that changes bytes, record the stream with `pgteal capture` and report it.";

int Report(const pgteal::pg::Error& error, int exit_code) {
  spdlog::error("{}", error.what());
  const bool is_protocol = dynamic_cast<const pgteal::pg::ProtocolError*>(&error) != nullptr;
  const std::string hint = error.hint().empty() && is_protocol ? kProtocolHint : error.hint();
  if (!hint.empty()) spdlog::error("hint: {}", hint);
  return exit_code;
}

// What CLI11 says of a key of the configuration file that nobody knows, in our words. A section
// that is no verb is known by the mark that opens it.
std::string ConfigText(const CLI::ConfigError& error) {
  constexpr std::string_view kUnknown = "INI was not able to parse ";
  constexpr std::string_view kSectionMark = ".++";
  std::string key = error.what();
  if (!key.starts_with(kUnknown)) return key;
  key.erase(0, kUnknown.size());
  if (!key.ends_with(kSectionMark)) return "configuration file: there is no option " + key;
  key.resize(key.size() - kSectionMark.size());
  return "configuration file: there is no verb for section [" + key + "]";
}

// What could not be printed was not reported: a verb that is done has failed at that.
int AfterFlush(int exit_code) {
  if (std::cout.flush()) return exit_code;
  spdlog::error("cannot write to standard output: what is printed there is not complete");
  return exit_code == ExitCode::kDone ? ExitCode::kFailed : exit_code;
}

int ParseAndRun(CLI::App& app, int argc, char** argv, const int& exit_code) {
  try {
    app.parse(argc, argv);
    return exit_code;
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::RequiredError& error) {
    const auto unknown = app.remaining();
    if (!app.get_subcommands().empty() || unknown.empty()) {
      app.exit(error);
    } else {
      const bool is_option = unknown.front().starts_with('-');
      app.exit(CLI::ParseError(
          (is_option ? "there is no option " : "there is no command ") + unknown.front(),
          CLI::ExitCodes::ExtrasError));
    }
    return ExitCode::kUsage;
  } catch (const CLI::ConfigError& error) {
    app.exit(CLI::ConfigError(ConfigText(error)));
    return ExitCode::kUsage;
  } catch (const CLI::ParseError& error) {
    app.exit(error);
    return ExitCode::kUsage;
  } catch (const pgteal::pg::ConfigError& error) {
    return Report(error, ExitCode::kUsage);
  } catch (const pgteal::pg::Refused& error) {
    return Report(error, ExitCode::kRefused);
  } catch (const pgteal::pg::Interrupted& error) {
    return Report(error, ExitCode::kInterrupted);
  } catch (const pgteal::pg::Error& error) {
    return Report(error, ExitCode::kFailed);
  } catch (const std::exception& error) {
    spdlog::error("unexpected: {}", error.what());
    return ExitCode::kFailed;
  }
}

}  // namespace

int main(int argc, char** argv) {
  KeepFreedMemory();
  CLI::App app(
      "Moves a PostgreSQL database (blue) to another server (green) with a write outage "
      "of about a second and a way back.",
      "pgteal");
  app.require_subcommand(1);
  app.set_config("--config", "", "Read options from a TOML file");
  // Before the verbs, which inherit it: an option that nobody knows is a typing error.
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.set_version_flag("--version", PGTEAL_VERSION);
  LogOptions log;
  app.add_option("--log-level", log.level, "debug, info, warn, error")
      ->transform(pgteal::tools::OneOf(kLevels))
      ->default_str("info");
  app.add_option("--log-format", log.format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  app.parse_complete_callback([&log] { SetUpLog(log); });
  int exit_code = ExitCode::kDone;
  pgteal::tools::AddCheck(&app, &exit_code);
  pgteal::tools::AddPrepare(&app, &exit_code);
  pgteal::tools::AddRun(&app, &exit_code);
  pgteal::tools::AddStatus(&app, &exit_code);
  pgteal::tools::AddSwitchover(&app, &exit_code);
  pgteal::tools::AddRollback(&app, &exit_code);
  pgteal::tools::AddSyncSequences(&app, &exit_code);
  pgteal::tools::AddVerify(&app, &exit_code);
  pgteal::tools::AddCapture(&app, &exit_code);
  pgteal::tools::AddInspect(&app, &exit_code);
  pgteal::tools::AddReplay(&app, &exit_code);
  pgteal::tools::AddCleanup(&app, &exit_code);
  return AfterFlush(ParseAndRun(app, argc, argv, exit_code));
}
