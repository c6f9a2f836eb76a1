#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tools/cli/json_text.h"
#include "tools/cli/status_line.h"
#include "tools/status/status.h"

namespace pgteal::tools {
namespace {

constexpr size_t kTablesShown = 20;

std::string Bytes(int64_t bytes) { return BytesText(static_cast<uint64_t>(bytes < 0 ? 0 : bytes)); }

std::string SlotText(const Status& status, const StatusRates& rates) {
  if (!status.slot) {
    return status.is_source_reached ? "slot         missing on the side that sends\n"
                                    : "slot         unknown: the side that sends is unreachable\n";
  }
  const auto& slot = *status.slot;
  std::string text =
      fmt::format("slot         {}, WAL {} ({} kept)", slot.is_active ? "active" : "idle",
                  slot.wal_status, Bytes(slot.retained_bytes));
  if (slot.safe_bytes) {
    text += fmt::format(", limit in {}", Bytes(*slot.safe_bytes));
    if (rates.slot_limit_seconds) text += fmt::format(" = {:.0f} s", *rates.slot_limit_seconds);
  }
  return text + "\n";
}

std::string StateText(const Status& status) {
  if (!status.state.empty()) return status.state;
  return status.is_target_reached ? "none" : "unknown";
}

std::string LsnText(pg::Lsn lsn) { return lsn.is_valid() ? lsn.ToString() : "unknown"; }

nlohmann::json LsnJson(pg::Lsn lsn) {
  return lsn.is_valid() ? nlohmann::json(lsn.ToString()) : nlohmann::json();
}

std::string AppliedText(const Status& status) {
  if (!status.is_target_reached) {
    return fmt::format("applied      unknown, the side that sends is at {}\n",
                       LsnText(status.source_lsn));
  }
  return fmt::format("applied      {} of {}, {} transactions, {} changes\n", status.applied_lsn,
                     LsnText(status.source_lsn), status.transactions, status.changes);
}

std::string LagText(const Status& status, const StatusRates& rates) {
  if (!status.lag_bytes) return "lag          unknown\n";
  std::string text = fmt::format("lag          {}", Bytes(*status.lag_bytes));
  if (status.lag_seconds) text += fmt::format(", {:.1f} s", *status.lag_seconds);
  if (status.lag_transactions)
    text += fmt::format(", about {} transactions", *status.lag_transactions);
  if (rates.caught_up_seconds) text += fmt::format(", gone in {:.0f} s", *rates.caught_up_seconds);
  return text + "\n";
}

std::string TablesText(const Status& status) {
  if (status.phases.empty()) return "";
  std::string text = "tables      ";
  for (const auto& [phase, count] : status.phases) text += fmt::format(" {} {}", count, phase);
  text += "\n";
  size_t shown = 0;
  for (const auto& table : status.unfinished) {
    if (shown++ == kTablesShown) {
      text += fmt::format("  … and {} more\n", status.unfinished.size() - kTablesShown);
      break;
    }
    text += fmt::format("  {:<40} {:<8} {} rows, {}\n", table.name, table.phase, table.rows,
                        Bytes(table.bytes));
  }
  return text;
}

template <typename Value>
nlohmann::json OrNull(const std::optional<Value>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

nlohmann::json SlotJson(const Status& status) {
  if (!status.slot) return {};
  return {{"active", status.slot->is_active},
          {"wal_status", status.slot->wal_status},
          {"confirmed_flush_lsn", status.slot->confirmed_flush_lsn.ToString()},
          {"retained_bytes", status.slot->retained_bytes},
          {"safe_bytes", OrNull(status.slot->safe_bytes)}};
}

}  // namespace

std::string StatusText(const Status& status, const StatusRates& rates) {
  std::string text =
      fmt::format("deployment   {}: {}, {}\n", status.name, StateText(status), status.direction);
  for (const auto& side : status.unreachable) text += fmt::format("unreachable  {}\n", side);
  if (!status.attempt_phase.empty()) {
    text += fmt::format("switchover   under way: {}\n", status.attempt_phase);
  }
  if (status.state.empty() && status.is_target_reached) return text;
  text += AppliedText(status);
  text += LagText(status, rates);
  text += fmt::format("rate         {:.0f} transactions/s, {:.0f} changes/s, {}/s of WAL\n",
                      rates.transactions, rates.changes,
                      Bytes(static_cast<int64_t>(rates.source_bytes)));
  text += SlotText(status, rates);
  text += TablesText(status);
  if (status.conflicts > 0) text += fmt::format("conflicts    {}\n", status.conflicts);
  for (const auto& event : status.events) {
    text += fmt::format("{} {:<12} {}\n", event.at, event.kind, event.detail);
  }
  return text;
}

std::string StatusJson(const Status& status, const StatusRates& rates) {
  nlohmann::json tables = nlohmann::json::array();
  for (const auto& table : status.unfinished) {
    tables.push_back({{"name", table.name},
                      {"phase", table.phase},
                      {"rows", table.rows},
                      {"bytes", table.bytes}});
  }
  nlohmann::json events = nlohmann::json::array();
  for (const auto& event : status.events) {
    events.push_back({{"at", event.at}, {"kind", event.kind}, {"detail", event.detail}});
  }
  return JsonText(nlohmann::json{{"name", status.name},
                                 {"state", status.is_target_reached ? status.state : "unknown"},
                                 {"direction", status.direction},
                                 {"epoch", status.epoch},
                                 {"switchover_phase", status.attempt_phase},
                                 {"unreachable", status.unreachable},
                                 {"source_lsn", LsnJson(status.source_lsn)},
                                 {"applied_lsn", LsnJson(status.applied_lsn)},
                                 {"lag_bytes", OrNull(status.lag_bytes)},
                                 {"lag_seconds", OrNull(status.lag_seconds)},
                                 {"lag_transactions", OrNull(status.lag_transactions)},
                                 {"transactions", status.transactions},
                                 {"changes", status.changes},
                                 {"transactions_per_second", rates.transactions},
                                 {"changes_per_second", rates.changes},
                                 {"wal_bytes_per_second", rates.source_bytes},
                                 {"caught_up_seconds", OrNull(rates.caught_up_seconds)},
                                 {"slot_limit_seconds", OrNull(rates.slot_limit_seconds)},
                                 {"slot", SlotJson(status)},
                                 {"conflicts", status.conflicts},
                                 {"tables", status.phases},
                                 {"unfinished_tables", tables},
                                 {"events", events}});
}

}  // namespace pgteal::tools
