#include "pipeline/way_back.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "applier/schema.h"
#include "pg/catalog.h"
#include "pg/error.h"
#include "pg/quote.h"
#include "pipeline/bootstrap.h"
#include "pipeline/table_state.h"
#include "pipeline/turn.h"

namespace pgteal::pipeline {
namespace {

// By it we know a publication that we made for a way back: it is removed with it.
constexpr const char* kComment = "pgteal: the way back";

// Tables of $1 that send UPDATE and DELETE and could not do so any more once published.
constexpr const char* kNoIdentitySql = R"(
SELECT string_agg(quote_ident(n.nspname) || '.' || quote_ident(c.relname), ', ' ORDER BY 1)
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence = 'p'
   AND (quote_ident(n.nspname) || '.' || quote_ident(c.relname)) = ANY ($1::text[])
   AND NOT (c.relreplident = 'f'
       OR (c.relreplident = 'd' AND EXISTS (SELECT 1 FROM pg_index AS i WHERE i.indrelid = c.oid
             AND i.indisprimary AND i.indimmediate AND i.indisvalid))
       OR (c.relreplident = 'i' AND EXISTS (SELECT 1 FROM pg_index AS i WHERE i.indrelid = c.oid
             AND i.indisreplident AND i.indisvalid))))";

constexpr const char* kPublishedSql = R"(
SELECT coalesce(array_agg(quote_ident(p.schemaname) || '.' || quote_ident(p.tablename)), '{}')
  FROM pg_publication_tables AS p
 WHERE p.pubname = $1 AND p.schemaname <> 'pgteal')";

// What of the publication is published on the other side, too, and its operations.
constexpr const char* kShapeSql =
    "SELECT puballtables, pubviaroot, concat_ws(', ', CASE WHEN pubinsert THEN 'insert' END,"
    " CASE WHEN pubupdate THEN 'update' END, CASE WHEN pubdelete THEN 'delete' END,"
    " CASE WHEN pubtruncate THEN 'truncate' END), pubupdate OR pubdelete"
    " FROM pg_publication WHERE pubname = $1";

void RequireIdentities(pg::Connection& to, const std::string& tables) {
  const auto names = to.Exec(kNoIdentitySql, {tables});
  if (names.IsNull(0, 0)) return;
  throw pg::Refused(
      fmt::format("for a way back these tables need a replica identity on the side that is to be "
                  "opened, or their UPDATE and DELETE would fail there: {}",
                  names.Text(0, 0)),
      "ALTER TABLE … REPLICA IDENTITY … as on the other side, or --no-way-back.");
}

void CreatePublicationLike(pg::Connection& from, pg::Connection& to, const std::string& name) {
  const auto shape = from.Exec(kShapeSql, {name});
  if (shape.is_empty()) {
    throw pg::Refused(fmt::format("publication {} does not exist on the side that sends", name));
  }
  const std::string tables = from.Exec(kPublishedSql, {name}).String(0, 0);
  if (shape.Bool(0, 3)) RequireIdentities(to, tables);
  if (pg::FindPublication(to, name)) return;
  const bool is_superuser =
      to.Exec("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").Bool(0, 0);
  std::string what = " FOR ALL TABLES";
  if (!shape.Bool(0, 0) || !is_superuser) {
    const auto list = to.Exec("SELECT string_agg(t, ', ') FROM unnest($1::text[]) AS t", {tables});
    what = list.IsNull(0, 0) ? "" : " FOR TABLE " + list.String(0, 0);
  }
  to.Exec(fmt::format(
      "CREATE PUBLICATION {}{} WITH (publish = {}, publish_via_partition_root = {})",
      pg::QuoteIdentifier(name), what, pg::QuoteLiteral(shape.Text(0, 2)), shape.Bool(0, 1)));
  to.Exec(fmt::format("COMMENT ON PUBLICATION {} IS {}", pg::QuoteIdentifier(name),
                      pg::QuoteLiteral(kComment)));
}

}  // namespace

void PrepareWayBack(pg::Connection& from, pg::Connection& to, const Deployment& oriented,
                    const pg::SessionOptions& session) {
  RequireLogical(to, "the side that is to be opened");
  CreatePublicationLike(from, to, oriented.name);
  // One of ours is the rest of an earlier attempt, older than need be.
  if (ReadTurn(to, oriented.name).has_way_back) {
    DropSendingSlot(to, oriented.name);
  } else if (pg::FindSlot(to, oriented.name)) {
    throw pg::Refused(
        fmt::format("the side that is to be opened has a slot {} of its own", oriented.name),
        "It belongs to another deployment of the same name; one of them needs another --name.");
  }
  to.Exec("UPDATE pgteal.turn SET way_back = attempt WHERE deployment = $1", {oriented.name});
  pg::ReplicationConnection stream(oriented.target, session);
  CreateSlot(to, stream, oriented.name, false);
}

void ArmWayBack(pg::Connection& from, const std::string& deployment, const pg::SystemIdentity& to,
                pg::Lsn start) {
  from.Exec(
      "INSERT INTO pgteal.deployment (name, state, slot, publication, source_system_identifier,"
      " source_timeline, source_database, consistent_point)"
      " VALUES ($1, 'streaming', $1, $1, $2, $3, $4, $5)"
      " ON CONFLICT (name) DO UPDATE SET state = 'streaming', source_system_identifier = $2,"
      " source_timeline = $3, source_database = $4, consistent_point = $5",
      {deployment, to.system_identifier, std::to_string(to.timeline), to.database,
       start.ToString()});
  from.Exec(
      "INSERT INTO pgteal.progress (slot, end_lsn) VALUES ($1, $2) ON CONFLICT (slot) DO UPDATE"
      " SET end_lsn = $2, commit_time = NULL, written_at = NULL, generation = "
      "pgteal.progress.generation + 1,"
      " transactions = 0, changes = 0, updated_at = clock_timestamp()",
      {deployment, start.ToString()});
}

bool IsArmed(const Deployment& oriented, const pg::SessionOptions& session) {
  pg::Connection target(oriented.target, session);
  const std::string state = DeploymentState(target, oriented.name);
  return !state.empty() && state != "switched";
}

void DisarmWayBack(pg::Connection& from, const std::string& deployment) {
  from.Exec("UPDATE pgteal.deployment SET state = 'switched' WHERE name = $1", {deployment});
}

void RemoveWayBack(pg::Connection& to, const std::string& deployment) {
  if (!ReadTurn(to, deployment).has_way_back) return;
  DropSendingSlot(to, deployment);
  if (IsWayBackPublication(to, deployment)) {
    to.Exec("DROP PUBLICATION " + pg::QuoteIdentifier(deployment));
  }
  to.Exec("UPDATE pgteal.turn SET way_back = NULL WHERE deployment = $1", {deployment});
}

bool IsWayBackPublication(pg::Connection& side, const std::string& name) {
  return !side.Exec(
                  "SELECT FROM pg_publication WHERE pubname = $1"
                  " AND obj_description(oid, 'pg_publication') = $2",
                  {name, kComment})
              .is_empty();
}

}  // namespace pgteal::pipeline
