#include "applier/progress_row.h"

#include <fmt/format.h>

#include <array>

#include "applier/errors.h"
#include "pg/quote.h"

namespace pgteal::applier {
namespace {

constexpr pg::Oid kPgLsn{3220};
constexpr pg::Oid kTimestamptz{1184};
constexpr pg::Oid kInt8{20};
constexpr pg::Oid kText{25};

// Moves the row if it is ours and stamps the commit with where it comes from on blue ({}: a call).
constexpr const char* kAdvanceSql =
    "WITH moved AS (UPDATE pgteal.progress SET end_lsn = $1, commit_time = $2,"
    " written_at = coalesce($7, written_at),"
    " transactions = transactions + $3, changes = changes + $4, updated_at = clock_timestamp()"
    " WHERE slot = $5 AND generation = $6 AND end_lsn <= $1 RETURNING 1)"
    " SELECT 1 / count(*){} FROM moved";
constexpr const char* kStamp = ", pg_replication_origin_xact_setup($1, $2)";

constexpr const char* kProgressColumns =
    "end_lsn, generation, transactions, changes, coalesce((extract(epoch FROM commit_time"
    " - '2000-01-01 00:00:00+00') * 1000000)::bigint, 0)";

// int8, pg_lsn and timestamptz all travel as eight bytes, most significant first.
std::array<char, 8> BigEndian(uint64_t value) {
  std::array<char, 8> bytes{};
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<char>((value >> (8 * (7 - i))) & 0xFF);
  }
  return bytes;
}

std::string_view View(const std::array<char, 8>& bytes) { return {bytes.data(), bytes.size()}; }

Progress FromRow(const pg::Result& row) {
  return {.end_lsn = row.LsnAt(0, 0),
          .generation = static_cast<uint64_t>(row.Int(0, 1)),
          .transactions = static_cast<uint64_t>(row.Int(0, 2)),
          .changes = static_cast<uint64_t>(row.Int(0, 3)),
          .commit_time = {row.Int(0, 4)}};
}

}  // namespace

std::optional<Progress> ReadProgress(pg::Connection& green, const std::string& slot) {
  const auto row = green.Exec(
      std::string("SELECT ") + kProgressColumns + " FROM pgteal.progress WHERE slot = $1", {slot});
  if (row.is_empty()) return std::nullopt;
  return FromRow(row);
}

void InsertProgress(pg::Connection& green, const std::string& slot, pg::Lsn end_lsn) {
  green.Exec("INSERT INTO pgteal.progress (slot, end_lsn) VALUES ($1, $2)",
             {slot, end_lsn.ToString()});
}

Progress TakeOver(pg::Connection& green, const std::string& slot, std::optional<uint64_t> expected,
                  int lock_timeout_ms) {
  const std::string only =
      expected ? fmt::format(" AND generation = {}", *expected) : std::string();
  // What the row says now is told to blue as durable: so this commit, and everything before it, is
  // flushed whatever the role's or the database's synchronous_commit.
  const auto results = green.ExecTogether(
      {{"SELECT set_config('lock_timeout', $1, true),"
        " set_config('synchronous_commit', 'local', true)",
        {std::to_string(lock_timeout_ms)}},
       {"UPDATE pgteal.progress SET generation = generation + 1 WHERE slot = $1" + only +
            " RETURNING " + kProgressColumns,
        {slot}}});
  const auto& row = results[1];
  if (row.is_empty()) {
    throw TakenOver(fmt::format("another process has taken over slot {}", slot),
                    "Let that one run, or stop it and start this one again.");
  }
  return FromRow(row);
}

void FlushProgress(pg::Connection& green, const std::string& slot, uint64_t generation) {
  // One text is one round trip, and one transaction, of which the setting is a part.
  green.Exec(
      fmt::format("SET LOCAL synchronous_commit = local;"
                  " UPDATE pgteal.progress SET updated_at = clock_timestamp()"
                  " WHERE slot = {} AND generation = {}",
                  pg::QuoteLiteral(slot), generation));
}

size_t SendAdvance(pg::Pipelined& pipelined, StatementCache& statements, const std::string& slot,
                   uint64_t generation, bool has_origin, const Batch& batch) {
  const auto end_lsn = BigEndian(batch.end_lsn.value);
  const auto commit_time = BigEndian(static_cast<uint64_t>(batch.commit_time.micros));
  const auto transactions = BigEndian(batch.transaction_count);
  const auto changes = BigEndian(batch.change_count);
  const auto generation_bytes = BigEndian(generation);
  pg::Params params;
  params.AddBinary(View(end_lsn));
  params.AddBinary(View(commit_time));
  params.AddBinary(View(transactions));
  params.AddBinary(View(changes));
  params.AddBinary(slot);
  params.AddBinary(View(generation_bytes));
  const auto written_at =
      BigEndian(static_cast<uint64_t>(batch.written_at.value_or(pg::Timestamp{}).micros));
  if (batch.written_at) {
    params.AddBinary(View(written_at));
  } else {
    params.AddNull();
  }
  const auto& name =
      statements.Prepare(pipelined, fmt::format(kAdvanceSql, has_origin ? kStamp : ""),
                         {kPgLsn, kTimestamptz, kInt8, kInt8, kText, kInt8, kTimestamptz});
  return pipelined.SendPrepared(name, params);
}

}  // namespace pgteal::applier
