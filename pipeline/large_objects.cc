#include "pipeline/large_objects.h"

#include <fmt/format.h>

#include <map>
#include <string>

namespace pgteal::pipeline {
namespace {

constexpr int64_t kPieceBytes = 1 << 20;
constexpr int kObjectsPerCommit = 500;

constexpr const char* kObjectsSql = R"(
SELECT m.oid, quote_ident(r.rolname) FROM pg_largeobject_metadata AS m
  JOIN pg_roles AS r ON r.oid = m.lomowner ORDER BY m.oid)";

constexpr const char* kContentsSql =
    "SELECT oid, md5(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY oid";

constexpr const char* kGrantsSql = R"(
SELECT format('GRANT %s ON LARGE OBJECT %s TO %s%s', a.privilege_type, m.oid,
              CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(g.rolname) END,
              CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM pg_largeobject_metadata AS m CROSS JOIN LATERAL aclexplode(m.lomacl) AS a
  LEFT JOIN pg_roles AS g ON g.oid = a.grantee
 WHERE a.grantee <> m.lomowner ORDER BY m.oid)";

void CopyBytes(pg::Connection& blue, pg::Connection& green, const std::string& oid) {
  for (int64_t at = 0;; at += kPieceBytes) {
    const auto piece = blue.Exec("SELECT lo_get($1::oid, $2::bigint, $3::int)",
                                 {oid, std::to_string(at), std::to_string(kPieceBytes)});
    const auto hex = piece.Text(0, 0);
    if (hex.size() <= 2) return;  // "\x" alone
    green.Exec("SELECT lo_put($1::oid, $2::bigint, $3::bytea)",
               {oid, std::to_string(at), std::string(hex)});
  }
}

// The object is there afterwards, and empty.
void MakeEmpty(pg::Connection& blue, pg::Connection& green, const std::string& oid, bool is_new) {
  if (!is_new) {
    green.Exec("SELECT lo_truncate64(lo_open($1::oid, 131072), 0)", {oid});  // INV_WRITE
    return;
  }
  green.Exec("SELECT lo_create($1::oid)", {oid});
  const auto owner = blue.Exec(
      "SELECT quote_ident(r.rolname) FROM pg_largeobject_metadata AS m"
      " JOIN pg_roles AS r ON r.oid = m.lomowner WHERE m.oid = $1",
      {oid});
  green.Exec(fmt::format("ALTER LARGE OBJECT {} OWNER TO {}", oid, owner.Text(0, 0)));
}

}  // namespace

size_t CopyLargeObjects(pg::Connection& blue, pg::Connection& green, const DumpOptions& options) {
  green.Exec("SELECT lo_unlink(oid) FROM pg_largeobject_metadata");
  const auto objects = blue.Exec(kObjectsSql);
  for (int i = 0; i < objects.rows(); ++i) {
    if (i % kObjectsPerCommit == 0) green.Exec("BEGIN");
    const std::string oid = objects.String(i, 0);
    green.Exec("SELECT lo_create($1::oid)", {oid});
    CopyBytes(blue, green, oid);
    if (!options.no_owner) {
      green.Exec(fmt::format("ALTER LARGE OBJECT {} OWNER TO {}", oid, objects.Text(i, 1)));
    }
    if (i % kObjectsPerCommit == kObjectsPerCommit - 1 || i + 1 == objects.rows()) {
      green.Exec("COMMIT");
    }
  }
  if (!options.no_privileges) {
    const auto grants = blue.Exec(kGrantsSql);
    for (int i = 0; i < grants.rows(); ++i) green.Exec(grants.String(i, 0));
  }
  return static_cast<size_t>(objects.rows());
}

LargeObjectChanges FindLargeObjectChanges(pg::Connection& blue, pg::Connection& green) {
  std::map<std::string, std::string> on_green;
  const auto targets = green.Exec(kContentsSql);
  for (int i = 0; i < targets.rows(); ++i) on_green[targets.String(i, 0)] = targets.String(i, 1);
  const auto sources = blue.Exec(kContentsSql);
  LargeObjectChanges changes;
  for (int i = 0; i < sources.rows(); ++i) {
    const auto known = on_green.extract(sources.String(i, 0));
    if (known.empty()) {
      changes.missing.push_back(sources.String(i, 0));
    } else if (known.mapped() != sources.Text(i, 1)) {
      changes.different.push_back(sources.String(i, 0));
    }
  }
  for (const auto& left : on_green) changes.extra.push_back(left.first);
  return changes;
}

size_t CopyChangedLargeObjects(pg::Connection& blue, pg::Connection& green) {
  const auto changes = FindLargeObjectChanges(blue, green);
  if (changes.count() == 0) return 0;
  green.Exec("BEGIN");
  for (const auto* oids : {&changes.missing, &changes.different}) {
    for (const auto& oid : *oids) {
      MakeEmpty(blue, green, oid, oids == &changes.missing);
      CopyBytes(blue, green, oid);
    }
  }
  for (const auto& oid : changes.extra) green.Exec("SELECT lo_unlink($1::oid)", {oid});
  green.Exec("COMMIT");
  return changes.count();
}

}  // namespace pgteal::pipeline
