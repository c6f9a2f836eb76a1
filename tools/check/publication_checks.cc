#include "tools/check/pair_checks.h"

namespace pgteal::tools {
namespace {

using enum Level;
using enum CheckSide;

const std::vector<Check> kPublicationChecks = {
    {.id = "D17",
     .side = kBlue,
     .levels = {kNone, kFatal, kFatal},
     .title = "the publication sends every kind of change",
     .sql = R"(
SELECT format('publication %I does not exist', @name@::text), NULL
 WHERE NOT EXISTS (SELECT FROM pg_publication WHERE pubname = @name@)
UNION ALL
SELECT format('publication %I leaves out %s', pubname, concat_ws(', ',
         CASE WHEN NOT pubinsert THEN 'INSERT' END, CASE WHEN NOT pubupdate THEN 'UPDATE' END,
         CASE WHEN NOT pubdelete THEN 'DELETE' END, CASE WHEN NOT pubtruncate THEN 'TRUNCATE' END)),
       format('ALTER PUBLICATION %I SET (publish = ''insert, update, delete, truncate'');', pubname)
  FROM pg_publication
 WHERE pubname = @name@ AND NOT (pubinsert AND pubupdate AND pubdelete AND pubtruncate))"},
    {.id = "D20",
     .side = kPair,
     .levels = {kNone, kFatal, kFatal},
     .title = "every table is published",
     .advice = "Changes that were made meanwhile are not in the stream: copy the table once "
               "more with run --reload-table.",
     .code = CheckUnpublished},
    {.id = "D18",
     .side = kBlue,
     .levels = {kNone, kFatal, kFatal},
     .title = "the publication has no row filter and no column list",
     .sql = R"(
SELECT format('%s has a %s', r.prrelid::regclass, concat_ws(' and a ',
              CASE WHEN to_jsonb(r)->>'prqual' IS NOT NULL THEN 'row filter' END,
              CASE WHEN to_jsonb(r)->>'prattrs' IS NOT NULL THEN 'column list' END)),
       format('ALTER PUBLICATION %1$I DROP TABLE ONLY %2$s; ALTER PUBLICATION %1$I ADD TABLE ONLY'
              ' %2$s;', p.pubname, r.prrelid::regclass)
  FROM pg_publication_rel AS r JOIN pg_publication AS p ON p.oid = r.prpubid
 WHERE p.pubname = @name@ AND (to_jsonb(r)->>'prqual' IS NOT NULL
                               OR to_jsonb(r)->>'prattrs' IS NOT NULL) ORDER BY 1)"},
    {.id = "D5",
     .side = kBlue,
     .levels = {kNone, kInfo, kInfo},
     .title = "partitions are published as themselves",
     .sql = "SELECT format('publication %I has publish_via_partition_root: TRUNCATE of one"
            " partition is not sent', pubname), NULL FROM pg_publication"
            " WHERE pubname = @name@ AND pubviaroot"},
    {.id = "D19",
     .side = kPair,
     .levels = {kFatal, kFatal, kFatal},
     .title = "green's schema is blue's",
     .advice = kGreenIsReadOnly,
     .code = CheckSchema},
    {.id = "E9",
     .side = kPair,
     .levels = {kWarn, kWarn, kWarn},
     .title = "owners, privileges and settings are the same",
     .advice = kGreenIsReadOnly,
     .code = CheckSettings},
};

}  // namespace

CheckArea PublicationChecks() { return {"Publication and schema", kPublicationChecks}; }

}  // namespace pgteal::tools
