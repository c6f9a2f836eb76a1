#ifndef PGTEAL_APPLIER_TARGET_QUERIES_H_
#define PGTEAL_APPLIER_TARGET_QUERIES_H_

// What is asked of green's catalog about one table, while a lane may hold ACCESS EXCLUSIVE on it
// (TRUNCATE) and wait for the answer: nothing here may call a function that opens a table.
namespace pgteal::applier {

// Table-level facts. $1 schema, $2 name, $3 whether our role is "replica".
inline constexpr const char* kTableSql = R"(
SELECT c.oid, c.relkind, pg_catalog.row_security_active(c.oid),
       EXISTS (SELECT 1 FROM pg_catalog.pg_trigger AS g
                WHERE g.tgrelid = ANY (m.members) AND NOT g.tgisinternal
                  AND (g.tgenabled = 'A' OR g.tgenabled = CASE WHEN $3 THEN 'R' ELSE 'O' END)),
       EXISTS (SELECT 1 FROM pg_catalog.pg_rewrite AS w
                WHERE w.ev_class = c.oid AND w.rulename <> '_RETURN'
                  AND (w.ev_enabled = 'A' OR w.ev_enabled = CASE WHEN $3 THEN 'R' ELSE 'O' END)),
       pg_catalog.has_table_privilege(c.oid, 'INSERT')
         AND pg_catalog.has_table_privilege(c.oid, 'UPDATE')
         AND pg_catalog.has_table_privilege(c.oid, 'DELETE')
         AND pg_catalog.has_table_privilege(c.oid, 'SELECT'),
       EXISTS (SELECT 1 FROM pg_catalog.pg_index AS x
                WHERE x.indrelid = ANY (m.members) AND x.indisexclusion),
       NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend AS d
                     JOIN pg_catalog.pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
                    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND d.refobjid = ANY (m.members) AND d.refobjsubid > 0
                      AND d.deptype IN ('a', 'i')
                      AND NOT pg_catalog.pg_has_role(s.relowner, 'USAGE')),
       CASE WHEN NOT $3 THEN
         (SELECT pg_catalog.string_agg(DISTINCT f.conrelid::pg_catalog.regclass::pg_catalog.text,
                                       ', ')
            FROM pg_catalog.pg_constraint AS f
           WHERE f.contype = 'f' AND f.confrelid = ANY (m.members)
             AND f.confdeltype IN ('c', 'n', 'd')) END
  FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (
       WITH RECURSIVE tree(oid, relkind) AS (
         SELECT c.oid, c.relkind
         UNION ALL
         SELECT p.oid, p.relkind FROM tree
           JOIN pg_catalog.pg_inherits AS i ON i.inhparent = tree.oid AND tree.relkind = 'p'
           JOIN pg_catalog.pg_class AS p ON p.oid = i.inhrelid)
       SELECT pg_catalog.array_agg(tree.oid) FROM tree) AS m(members)
 WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p'))";

// Columns. $1 schema, $2 name. A domain counts as its base type for equality and spelling. The
// equality operator is that of the type's default btree (or hash) opclass, because with an empty
// search_path "=" alone would find the wrong one for types of extensions (citext).
inline constexpr const char* kColumnsSql = R"(
SELECT a.attname, a.atttypid, tn.nspname, t.typname, t.typarray,
       a.attgenerated <> '', a.attidentity = 'a',
       b.typcategory = 'A' AND b.typelem <> 0 AND b.typlen = -1, b.oid, e.op,
       t.typtype, bn.nspname, b.typname, b.typcategory
  FROM pg_catalog.pg_attribute AS a
  JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
  JOIN pg_catalog.pg_namespace AS tn ON tn.oid = t.typnamespace
  JOIN LATERAL (WITH RECURSIVE base(oid, typbasetype) AS (
                  SELECT t.oid, t.typbasetype
                  UNION ALL
                  SELECT d.oid, d.typbasetype
                    FROM base JOIN pg_catalog.pg_type AS d ON d.oid = base.typbasetype)
                SELECT p.* FROM base JOIN pg_catalog.pg_type AS p ON p.oid = base.oid
                 WHERE base.typbasetype = 0) AS b ON true
  JOIN pg_catalog.pg_namespace AS bn ON bn.oid = b.typnamespace
  LEFT JOIN LATERAL (
       SELECT pg_catalog.format('OPERATOR(%I.%s)', q.nspname, o.oprname) AS op
         FROM pg_catalog.pg_opclass AS k
         JOIN pg_catalog.pg_am AS am ON am.oid = k.opcmethod AND am.amname IN ('btree', 'hash')
         JOIN pg_catalog.pg_amop AS p
              ON p.amopfamily = k.opcfamily
             AND p.amoplefttype = k.opcintype AND p.amoprighttype = k.opcintype
             AND p.amopstrategy = CASE am.amname WHEN 'btree' THEN 3 ELSE 1 END
         JOIN pg_catalog.pg_operator AS o ON o.oid = p.amopopr
         JOIN pg_catalog.pg_namespace AS q ON q.oid = o.oprnamespace
        WHERE k.opcdefault
          AND k.opcintype IN (b.oid, CASE
                WHEN b.typtype = 'e' THEN 'pg_catalog.anyenum'::pg_catalog.regtype
                WHEN b.typtype = 'r' THEN 'pg_catalog.anyrange'::pg_catalog.regtype
                WHEN b.typtype = 'm' THEN 'pg_catalog.anymultirange'::pg_catalog.regtype
                WHEN b.typtype = 'c' THEN 'pg_catalog.record'::pg_catalog.regtype
                WHEN b.typcategory = 'A' THEN 'pg_catalog.anyarray'::pg_catalog.regtype
                WHEN b.oid = 'pg_catalog.varchar'::pg_catalog.regtype
                THEN 'pg_catalog.text'::pg_catalog.regtype END)
        ORDER BY am.amname LIMIT 1) AS e ON true
 WHERE a.attrelid = (SELECT c.oid FROM pg_catalog.pg_class AS c
                      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                     WHERE n.nspname = $1 AND c.relname = $2)
   AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum)";

// Unique indexes. $1 schema, $2 name. NULLS NOT DISTINCT is there since version 15.
inline constexpr const char* kUniqueSql = R"(
SELECT i.indisprimary,
       i.indpred IS NULL AND i.indexprs IS NULL AND i.indisvalid, i.indimmediate,
       (SELECT pg_catalog.array_to_json(pg_catalog.array_agg(a.attname ORDER BY k.n))
          FROM pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY AS k(attnum, n)
          JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
         WHERE k.n <= i.indnkeyatts),
       coalesce((pg_catalog.to_jsonb(i)->>'indnullsnotdistinct')::pg_catalog.bool, false),
       EXISTS (SELECT 1 FROM pg_catalog.pg_attribute AS a
                WHERE a.attrelid = i.indrelid AND a.attgenerated <> ''
                  AND a.attnum = ANY ((i.indkey::pg_catalog.int2[])[0:i.indnkeyatts - 1]))
  FROM pg_catalog.pg_index AS i
  JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relname = $2 AND i.indisunique
 ORDER BY i.indisprimary DESC, i.indexrelid)";

// Where the copy of a table stands (README, "Schema pgteal"); null when it was not copied by us. $1
// schema, $2 name, $3 deployment: the copies of others hold positions of other servers' logs. One
// that a reload has begun to empty and not copied takes nothing: the next copy will hold it all.
inline constexpr const char* kReadyLsnSql =
    "SELECT pg_catalog.max(CASE WHEN ready_lsn IS NULL AND phase = 'copying'"
    " THEN 'FFFFFFFF/FFFFFFFF' ELSE ready_lsn END) FROM pgteal.table_state"
    " WHERE schema_name = $1 AND table_name = $2 AND deployment = $3";

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_TARGET_QUERIES_H_
