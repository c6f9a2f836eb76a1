#include "pipeline/large_objects.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <string>

namespace pgteal::pipeline {
namespace {

constexpr int64_t kPieceBytes = 1 << 20;
// Each object that is removed or gets an owner or a privilege takes a place in green's lock table
// until the transaction ends.
constexpr int kObjectsPerCommit = 500;

constexpr const char* kObjectsSql = R"(
SELECT m.oid, quote_ident(r.rolname) FROM pg_largeobject_metadata AS m
  JOIN pg_roles AS r ON r.oid = m.lomowner ORDER BY m.oid)";

// In pieces: no value is larger than 1 GB, an object may be.
constexpr const char* kContentsSql = R"(
SELECT m.oid, (
  WITH RECURSIVE pieces (at, bytes, hash) AS (
    SELECT 0::bigint, length(first.data), md5(first.data)
      FROM (SELECT lo_get(m.oid, 0, 8388608) AS data OFFSET 0) AS first
    UNION ALL
    SELECT at + 8388608, length(next.data), md5(next.data) FROM pieces
     CROSS JOIN LATERAL (SELECT lo_get(m.oid, at + 8388608, 8388608) AS data OFFSET 0) AS next
     WHERE bytes = 8388608)
  SELECT md5(string_agg(hash, '' ORDER BY at)) FROM pieces)
  FROM pg_largeobject_metadata AS m ORDER BY m.oid)";

constexpr const char* kGrantsSql = R"(
SELECT format('GRANT %s ON LARGE OBJECT %s TO %s%s', a.privilege_type, m.oid, g.grantee,
              CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), m.oid, g.grantee
  FROM pg_largeobject_metadata AS m CROSS JOIN LATERAL aclexplode(m.lomacl) AS a
 CROSS JOIN LATERAL (SELECT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(
   (SELECT rolname FROM pg_roles WHERE oid = a.grantee)) END AS grantee) AS g
 WHERE a.grantee <> m.lomowner ORDER BY m.oid, a.privilege_type, g.grantee)";

constexpr const char* kGranteesSql = "SELECT quote_ident(rolname) FROM pg_roles";

// An interruption leaves whole objects.
class Parts {
 public:
  explicit Parts(pg::Connection& green) : green_(green) {}

  void Begin() {
    if (objects_ == 0) green_.Exec("BEGIN");
    ++objects_;
  }
  void End() {
    if (objects_ == kObjectsPerCommit) Commit();
  }
  void Commit() {
    if (objects_ > 0) green_.Exec("COMMIT");
    objects_ = 0;
  }

 private:
  pg::Connection& green_;
  int objects_ = 0;  // in the transaction that is open
};

void RemoveAll(pg::Connection& green) {
  std::string last = "0";
  for (;;) {
    const auto part = green.Exec(
        "SELECT max(oid), count(lo_unlink(oid)) FROM (SELECT oid FROM pg_largeobject_metadata"
        " WHERE oid > $1::oid ORDER BY oid LIMIT $2::int) AS o",
        {last, std::to_string(kObjectsPerCommit)});
    if (part.IsNull(0, 0)) return;
    last = part.String(0, 0);
  }
}

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

struct Grant {
  std::string sql;
  std::string grantee;

  bool operator==(const Grant&) const = default;
};
// By the objects' oids. What is granted to roles that green lacks is left out: `pgteal check` names
// them.
using Grants = std::map<std::string, std::vector<Grant>>;

std::set<std::string> ReadGrantees(pg::Connection& green) {
  std::set<std::string> grantees = {"PUBLIC"};
  const auto rows = green.Exec(kGranteesSql);
  for (int i = 0; i < rows.rows(); ++i) grantees.insert(rows.String(i, 0));
  return grantees;
}

Grants ReadGrants(pg::Connection& side, const std::set<std::string>& grantees) {
  Grants grants;
  const auto rows = side.Exec(kGrantsSql);
  for (int i = 0; i < rows.rows(); ++i) {
    if (!grantees.contains(rows.String(i, 2))) continue;
    grants[rows.String(i, 1)].push_back({.sql = rows.String(i, 0), .grantee = rows.String(i, 2)});
  }
  return grants;
}

// Green's privileges of an object become blue's.
void CopyGrants(pg::Connection& green, const std::string& oid, const std::vector<Grant>& had,
                const std::vector<Grant>& grants) {
  if (had == grants) return;
  for (const auto& grant : had) {
    green.Exec(fmt::format("REVOKE ALL ON LARGE OBJECT {} FROM {} CASCADE", oid, grant.grantee));
  }
  for (const auto& grant : grants) green.Exec(grant.sql);
}

}  // namespace

size_t CopyLargeObjects(pg::Connection& blue, pg::Connection& green, const DumpOptions& options) {
  RemoveAll(green);
  const auto objects = blue.Exec(kObjectsSql);
  Parts parts(green);
  for (int i = 0; i < objects.rows(); ++i) {
    parts.Begin();
    const std::string oid = objects.String(i, 0);
    green.Exec("SELECT lo_create($1::oid)", {oid});
    CopyBytes(blue, green, oid);
    if (!options.no_owner) {
      green.Exec(fmt::format("ALTER LARGE OBJECT {} OWNER TO {}", oid, objects.Text(i, 1)));
    }
    parts.End();
  }
  parts.Commit();
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
  const auto grantees = ReadGrantees(green);
  auto granted = ReadGrants(blue, grantees);
  auto had = ReadGrants(green, grantees);
  LargeObjectChanges changes;
  for (int i = 0; i < sources.rows(); ++i) {
    const auto known = on_green.extract(sources.String(i, 0));
    if (known.empty()) {
      changes.missing.push_back(sources.String(i, 0));
    } else if (known.mapped() != sources.Text(i, 1)) {
      changes.different.push_back(sources.String(i, 0));
    } else if (granted[known.key()] != had[known.key()]) {
      changes.granted.push_back(known.key());
    }
  }
  for (const auto& left : on_green) changes.extra.push_back(left.first);
  return changes;
}

size_t CopyChangedLargeObjects(pg::Connection& blue, pg::Connection& green) {
  const auto changes = FindLargeObjectChanges(blue, green);
  if (changes.count() == 0) return 0;
  const auto grantees = ReadGrantees(green);
  auto grants = ReadGrants(blue, grantees);
  auto had = ReadGrants(green, grantees);
  Parts parts(green);
  for (const auto* oids : {&changes.missing, &changes.different}) {
    for (const auto& oid : *oids) {
      parts.Begin();
      MakeEmpty(blue, green, oid, oids == &changes.missing);
      CopyBytes(blue, green, oid);
      CopyGrants(green, oid, had[oid], grants[oid]);
      parts.End();
    }
  }
  for (const auto& oid : changes.granted) {
    parts.Begin();
    CopyGrants(green, oid, had[oid], grants[oid]);
    parts.End();
  }
  for (const auto& oid : changes.extra) {
    parts.Begin();
    green.Exec("SELECT lo_unlink($1::oid)", {oid});
    parts.End();
  }
  parts.Commit();
  return changes.count();
}

}  // namespace pgteal::pipeline
