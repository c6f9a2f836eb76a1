#include "pipeline/publication_watch.h"

#include <map>
#include <thread>

#include "pipeline/complete_record.h"
#include "pipeline/following_tables.h"

namespace pgteal::pipeline {
namespace {

using std::chrono::milliseconds;

// How long a question waits for green to be where a table can be judged.
constexpr milliseconds kAwaitedMax{3000};
constexpr milliseconds kAwaitedLook{50};

Findings Compare(const JudgedSides& sides, const Positions& positions = {}) {
  const auto record = ReadRecord(sides.green, sides.deployment);
  const auto now = ReadMembership(sides.blue, sides.deployment);
  return JudgeMembership(sides, record, now, positions);
}

RecordRows AllComplete(const Membership& membership) {
  RecordRows rows;
  AddMark(membership, &rows);
  for (const auto& [oid, table] : membership.tables) AddWays(table, false, &rows);
  return rows;
}

// What holds the rows of which table: by names, while these are the same on both sides.
void AddAllFollowing(const CompleteRecord& record, const Membership& membership,
                     const std::map<TableKey, FollowingTable>& following, RecordRows* rows) {
  for (const auto& [oid, table] : membership.tables) {
    if (table.ways.empty() || table.is_partitioned) continue;
    const Oid sent = SentFor(membership, oid);
    const auto& key = membership.tables.at(sent).key;
    const auto found = following.find(key);
    if (found != following.end()) AddOnGreen(record, key, sent, found->second.oid, rows);
  }
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
  const auto record = ReadRecord(green, deployment);
  auto after = AllComplete(membership);
  AddAllFollowing(record, membership, FindFollowing(green, membership), &after);
  ReplaceRecord(green, deployment, record.rows, after);
}

void RecordFollowing(pg::Connection& green, const std::string& deployment,
                     const Membership& membership) {
  const auto record = ReadRecord(green, deployment);
  auto after = record.rows;
  AddAllFollowing(record, membership, FindFollowing(green, membership), &after);
  ReplaceRecord(green, deployment, record.rows, after);
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

void RecordWayBack(pg::Connection& closing, pg::Connection& opening, const std::string& deployment,
                   bool has_followed) {
  const auto record = ReadRecord(closing, deployment);
  const auto now = ReadMembership(opening, deployment);
  const auto following = FindFollowing(closing, now);
  std::set<Oid> lacking;
  for (const auto& [oid, table] : now.tables) {
    if (!following.contains(now.tables.at(SentFor(now, oid)).key)) lacking.insert(oid);
  }
  std::set<Oid> behind;
  if (has_followed) behind = record.tables_behind;
  for (const auto& [oid, origin] : ReadOrigins(opening, lacking)) {
    if (!origin.is_empty) behind.insert(oid);
  }
  RecordRows after;
  AddMark(now, &after);
  for (const auto& [oid, table] : now.tables) AddWays(table, behind.contains(oid), &after);
  AddAllFollowing(record, now, following, &after);
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
  RequireOwnRows({.blue = blue, .green = green, .deployment = deployment.name}, record, membership,
                 deployment.sides, tables);
}

Published RecordPublished(pg::Connection& blue, pg::Connection& green,
                          const std::string& deployment, const Positions& positions) {
  const auto found = Compare({.blue = blue, .green = green, .deployment = deployment}, positions);
  ReplaceRecord(green, deployment, found.before, found.after);
  return {.is_complete = found.behind.empty(), .awaited = found.awaited};
}

std::vector<std::string> TablesBehind(pg::Connection& blue, pg::Connection& green,
                                      const std::string& deployment) {
  const JudgedSides sides{.blue = blue, .green = green, .deployment = deployment};
  auto found = Compare(sides);
  // A stream that keeps up is past it in a moment.
  const auto deadline = Clock::now() + kAwaitedMax;
  while (found.awaited && Clock::now() < deadline) {
    std::this_thread::sleep_for(kAwaitedLook);
    found = Compare(sides, {.written = found.awaited, .reached = {}});
  }
  return found.behind;
}

}  // namespace pgteal::pipeline
