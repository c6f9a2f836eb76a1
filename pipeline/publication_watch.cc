#include "pipeline/publication_watch.h"

#include <fmt/format.h>

#include "pipeline/schema_diff.h"

namespace pgteal::pipeline {
namespace {

constexpr const char* kKind = kCompleteTable;
// The object of the row that says that there is a record, even of nothing.
constexpr const char* kMark = "";
// How an older pgteal kept it: by name.
constexpr const char* kNoOids = "";
// Before the containers that are known, which may be none.
constexpr const char* kOids = "oids";
constexpr const char* kBehind = "behind ";

// $1: the publication. Of a table that has two ways into it, the container counts.
constexpr const char* kContainersSql = R"(
WITH p AS (SELECT oid, puballtables FROM pg_publication WHERE pubname = $1),
containers AS (SELECT 'a' || p.oid AS token, NULL::oid AS schema FROM p WHERE p.puballtables{}))";
// Since version 15.
constexpr const char* kSchemasSql =
    " UNION ALL SELECT 'n' || m.oid, m.pnnspid FROM p JOIN pg_publication_namespace AS m"
    " ON m.pnpubid = p.oid";

// $2: containers whose tables need not be told. Nothing can be missing of what is empty, nor of a
// partition that came with its parent, or was attached to it: pgteal's schema guard sees that.
constexpr const char* kMembersSql = R"(,
members AS (
  SELECT r.prrelid AS relid, 'r' || r.oid AS token
    FROM p JOIN pg_publication_rel AS r ON r.prpubid = p.oid JOIN pg_class AS c ON c.oid = r.prrelid
   WHERE c.relnamespace NOT IN (SELECT schema FROM containers WHERE schema IS NOT NULL)
  UNION ALL
  SELECT c.oid, t.token
    FROM containers AS t JOIN pg_class AS c ON c.relnamespace = coalesce(t.schema, c.relnamespace)
   WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND c.oid >= 16384
     AND NOT c.relispartition AND t.token <> ALL (string_to_array($2, ' ')))
SELECT n.nspname || '.' || c.relname, m.token || ' ' || c.oid,
       pg_relation_size(c.oid) + coalesce((SELECT sum(pg_relation_size(t.relid))
                                             FROM pg_partition_tree(c.oid) AS t), 0) = 0
       OR EXISTS (SELECT FROM pg_partition_ancestors(c.oid) AS a JOIN members AS o
                     ON o.relid = a.relid AND o.relid <> c.oid)
  FROM members AS m JOIN pg_class AS c ON c.oid = m.relid
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname <> 'pgteal')";

// Without the tables of `known` containers.
Membership Read(pg::Connection& blue, const std::string& publication, const std::string& known) {
  const std::string containers =
      fmt::format(kContainersSql, blue.server_version() >= 150000 ? kSchemasSql : "");
  const auto tokens = blue.Exec(
      containers + " SELECT string_agg(token, ' ' ORDER BY token) FROM containers", {publication});
  const auto rows = blue.Exec(containers + kMembersSql, {publication, known});
  Membership membership{.containers = tokens.String(0, 0), .tables = {}};
  for (int i = 0; i < rows.rows(); ++i) {
    membership.tables[rows.String(i, 0)] = {.identity = rows.String(i, 1),
                                            .is_empty = rows.Bool(i, 2)};
  }
  return membership;
}

// The name of a table, or kMark; then its identity, or what is known of it.
using Rows = std::map<std::string, std::string>;

struct Record {
  bool exists = false;
  bool has_oids = false;
  std::string containers;
  Rows tables;
  std::set<std::string> complete;  // identities
  std::set<std::string> behind;
};

Record ReadRecord(pg::Connection& green, const std::string& deployment) {
  const auto rows = green.Exec(
      "SELECT object, definition FROM pgteal.schema_baseline WHERE deployment = $1 AND kind = $2",
      {deployment, kKind});
  Record record;
  for (int i = 0; i < rows.rows(); ++i) {
    const std::string definition = rows.String(i, 1);
    if (rows.Text(i, 0) == kMark) {
      record.exists = true;
      record.has_oids = definition.starts_with(kOids);
      if (record.has_oids) record.containers = definition.substr(std::string(kOids).size());
      continue;
    }
    record.tables[rows.String(i, 0)] = definition;
    if (definition.starts_with(kBehind)) {
      record.behind.insert(definition.substr(std::string(kBehind).size()));
    } else {
      record.complete.insert(definition);
    }
  }
  return record;
}

std::string Mark(const Membership& membership) {
  return membership.containers.empty() ? kOids : std::string(kOids) + " " + membership.containers;
}

bool IsInContainer(const std::string& identity) { return !identity.starts_with('r'); }

bool IsIn(const std::string& identity, const std::string& containers) {
  const std::string token = identity.substr(0, identity.find(' '));
  return (" " + containers + " ").find(" " + token + " ") != std::string::npos;
}

struct Findings {
  std::vector<std::string> behind;
  Rows changed;
  std::vector<std::string> gone;  // once they are published again, what was written is missing
};

Findings Compare(pg::Connection& blue, pg::Connection& green, const std::string& deployment) {
  const auto record = ReadRecord(green, deployment);
  // One that is behind stays so whatever it came with.
  const auto now = Read(blue, deployment, record.behind.empty() ? record.containers : "");
  const std::string& known = record.has_oids ? record.containers : now.containers;
  Findings found;
  if (!record.exists || !record.has_oids || Mark(now) != kOids + record.containers) {
    found.changed[kMark] = Mark(now);
  }
  for (const auto& [name, table] : now.tables) {
    if (record.complete.contains(table.identity)) {
      const auto row = record.tables.find(name);
      if (row == record.tables.end() || row->second != table.identity) {
        found.changed[name] = table.identity;  // renamed
      }
      continue;
    }
    const bool is_behind = record.behind.contains(table.identity);
    if (!is_behind && IsInContainer(table.identity) && IsIn(table.identity, known)) continue;
    const auto row = record.tables.find(name);
    const bool is_by_name = row != record.tables.end() && row->second == kNoOids;
    if (!record.exists || is_by_name || table.is_empty) {
      found.changed[name] = table.identity;
    } else {
      found.behind.push_back(name);
      if (!is_behind) found.changed[name] = kBehind + table.identity;
    }
  }
  for (const auto& [name, definition] : record.tables) {
    if (!now.tables.contains(name)) found.gone.push_back(name);
  }
  return found;
}

// A partition that came with its parent is none of the publication's.
Rows IdentitiesOf(const Membership& membership, const std::set<TableKey>& tables,
                  const std::string& prefix) {
  Rows rows;
  for (const auto& [schema, name] : tables) {
    const auto found = membership.tables.find(schema + "." + name);
    if (found != membership.tables.end()) rows[found->first] = prefix + found->second.identity;
  }
  return rows;
}

void Change(pg::Connection& green, const std::string& deployment, const Rows& changed,
            const std::vector<std::string>& gone) {
  constexpr const char* kDelete =
      "DELETE FROM pgteal.schema_baseline WHERE deployment = $1 AND kind = $2 AND object = $3";
  std::vector<pg::Connection::Query> queries;
  for (const auto& name : gone) {
    queries.push_back({.sql = kDelete, .params = {deployment, kKind, name}});
  }
  for (const auto& [name, definition] : changed) {
    queries.push_back({.sql = kDelete, .params = {deployment, kKind, name}});
    queries.push_back({.sql = "INSERT INTO pgteal.schema_baseline (deployment, kind, object,"
                              " definition) VALUES ($1, $2, $3, $4)",
                       .params = {deployment, kKind, name, definition}});
  }
  if (!queries.empty()) green.ExecTogether(queries);
}

}  // namespace

Membership ReadMembership(pg::Connection& blue, const std::string& publication) {
  return Read(blue, publication, "");
}

void RecordAllComplete(pg::Connection& green, const std::string& deployment,
                       const Membership& membership) {
  Rows changed{{kMark, Mark(membership)}};
  for (const auto& [name, table] : membership.tables) {
    if (!IsInContainer(table.identity)) changed[name] = table.identity;
  }
  std::vector<std::string> gone;
  for (const auto& [name, definition] : ReadRecord(green, deployment).tables) {
    if (!changed.contains(name)) gone.push_back(name);
  }
  Change(green, deployment, changed, gone);
}

void RecordComplete(pg::Connection& green, const std::string& deployment,
                    const Membership& membership, const std::set<TableKey>& tables) {
  Change(green, deployment, IdentitiesOf(membership, tables, ""), {});
}

void RecordBehind(pg::Connection& green, const std::string& deployment,
                  const Membership& membership, const std::set<TableKey>& tables) {
  Change(green, deployment, IdentitiesOf(membership, tables, kBehind), {});
}

bool RecordPublished(pg::Connection& blue, pg::Connection& green, const std::string& deployment) {
  const auto found = Compare(blue, green, deployment);
  Change(green, deployment, found.changed, found.gone);
  return found.behind.empty();
}

std::vector<std::string> TablesBehind(pg::Connection& blue, pg::Connection& green,
                                      const std::string& deployment) {
  return Compare(blue, green, deployment).behind;
}

}  // namespace pgteal::pipeline
