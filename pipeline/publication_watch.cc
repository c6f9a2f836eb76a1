#include "pipeline/publication_watch.h"

#include <map>

#include "applier/progress_row.h"
#include "applier/renamed_table.h"
#include "pipeline/complete_record.h"
#include "pipeline/following_tables.h"

namespace pgteal::pipeline {
namespace {

struct Sides {
  pg::Connection& blue;
  pg::Connection& green;
  const std::string& deployment;
};

struct Findings {
  std::vector<std::string> behind;
  std::optional<pg::Lsn> awaited;
  RecordRows before;
  RecordRows after;
};

// Whose name its rows bear in the stream.
Oid SentFor(const Membership& membership, const Oid& table) {
  Oid sent = table;
  for (const auto& one : Lineage(membership, table)) {
    if (membership.is_via_root && !membership.tables.at(one).ways.empty()) sent = one;
  }
  return sent;
}

std::map<TableKey, FollowingTable> FindAllFollowing(pg::Connection& green,
                                                    const Membership& membership) {
  std::set<TableKey> keys;
  for (const auto& [oid, table] : membership.tables) keys.insert(table.key);
  return FindFollowing(green, keys);
}

// Tells which tables are complete, from what is recorded and what the catalogs tell of the others.
class Judge {
 public:
  Judge(const Sides& sides, const CompleteRecord& record, const Membership& now,
        std::optional<pg::Lsn> written = {})
      : sides_(sides),
        record_(record),
        now_(now),
        written_(written),
        following_(FindAllFollowing(sides.green, now)) {
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
        continue;
      }
      AddWays(table, behind.contains(oid) || parents_.contains(oid), &found.after);
      if (!table.is_partitioned) AddFollowing(SentFor(now_, oid), &found.after);
    }
    std::set<std::string> names;
    for (const auto& oid : behind) names.insert(ReloadName(now_.tables.at(NamedFor(oid)).key));
    found.behind.assign(names.begin(), names.end());
    if (awaits_rows_) found.awaited = written_;
    return found;
  }

  // A copy into a table that another one's rows are in would destroy these.
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
    for (const auto& way : table.ways) {
      if (IsMadeInside(oid, way) || IsTakenOver(oid, way)) return false;
    }
    return true;
  }

  // On both sides. What blue has deleted while it was not published is still on green.
  bool IsEmpty(const Oid& oid, const MemberTable& table) {
    if (!Is(oid, &Origin::is_empty, true)) return false;
    const bool is_new = Is(oid, &Origin::never_had_rows, true);
    const bool may_get_rows = record_.tables_behind.contains(oid) || !HolderOf(oid).empty() ||
                              (record_.tables_complete.contains(oid) && !is_new);
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
    if (!written_) {
      written_ = sides_.blue
                     .Exec(
                         "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
                         " ELSE pg_current_wal_flush_lsn() END")
                     .LsnAt(0, 0);
    }
    const auto progress = applier::ReadProgress(sides_.green, sides_.deployment);
    has_all_rows_ = progress && progress->end_lsn >= *written_;
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

  const Sides sides_;
  const CompleteRecord& record_;
  const Membership& now_;
  std::optional<pg::Lsn> written_;
  std::optional<bool> has_all_rows_;
  bool awaits_rows_ = false;
  const std::map<TableKey, FollowingTable> following_;
  std::map<Oid, Oid> holders_;     // by green's tables
  std::map<Oid, Origin> origins_;  // of what is not recorded
  std::set<Oid> parents_;
};

Findings Compare(const Sides& sides, std::optional<pg::Lsn> written = {}) {
  const auto record = ReadRecord(sides.green, sides.deployment);
  const auto now = ReadMembership(sides.blue, sides.deployment);
  return Judge(sides, record, now, written).Find();
}

RecordRows AllComplete(const Membership& membership) {
  RecordRows rows;
  AddMark(membership, &rows);
  for (const auto& [oid, table] : membership.tables) AddWays(table, false, &rows);
  return rows;
}

// An older pgteal kept what it prepared under the kind of a side that follows. A deployment of the
// same name that streams to blue, and a turn, have one of their own there.
bool HasBeenFollowing(pg::Connection& blue, const std::string& deployment) {
  return !blue.Exec(
                  "SELECT FROM pgteal.deployment WHERE name = $1"
                  " UNION ALL SELECT FROM pgteal.turn WHERE deployment = $1",
                  {deployment})
              .is_empty();
}

// Of tables that are copied, and of their partitions, whatever was said before. What holds them on
// green is found at the next look: a copy may make it anew.
void RecordCopied(pg::Connection& green, const std::string& deployment,
                  const Membership& membership, const std::set<TableKey>& tables, bool is_behind) {
  const auto before = ReadRecord(green, deployment).rows;
  std::set<Oid> copied;
  for (const auto& [oid, table] : membership.tables) {
    for (const auto& one : Lineage(membership, oid)) {
      if (tables.contains(membership.tables.at(one).key)) copied.insert(oid);
    }
  }
  RecordRows after;
  for (const auto& [definition, name] : before) {
    if (!copied.contains(TableOf(definition))) after.emplace(definition, name);
  }
  for (const auto& oid : copied) AddWays(membership.tables.at(oid), is_behind, &after);
  ReplaceRecord(green, deployment, before, after);
}

}  // namespace

void RecordAllComplete(pg::Connection& green, const std::string& deployment,
                       const Membership& membership) {
  ReplaceRecord(green, deployment, ReadRecord(green, deployment).rows, AllComplete(membership));
}

void RecordPrepared(pg::Connection& blue, const std::string& deployment,
                    const Membership& membership) {
  const auto before = ReadRecord(blue, deployment, kPreparedTable).rows;
  ReplaceRecord(blue, deployment, before, AllComplete(membership), kPreparedTable);
}

bool TakePrepared(pg::Connection& blue, pg::Connection& green, const std::string& deployment) {
  auto prepared = ReadRecord(blue, deployment, kPreparedTable);
  if (!prepared.exists && !HasBeenFollowing(blue, deployment)) {
    prepared = ReadRecord(blue, deployment);
  }
  if (!prepared.exists) return false;
  ReplaceRecord(green, deployment, ReadRecord(green, deployment).rows, prepared.rows);
  return true;
}

void RecordWayBack(pg::Connection& closing, pg::Connection& opening,
                   const std::string& deployment) {
  const auto record = ReadRecord(closing, deployment);
  const auto now = ReadMembership(opening, deployment);
  const auto following = FindAllFollowing(closing, now);
  std::set<Oid> lacking;
  for (const auto& [oid, table] : now.tables) {
    if (!following.contains(now.tables.at(SentFor(now, oid)).key)) lacking.insert(oid);
  }
  auto behind = record.tables_behind;
  for (const auto& [oid, origin] : ReadOrigins(opening, lacking)) {
    if (!origin.is_empty) behind.insert(oid);
  }
  RecordRows after;
  AddMark(now, &after);
  for (const auto& [oid, table] : now.tables) AddWays(table, behind.contains(oid), &after);
  ReplaceRecord(closing, deployment, record.rows, after);
}

void RecordComplete(pg::Connection& green, const std::string& deployment,
                    const Membership& membership, const std::set<TableKey>& tables) {
  RecordCopied(green, deployment, membership, tables, false);
}

void RecordBehind(pg::Connection& green, const std::string& deployment,
                  const Membership& membership, const std::set<TableKey>& tables) {
  RecordCopied(green, deployment, membership, tables, true);
}

void RequireOwnTables(pg::Connection& blue, pg::Connection& green, const Deployment& deployment,
                      const Membership& membership, const std::set<TableKey>& tables) {
  const auto record = ReadRecord(green, deployment.name);
  Judge({.blue = blue, .green = green, .deployment = deployment.name}, record, membership)
      .RequireOwn(deployment.sides, tables);
}

Published RecordPublished(pg::Connection& blue, pg::Connection& green,
                          const std::string& deployment, std::optional<pg::Lsn> written) {
  const auto found = Compare({.blue = blue, .green = green, .deployment = deployment}, written);
  ReplaceRecord(green, deployment, found.before, found.after);
  return {.is_complete = found.behind.empty(), .awaited = found.awaited};
}

std::vector<std::string> TablesBehind(pg::Connection& blue, pg::Connection& green,
                                      const std::string& deployment) {
  return Compare({.blue = blue, .green = green, .deployment = deployment}).behind;
}

}  // namespace pgteal::pipeline
