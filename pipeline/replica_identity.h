#ifndef PGTEAL_PIPELINE_REPLICA_IDENTITY_H_
#define PGTEAL_PIPELINE_REPLICA_IDENTITY_H_

namespace pgteal::pipeline {

// Joined to pg_class AS c of a side that sends: the generated columns of a table that publication
// $1, if it is there already, leaves out (before 18: all). Not even an old row has them.
inline constexpr const char* kHiddenColumnsSql = R"(
 CROSS JOIN LATERAL (
       SELECT coalesce(array_agg(a.attnum), '{}') FROM pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attgenerated <> '' AND NOT a.attisdropped
          AND NOT (a.attgenerated = 's' AND EXISTS (SELECT FROM pg_publication AS p
                WHERE p.pubname = $1 AND to_jsonb(p)->>'pubgencols' = 's'))) AS g(hidden))";

// Whether UPDATE and DELETE go on working once c is published, and say which row they mean. What
// is left of a key without its generated column may be many rows'; 18 refuses them then, and under
// FULL for any such column.
inline constexpr const char* kUsableIdentitySql = R"((
  c.relkind = 'p' OR CASE c.relreplident
    WHEN 'f' THEN g.hidden = '{}' OR current_setting('server_version_num')::int < 180000
    ELSE EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = c.oid AND i.indisvalid
           AND CASE c.relreplident WHEN 'd' THEN i.indisprimary AND i.indimmediate
                                   WHEN 'i' THEN i.indisreplident ELSE false END
           AND NOT (i.indkey::int2[])[0:i.indnkeyatts - 1] && g.hidden) END))";

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_REPLICA_IDENTITY_H_
