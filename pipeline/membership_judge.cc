#include "pipeline/membership_judge.h"

#include <algorithm>
#include <map>

#include "applier/progress_row.h"
#include "applier/renamed_table.h"
#include "pipeline/following_tables.h"

namespace pgteal::pipeline {
namespace {

class Judge {
 public:
  Judge(const JudgedSides& sides, const CompleteRecord& record, const Membership& now,
        const Positions& positions)
      : sides_(sides),
        record_(record),
        now_(now),
        positions_(positions),
        following_(FindFollowing(sides.green, now)) {
    for (const auto& [mine, on_green] : record.on_green) holders_[on_green] = mine;
    if (!record.exists) return;
    std::set<Oid> unknown;
    for (const auto& [oid, table] : now.tables) {
      if (table.ways.empty() || IsComplete(oid, table)) continue;
      for (const auto& one : Lineage(now, oid)) unknown.insert(one);
    }
    origins_ = ReadOrigins(sides.blue, unknown);
  }

  Findings Find() {
    Findings found{.behind = {}, .awaited = {}, .before = record_.rows, .after = {}};
    AddMark(now_, &found.after);
    std::set<Oid> behind;
    for (const auto& [oid, table] : now_.tables) {
      if (!table.is_partitioned && IsBehind(oid, table)) behind.insert(oid);
    }
    for (const auto& oid : behind) CountParents(oid);
    for (const auto& [oid, table] : now_.tables) {
      if (IsHeld(oid)) {
        KeepRows(oid, &found.after);
        // Its container is a known one from now on.
        if (!IsRecorded(table) && !IsMade(oid, table)) AddWays(table, true, &found.after);
        continue;
      }
      AddWays(table, behind.contains(oid) || parents_.contains(oid), &found.after);
      if (!table.is_partitioned) AddFollowing(SentFor(now_, oid), &found.after);
    }
    KeepDropped(&found.after);
    std::set<std::string> names;
    for (const auto& oid : behind) names.insert(ReloadName(now_.tables.at(NamedFor(oid)).key));
    found.behind.assign(names.begin(), names.end());
    if (awaits_rows_) found.awaited = positions_.written;
    return found;
  }

  void RequireOwn(const applier::SideNames& names, const std::set<TableKey>& tables) const {
    for (const auto& [oid, table] : now_.tables) {
      if (!tables.contains(table.key) || !IsHeld(oid)) continue;
      const Oid holder = HolderOf(oid);
      throw applier::HeldByAnother(sides_.green, sides_.deployment, names, table.key,
                                   {static_cast<uint32_t>(std::stoul(holder))},
                                   now_.tables.at(holder).key);
    }
  }

 private:
  bool IsRecorded(const MemberTable& table) const {
    if (!record_.exists || record_.names.contains(NameOf(table.key))) return true;
    for (const auto& way : table.ways) {
      if (record_.complete.contains(way.text)) return true;
    }
    return false;
  }

  bool IsComplete(const Oid& oid, const MemberTable& table) const {
    return IsRecorded(table) && !IsReplaced(oid);
  }

  // Green has another table under that name than the one that holds the rows: blue's was renamed.
  bool IsReplaced(const Oid& oid) const {
    const Oid sent = SentFor(now_, oid);
    const auto known = record_.on_green.find(sent);
    const auto found = following_.find(now_.tables.at(sent).key);
    return known != record_.on_green.end() && found != following_.end() &&
           known->second != found->second.oid;
  }

  // The other table of blue, of now or before, whose rows green's table of that name has.
  Oid HolderOf(const Oid& oid) const {
    const Oid sent = SentFor(now_, oid);
    const auto found = following_.find(now_.tables.at(sent).key);
    if (found == following_.end()) return "";
    const auto holder = holders_.find(found->second.oid);
    return holder == holders_.end() || holder->second == sent ? "" : holder->second;
  }

  // Blue renamed that one and goes on with it. The stream has stopped before the first change
  // (applier/target_catalog.cc), so all is as it was; until green's is renamed, too, its names are
  // wrong. It is given up once green has a new table for the other one.
  bool IsHeld(const Oid& oid) const {
    const Oid holder = HolderOf(oid);
    const auto found = now_.tables.find(holder);
    return found != now_.tables.end() && !found->second.ways.empty() &&
           SentFor(now_, holder) == holder && !(IsReplaced(holder) && HolderOf(holder).empty());
  }

  void KeepRows(const Oid& oid, RecordRows* rows) const {
    for (const auto& [definition, name] : record_.rows) {
      if (TableOf(definition) == oid) rows->emplace(definition, name);
    }
  }

  // What blue has dropped, or publishes no more, is on green still, and not what comes in its
  // place.
  void KeepDropped(RecordRows* rows) const {
    std::set<Oid> held;
    for (const auto& [definition, name] : *rows) {
      if (IsOnGreen(definition)) held.insert(definition.substr(definition.rfind(' ') + 1));
    }
    for (const auto& [definition, name] : record_.rows) {
      if (!IsOnGreen(definition) || now_.tables.contains(TableOf(definition))) continue;
      if (!held.contains(definition.substr(definition.rfind(' ') + 1))) {
        rows->emplace(definition, name);
      }
    }
  }

  // While green has none, what it had is remembered.
  void AddFollowing(const Oid& sent, RecordRows* rows) const {
    const auto& key = now_.tables.at(sent).key;
    const auto found = following_.find(key);
    const auto known = record_.on_green.find(sent);
    if (found != following_.end()) {
      AddOnGreen(record_, key, sent, found->second.oid, rows);
    } else if (known != record_.on_green.end()) {
      AddOnGreen(record_, key, sent, known->second, rows);
    }
  }

  // One that is behind stays so whatever it comes with later.
  bool IsBehind(const Oid& oid, const MemberTable& table) {
    if (table.ways.empty()) return false;
    if (IsHeld(oid)) return true;
    if (IsComplete(oid, table) || IsEmpty(oid, table)) return false;
    if (record_.tables_behind.contains(oid) || IsReplaced(oid)) return true;
    if (!HolderOf(oid).empty()) return true;  // one that blue has dropped: its rows are still there
    return !IsMade(oid, table);
  }

  bool IsMade(const Oid& oid, const MemberTable& table) const {
    return std::any_of(table.ways.begin(), table.ways.end(), [&](const MembershipWay& way) {
      return IsMadeInside(oid, way) || IsTakenOver(oid, way);
    });
  }

  // On both sides. What blue has deleted while it was not published is still on green.
  bool IsEmpty(const Oid& oid, const MemberTable& table) {
    if (!Is(oid, &Origin::is_empty, true)) return false;
    const bool is_new = Is(oid, &Origin::never_had_rows, true);
    const bool may_get_rows = !is_new || !HolderOf(oid).empty();
    const bool has_all = !may_get_rows || HasAllRows();  // before green's are looked at
    if (!IsEmptyOnGreen(table, is_new)) return false;
    awaits_rows_ |= !has_all;
    return has_all;
  }

  // Where its parent is what is sent, green may have its rows anywhere in that.
  bool IsEmptyOnGreen(const MemberTable& table, bool is_new) {
    const auto found = following_.find(table.key);
    if (found == following_.end()) return is_new || !now_.is_via_root || table.parent.empty();
    return found->second.may_be_read && !HasRows(sides_.green, table.key, found->second);
  }

  // What blue had written. Flushed is enough: what empties a table flushes all that was before.
  bool HasAllRows() {
    if (has_all_rows_) return *has_all_rows_;
    if (!positions_.written) {
      positions_.written =
          sides_.blue
              .Exec(
                  "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
                  " ELSE pg_current_wal_flush_lsn() END")
              .LsnAt(0, 0);
    }
    const auto progress = applier::ReadProgress(sides_.green, sides_.deployment);
    has_all_rows_ =
        progress && std::max(progress->end_lsn, positions_.reached) >= *positions_.written;
    return *has_all_rows_;
  }

  bool IsMadeInside(const Oid& oid, const MembershipWay& way) const {
    if (!Is(oid, &Origin::has_first_storage) || !IsKnown(oid, way)) return false;
    for (const auto& one : Lineage(now_, oid)) {
      if (one == way.top) return true;
      if (!Is(one, &Origin::was_made_as_partition)) return false;
    }
    return false;
  }

  // Whether what is made on this way now is published from the first row on.
  bool IsKnown(const Oid& oid, const MembershipWay& way) const {
    if (IsKnownContainer(way.container) &&
        (way.container.starts_with('a') || Is(way.top, &Origin::has_first_schema))) {
      return true;
    }
    return way.top != oid &&
           (record_.complete.contains(way.top_text) || record_.behind.contains(way.top_text));
  }

  bool IsKnownContainer(const std::string& container) const {
    const auto& known = record_.has_oids ? record_.containers : now_.containers;
    return !container.empty() &&
           (" " + known + " ").find(" " + container + " ") != std::string::npos;
  }

  // What an older record does not tell of is as complete as what it came with.
  bool IsTakenOver(const Oid& oid, const MembershipWay& way) const {
    if (record_.has_each) return false;
    return IsKnownContainer(way.container) ||
           (way.top != oid && record_.complete.contains(way.top_text));
  }

  // That came with their partitions, and are what there is to reload.
  void CountParents(const Oid& oid) {
    for (const auto& way : now_.tables.at(oid).ways) {
      if (way.top == oid || IsRecorded(now_.tables.at(way.top))) continue;
      if (!IsKnownContainer(way.container) || !Is(way.top, &Origin::has_first_schema)) {
        parents_.insert(way.top);
      }
    }
  }

  // The copy knows either partitions or their root.
  Oid NamedFor(const Oid& oid) const {
    Oid named = oid;
    const Oid sent = SentFor(now_, oid);
    for (const auto& one : Lineage(now_, oid)) {
      if (one == sent || parents_.contains(one)) named = one;
    }
    return named;
  }

  bool Is(const Oid& oid, bool Origin::*what, bool if_gone = false) const {
    const auto found = origins_.find(oid);
    return found == origins_.end() ? if_gone : found->second.*what;
  }

  const JudgedSides sides_;
  const CompleteRecord& record_;
  const Membership& now_;
  Positions positions_;
  std::optional<bool> has_all_rows_;
  bool awaits_rows_ = false;
  const std::map<TableKey, FollowingTable> following_;
  std::map<Oid, Oid> holders_;     // by green's tables
  std::map<Oid, Origin> origins_;  // of what is not recorded
  std::set<Oid> parents_;
};

}  // namespace

Findings JudgeMembership(const JudgedSides& sides, const CompleteRecord& record,
                         const Membership& now, const Positions& positions) {
  return Judge(sides, record, now, positions).Find();
}

void RequireOwnRows(const JudgedSides& sides, const CompleteRecord& record, const Membership& now,
                    const applier::SideNames& names, const std::set<TableKey>& tables) {
  Judge(sides, record, now, {}).RequireOwn(names, tables);
}

}  // namespace pgteal::pipeline
