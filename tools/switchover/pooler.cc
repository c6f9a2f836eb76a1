#include "tools/switchover/pooler.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <utility>

#include "pg/connection.h"
#include "pg/error.h"
#include "pg/pooler_console.h"
#include "pg/quote.h"
#include "tools/cli/options.h"

namespace pgteal::tools {
namespace {

std::string Trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// In pgbouncer.ini a quote within a quoted value is doubled.
std::string QuoteValue(const std::string& value) {
  std::string text = "'";
  for (const char c : value) {
    text += c;
    if (c == '\'') text += c;
  }
  return text + "'";
}

bool IsPlace(const std::string& keyword) {
  return keyword == "host" || keyword == "port" || keyword == "dbname";
}

// The settings of an entry but host, port and dbname, as they are written.
std::string OtherSettings(const std::string& settings) {
  std::string kept;
  size_t at = 0;
  while ((at = settings.find_first_not_of(" \t", at)) != std::string::npos) {
    const size_t equals = settings.find('=', at);
    if (equals == std::string::npos) break;
    size_t end = settings.find_first_not_of(" \t", equals + 1);
    if (end == std::string::npos) end = settings.size();
    if (end < settings.size() && settings[end] == '\'') {
      for (++end; end < settings.size(); ++end) {
        if (settings[end] != '\'') continue;
        if (end + 1 >= settings.size() || settings[end + 1] != '\'') break;
        ++end;
      }
      end = std::min(settings.size(), end + 1);
    } else {
      end = std::min(settings.size(), settings.find_first_of(" \t", end));
    }
    if (!IsPlace(Trimmed(settings.substr(at, equals - at)))) {
      kept += " " + settings.substr(at, end - at);
    }
    at = end;
  }
  return kept;
}

std::string Place(const pg::ConnInfo& side, const std::string& database) {
  std::string place;
  const std::string host = side.Get("hostaddr").empty() ? side.Get("host") : side.Get("hostaddr");
  if (!host.empty()) place += " host=" + QuoteValue(host);
  if (!side.Get("port").empty()) place += " port=" + side.Get("port");
  const std::string dbname = side.Get("dbname");
  return place + " dbname=" + QuoteValue(dbname.empty() ? database : dbname);
}

}  // namespace

Pooler::Pooler(PoolerOptions options)
    : options_(std::move(options)), console_(ParseConnInfo(options_.conninfo, "--pgbouncer")) {}

pg::Connection Pooler::Console(const pg::Interrupt* interrupt) const {
  pg::SessionOptions session{.application_name = "pgteal pooler"};
  session.is_console = true;
  session.interrupt = interrupt;
  return {console_, session};
}

void Pooler::Command(const std::string& command, const pg::Interrupt* interrupt) const {
  Console(interrupt).Exec(command);
}

bool Pooler::IsPaused() const {
  auto console = Console(nullptr);
  return pg::IsPaused(console, options_.database);
}

void Pooler::Pause(const pg::Interrupt* interrupt) {
  Command("PAUSE " + pg::QuoteIdentifier(options_.database), interrupt);
}

void Pooler::Check(const pg::ConnInfo& side) const {
  Command("SHOW VERSION", nullptr);
  if (options_.config.empty()) return;
  Rewritten(side);
  if (access(options_.config.c_str(), W_OK) != 0) {
    throw pg::ConfigError("cannot write " + options_.config);
  }
}

std::string Pooler::Rewritten(const pg::ConnInfo& side) const {
  std::ifstream in(options_.config);
  std::stringstream text;
  text << in.rdbuf();
  if (!in) throw pg::ConfigError("cannot read " + options_.config);
  return PointedAt(text.str(), options_.database, side);
}

void Pooler::PointAt(const pg::ConnInfo& side) {
  if (!options_.config.empty()) {
    const std::string text = Rewritten(side);
    // Written in place: a new file would have another owner and mode.
    std::ofstream out(options_.config, std::ios::trunc);
    out << text;
    out.flush();
    if (!out) throw pg::ConfigError("cannot write " + options_.config);
  }
  Command("RELOAD", nullptr);
}

void Pooler::Resume() {
  if (IsPaused()) Command("RESUME " + pg::QuoteIdentifier(options_.database), nullptr);
}

std::string PointedAt(const std::string& ini, const std::string& database,
                      const pg::ConnInfo& side) {
  std::istringstream in(ini);
  std::string out;
  std::string line;
  bool is_in_databases = false;
  bool is_found = false;
  while (std::getline(in, line)) {
    const std::string trimmed = Trimmed(line);
    if (trimmed.starts_with('[')) is_in_databases = trimmed == "[databases]";
    const size_t equals = line.find('=');
    std::string name = equals == std::string::npos ? "" : Trimmed(line.substr(0, equals));
    if (name.size() > 2 && name.starts_with('"')) name = name.substr(1, name.size() - 2);
    if (is_in_databases && name == database) {
      line = line.substr(0, equals + 1) + Place(side, database) +
             OtherSettings(line.substr(equals + 1));
      is_found = true;
    }
    out += line + "\n";
  }
  if (!is_found) {
    throw pg::Refused(
        fmt::format("PgBouncer's configuration has no entry {} in [databases]", database),
        "Name the entry with --pgbouncer-database.");
  }
  return out;
}

}  // namespace pgteal::tools
