#include "pg/sqlstate.h"

#include <algorithm>
#include <array>

namespace pgteal::pg {
namespace {

struct Entry {
  std::string_view code;  // five characters, or two for a whole class
  Judgement judgement;
};

constexpr auto kRetry = Verdict::kRetry;
constexpr auto kStop = Verdict::kStop;

constexpr std::string_view kLockNotAvailable = "55P03";

constexpr std::string_view kRaisedHint =
    "A trigger or function of the server refuses it, its log has the message: mend that, then "
    "start again.";

// PostgreSQL manual, appendix A. Sorted by code so that a reader finds it.
constexpr std::array kTable = {
    Entry{"08", {kRetry, "connection exception", ""}},
    Entry{"0A",
          {kStop, "feature not supported", "Compare the two servers' versions and settings."}},
    Entry{"0A000",
          {kStop, "feature not supported", "Compare the two servers' versions and settings."}},
    Entry{"21", {kStop, "cardinality violation", ""}},
    Entry{"22",
          {kStop, "data exception",
           "Green's column does not take blue's value: compare the column types on both sides, "
           "alter green, then start again."}},
    Entry{"22001",
          {kStop, "string data right truncation",
           "Green's column is shorter than blue's: widen it, then start again."}},
    Entry{"22003",
          {kStop, "numeric value out of range",
           "Green's column is narrower than blue's: widen it, then start again."}},
    Entry{"22012", {kStop, "division by zero", ""}},
    Entry{"22P02",
          {kStop, "invalid text representation",
           "Green's column does not take blue's value: compare the column types (enum labels, "
           "domains), then start again."}},
    Entry{"22P03",
          {kStop, "invalid binary representation",
           "Green's column has another type than blue's: start again with --binary off."}},
    Entry{"23",
          {kStop, "integrity constraint violation",
           "Green holds rows or constraints that blue has not: compare the table on both sides, "
           "mend green, then start again."}},
    Entry{"23502",
          {kStop, "not null violation",
           "Green demands a value that blue does not: drop the NOT NULL or add a default on green, "
           "then start again."}},
    Entry{"23503",
          {kStop, "foreign key violation",
           "Let pgteal's role set session_replication_role on green (GRANT SET ON PARAMETER "
           "session_replication_role TO ...), then start again."}},
    Entry{"23505",
          {kStop, "unique violation",
           "Green holds a row that blue has not sent: somebody else wrote there, or the load "
           "overlapped. Mend it, or choose --on-conflict, then start again."}},
    Entry{"23514",
          {kStop, "check violation",
           "Green has a CHECK constraint that blue's row breaks: drop it or make it match blue, "
           "then start again."}},
    Entry{"23P01",
          {kStop, "exclusion violation",
           "Green holds a row that blue has not sent. Mend it, then start again."}},
    Entry{"25006",
          {kStop, "read only sql transaction",
           "The target is a standby or read-only: point --target at the primary."}},
    Entry{"28",
          {kStop, "invalid authorization specification",
           "Check user, password and pg_hba.conf of the connection string."}},
    Entry{"28P01",
          {kStop, "invalid password", "Check user and password of the connection string."}},
    Entry{"38", {kStop, "external routine exception", kRaisedHint}},
    Entry{"39", {kStop, "external routine invocation exception", kRaisedHint}},
    Entry{"3D000",
          {kStop, "invalid catalog name",
           "Create the database, or mend dbname in the connection string."}},
    Entry{"3F000", {kStop, "invalid schema name", "Create the schema on green, then start again."}},
    Entry{"40", {kRetry, "transaction rollback", ""}},
    Entry{"42", {kStop, "syntax error or access rule violation", ""}},
    Entry{"42501",
          {kStop, "insufficient privilege",
           "Grant the missing privilege to pgteal's role (README, Privileges), then start again."}},
    Entry{"42703", {kStop, "undefined column", "Add the column on green, then start again."}},
    Entry{"42704", {kStop, "undefined object", ""}},
    Entry{"42710", {kStop, "duplicate object", ""}},
    Entry{"42804",
          {kStop, "datatype mismatch",
           "Green's column has another type than blue's: make them match, then start again."}},
    Entry{"42846",
          {kStop, "cannot coerce",
           "Green's column has a type that blue's cannot become: make them match, then start "
           "again."}},
    Entry{"42P01", {kStop, "undefined table", "Create the table on green, then start again."}},
    Entry{"53",
          {kRetry, "insufficient resources", "The server is out of disk, memory or connections."}},
    Entry{"53400",
          {kRetry, "configuration limit exceeded",
           "The server is at a limit of its configuration (max_replication_slots, temp_file_limit, "
           "...): raise it, or free what it counts; it is tried again."}},
    Entry{"54",
          {kStop, "program limit exceeded",
           "A value or statement exceeds a limit of the server (1 GB per value)."}},
    Entry{"55", {kRetry, "object not in prerequisite state", ""}},
    Entry{"55000", {kStop, "object not in prerequisite state", ""}},
    Entry{
        "55006",
        {kRetry, "object in use", "Another process uses the replication slot; it is tried again."}},
    Entry{"57", {kRetry, "operator intervention", ""}},
    Entry{"57014", {kRetry, "query canceled", ""}},
    Entry{"57P01", {kRetry, "admin shutdown", ""}},
    Entry{"57P04", {kStop, "database dropped", ""}},
    Entry{"58", {kRetry, "system error", ""}},
    Entry{
        "58P01",
        {kStop, "undefined file", "The server needs WAL or a library that is gone: see its log."}},
    Entry{"P0", {kStop, "exception of a function", kRaisedHint}},
    Entry{"XX", {kRetry, "internal error", ""}},
    Entry{"XX001", {kStop, "data corrupted", "The server reports corruption: see its log."}},
    Entry{"XX002",
          {kStop, "index corrupted",
           "The server reports a corrupted index: REINDEX it, then start again."}},
};

const Entry* Find(std::string_view code) {
  const auto* found = std::find_if(kTable.begin(), kTable.end(),
                                   [code](const Entry& entry) { return entry.code == code; });
  return found == kTable.end() ? nullptr : found;
}

}  // namespace

Judgement Judge(std::string_view sqlstate) {
  if (const Entry* exact = Find(sqlstate)) return exact->judgement;
  if (const Entry* by_class = Find(sqlstate.substr(0, 2))) return by_class->judgement;
  return {kRetry, "unknown condition", ""};
}

Judgement JudgeOfFunction(std::string_view sqlstate) {
  const Judgement judgement = Judge(sqlstate);
  const bool is_known = Find(sqlstate) != nullptr || Find(sqlstate.substr(0, 2)) != nullptr;
  const bool is_prerequisite = sqlstate.starts_with("55") && sqlstate != kLockNotAvailable;
  if (judgement.verdict == kRetry && is_known && !is_prerequisite) return judgement;
  return {kStop, judgement.name, kRaisedHint};
}

bool MessageMayHoldValues(std::string_view sqlstate) {
  return sqlstate.starts_with("22") || sqlstate.starts_with("23") || sqlstate.starts_with("21");
}

}  // namespace pgteal::pg
