#include "pipeline/schema_guard.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "applier/schema.h"
#include "pg/error.h"
#include "pipeline/ddl_log.h"
#include "pipeline/publication_watch.h"
#include "pipeline/schema_drift.h"
#include "pipeline/supervisor.h"
#include "pipeline/table_state.h"

namespace pgteal::pipeline {
namespace {

using std::chrono::seconds;

constexpr seconds kInterval{10};
// After a request: a table that is changed often is not looked at all the time.
constexpr seconds kPause{1};
// A comparison of many objects takes a second or two.
constexpr seconds kLastLook{5};
// Objects named in one event.
constexpr size_t kNamesMax = 20;

std::string Names(const std::vector<SchemaDifference>& changes, const applier::SideNames& sides) {
  std::string text;
  for (size_t i = 0; i < std::min(changes.size(), kNamesMax); ++i) {
    text += (i == 0 ? "" : "; ") + changes[i].Describe(sides);
  }
  if (changes.size() > kNamesMax) text += fmt::format("; … ({} in all)", changes.size());
  return text;
}

// The same as long as neither side's schema has changed.
std::string Tokens(pg::Connection& blue, pg::Connection& green) {
  return SchemaToken(blue) + " " + SchemaToken(green);
}

// Of these the description says what to do; there is no SQL for it.
bool IsAboutRows(const SchemaDifference& difference) {
  return difference.kind == kCompleteTable || difference.kind == kCopiedTable;
}

// Whoever started a plain run after it may not know what was left.
bool WarnOfUnfinished(pg::Connection& blue, pg::Connection& green, const std::string& deployment) {
  const auto unfinished = UnfinishedReloads(blue, green, deployment);
  for (const auto& table : unfinished) {
    const std::string name = ReloadName(table);
    spdlog::warn(
        "a reload of {} was interrupted and has left it without all its rows; next step: stop this "
        "run and start it with --reload-table {}",
        name, name);
  }
  return !unfinished.empty();
}

}  // namespace

SchemaGuard::SchemaGuard(const Deployment& deployment, DdlGuard mode)
    : deployment_(deployment), mode_(mode) {}

SchemaGuard::~SchemaGuard() { Stop(); }

void SchemaGuard::Prepare(pg::Connection& blue, pg::Connection& green) {
  try {
    // What is behind is for the first look to tell. Without one, a switchover asks all the same.
    const auto published = RecordPublished(blue, green, deployment_.name);
    bool is_complete = published.is_complete;
    is_complete &= !WarnOfUnfinished(blue, green, deployment_.name);
    if (mode_ == DdlGuard::kOff) return;
    if (published.awaited) RecordTables(blue, green, Tokens(blue, green));
    has_log_ = mode_ == DdlGuard::kEventTrigger && InstallDdlLog(blue);
    if (mode_ == DdlGuard::kEventTrigger && !has_log_) {
      spdlog::warn("our role may not create event triggers on {}: its catalog is compared only",
                   deployment_.sides.blue);
    }
    if (ReadBaseline(green, deployment_.name)) return;
    const std::string tokens = Tokens(blue, green);
    const auto known = FindDifferences(blue, deployment_.name, CompareStructure(blue, green));
    RecordBaseline(green, deployment_.name, known);
    // The first look need not compare what has just been compared.
    if (is_complete) tokens_ = tokens;
    if (known.empty()) return;
    spdlog::warn("{}'s schema differs from the start: {}", deployment_.sides.green,
                 Names(known, deployment_.sides));
  } catch (const pg::ServerError& error) {
    if (blue.is_broken() || green.is_broken()) throw;
    spdlog::warn("changes of {}'s schema are not noticed: {}", deployment_.sides.blue,
                 error.what());
  }
}

void SchemaGuard::Start() {
  if (mode_ == DdlGuard::kOff) return;
  thread_ = std::jthread([this] { Run(); });
}

void SchemaGuard::LookSoon() {
  is_asked_.store(true, std::memory_order_release);
  wake_.Ring();
}

void SchemaGuard::LookOnce(pg::Connection& blue, pg::Connection& green, pg::Lsn reached) {
  if (mode_ == DdlGuard::kOff) return;
  Stop();
  reached_ = reached;
  if (has_looked_ && !awaited_) return;
  try {
    Look(blue, green);
  } catch (const pg::Error& error) {
    spdlog::debug("{}'s schema was not compared: {}", deployment_.sides.blue, error.what());
  }
}

void SchemaGuard::LookLast() {
  if (mode_ == DdlGuard::kOff) return;
  Stop();
  // The session's own may have been interrupted already.
  Supervisor look;
  const std::atomic<bool> is_ending = true;
  const StuckWatch stuck(is_ending, look, kLastLook);
  LookSafely(look.interrupt());
  blue_.reset();
  green_.reset();
}

void SchemaGuard::Stop() {
  is_stopping_.store(true, std::memory_order_release);
  interrupt_.Raise();
  wake_.Ring();
  thread_ = {};
  blue_.reset();
  green_.reset();
}

void SchemaGuard::Run() {
  // A start has more urgent things to do.
  auto next = Clock::now() + kPause;
  auto earliest = next;
  while (!is_stopping_.load(std::memory_order_acquire)) {
    const auto now = Clock::now();
    const bool is_asked = is_asked_.load(std::memory_order_acquire);
    if (now >= next || (is_asked && now >= earliest)) {
      is_asked_.store(false, std::memory_order_release);
      LookSafely(interrupt_);
      earliest = Clock::now() + kPause;
      next = Clock::now() + kInterval;
    }
    wake_.Wait(is_asked_.load(std::memory_order_acquire) ? std::min(earliest, next) : next);
  }
}

void SchemaGuard::LookSafely(const pg::Interrupt& interrupt) {
  try {
    Connect(interrupt);
    Look(*blue_, *green_);
  } catch (const pg::Error& error) {
    spdlog::debug("{}'s schema is not compared for the moment: {}", deployment_.sides.blue,
                  error.what());
    blue_.reset();
    green_.reset();
  }
}

void SchemaGuard::Connect(const pg::Interrupt& interrupt) {
  const auto session = SessionOptionsFor("guard", deployment_.name, &interrupt);
  if (!blue_) blue_ = std::make_unique<pg::Connection>(deployment_.source, session);
  if (!green_) green_ = std::make_unique<pg::Connection>(deployment_.target, session);
}

void SchemaGuard::Look(pg::Connection& blue, pg::Connection& green) {
  if (has_log_) ReportStatements(blue, green);
  const std::string tokens = Tokens(blue, green);
  has_looked_ = true;
  if (tokens == tokens_ && !awaited_) return;
  const auto baseline = ReadBaseline(green, deployment_.name);
  if (!baseline) return;
  RecordTables(blue, green, tokens);
  if (tokens == tokens_ && awaited_) return;
  tokens_.clear();  // until what follows has been told
  const auto drift =
      FindDrift(blue, green, deployment_.name, *baseline, CompareStructure(blue, green));
  Report(green, drift);
  tokens_ = tokens;
}

// As long as the catalogs stay as they are, so does the position that green has to reach: blue goes
// on, and green is seldom where it is at the moment.
void SchemaGuard::RecordTables(pg::Connection& blue, pg::Connection& green,
                               const std::string& tokens) {
  const auto written = tokens == awaiting_tokens_ ? awaited_ : std::nullopt;
  const auto published =
      RecordPublished(blue, green, deployment_.name, {.written = written, .reached = reached_});
  awaited_ = published.awaited;
  awaiting_tokens_ = tokens;
}

void SchemaGuard::ReportStatements(pg::Connection& blue, pg::Connection& green) {
  for (const auto& line : ReadDdlLog(blue)) {
    spdlog::info("on {}: {}", deployment_.sides.blue, line);
    applier::RecordEvent(green, deployment_.name, "ddl_statement", line);
  }
}

void SchemaGuard::Report(pg::Connection& green, const std::vector<SchemaDifference>& changes) {
  const std::string names = Names(changes, deployment_.sides);
  const std::string settled = fmt::format("{} has the changes of {}'s schema",
                                          deployment_.sides.green, deployment_.sides.blue);
  const bool is_settled = changes.empty();
  green.Exec("BEGIN");
  const bool has_moved =
      green
          .Exec("UPDATE pgteal.deployment SET state = $3 WHERE name = $1 AND state = $2",
                {deployment_.name, is_settled ? "degraded" : "streaming",
                 is_settled ? "streaming" : "degraded"})
          .affected_rows() > 0;
  const bool is_news = has_moved || (!is_settled && names != reported_);
  if (is_news) {
    applier::RecordEvent(green, deployment_.name, is_settled ? "ddl_settled" : "ddl",
                         is_settled ? settled : names);
  }
  green.Exec("COMMIT");
  reported_ = names;
  if (!is_news) return;
  if (is_settled) {
    spdlog::info("{}", settled);
  } else if (std::all_of(changes.begin(), changes.end(), IsAboutRows)) {
    spdlog::warn("{} has not all rows: {}", deployment_.sides.green, names);
  } else {
    spdlog::warn("{}'s schema has changed, {}'s has not: {}. `pgteal check` prints the SQL",
                 deployment_.sides.blue, deployment_.sides.green, names);
  }
}

}  // namespace pgteal::pipeline
