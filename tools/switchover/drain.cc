#include "tools/switchover/drain.h"

#include <fmt/format.h>

#include <utility>

#include "pg/error.h"
#include "pipeline/doorbell.h"

namespace pgteal::tools {
namespace {

// Between two looks at the progress row, which nobody can wake us for.
constexpr std::chrono::milliseconds kLook{2};

// A run of an older pgteal does not tell when rows were written last.
constexpr const char* kHeldSql =
    "SELECT end_lsn, transactions, (extract(epoch FROM (to_jsonb(p)->>'written_at')::timestamptz"
    " - '2000-01-01 00:00:00+00') * 1000000)::bigint FROM pgteal.progress AS p WHERE slot = $1";

// The number behind the last transaction that has ended.
constexpr const char* kNextXidSql = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint";

}  // namespace

Drain::Drain(pg::Connection& from, pg::Connection& to, std::string slot)
    : from_(from), to_(to), slot_(std::move(slot)) {}

Drain::Held Drain::Read() {
  const auto row = to_.Exec(kHeldSql, {slot_});
  if (row.is_empty()) {
    throw pg::Refused(fmt::format("the progress of slot {} is gone", slot_),
                      "It was cleaned up meanwhile.");
  }
  Held held{.end_lsn = row.LsnAt(0, 0), .transactions = row.Int(0, 1), .last_commit = {}};
  if (!row.IsNull(0, 2)) held.last_commit = pg::Timestamp{row.Int(0, 2)};
  return held;
}

uint64_t Drain::LagBytes() {
  const pg::Lsn end = from_.Exec("SELECT pg_current_wal_insert_lsn()").LsnAt(0, 0);
  const pg::Lsn held = Read().end_lsn;
  return end > held ? end.value - held.value : 0;
}

pg::Lsn Drain::ToEnd() {
  // A transaction of its own, so that the walsender has something to send at once. Past its message
  // is its commit record, flushed by now. The end of the log would be farther: the next record's
  // place may be on a new page, and what a reader writes (a pruned page) is flushed by nobody.
  const auto message = from_.Exec("SELECT pg_logical_emit_message(true, 'pgteal', 'barrier')");
  const pg::Lsn mark{message.LsnAt(0, 0).value + 1};
  next_xid_ = from_.Exec(kNextXidSql).Int(0, 0);
  pipeline::Doorbell never;
  while (true) {
    const Held held = Read();
    if (held.end_lsn >= mark) {
      transactions_ = held.transactions;
      last_commit_ = held.last_commit;
      return mark;
    }
    never.Wait(pipeline::Clock::now() + kLook);
  }
}

int64_t Drain::Prove() {
  const int64_t before = transactions_;
  const int64_t xid_before = next_xid_;
  ToEnd();
  const int64_t others = transactions_ - before - 1;
  if (others == 0) return next_xid_ - xid_before - 1;
  throw pg::Refused(
      fmt::format("{} transactions were committed after the fence, by sessions that it does not "
                  "stop",
                  others),
      "Find who writes with pgteal's own role or as a background job, and stop it.");
}

}  // namespace pgteal::tools
