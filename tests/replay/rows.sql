SELECT line COLLATE "C" FROM (SELECT name || ' ' || row AS line FROM (
  SELECT 'types' AS name, x::text AS row FROM types AS x
  UNION ALL SELECT 'by_default', x::text FROM by_default AS x
  UNION ALL SELECT 'by_index', x::text FROM by_index AS x
  UNION ALL SELECT 'by_full', x::text FROM by_full AS x
  UNION ALL SELECT 'by_nothing', x::text FROM by_nothing AS x
  UNION ALL SELECT 'toasted', format('%s %s %s %s', id, n, length(big), md5(big)) FROM toasted
  UNION ALL SELECT 'toasted_full', format('%s %s %s %s', id, n, length(big), md5(big)) FROM toasted_full
  UNION ALL SELECT 'parent', x::text FROM parent AS x
  UNION ALL SELECT 'child', x::text FROM child AS x
  UNION ALL SELECT 'parts', x::text FROM parts AS x
  UNION ALL SELECT 'streamed', format('%s %s %s', id, length(v), md5(v)) FROM streamed
  UNION ALL SELECT 'grown', x::text FROM grown AS x
  UNION ALL SELECT 'odd name', x::text FROM "Odd ""name""" AS x) AS rows) AS lines
ORDER BY 1
