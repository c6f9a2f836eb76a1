#include "tools/check/pair_checks.h"

namespace pgteal::tools {
namespace {

using enum Level;
using enum CheckSide;

const std::vector<Check> kIdentityChecks = {
    {.id = "A1",
     .side = kBlue,
     .levels = {kFatal, kWarn},
     .title = "blue accepts a replication session from here",
     .advice = "LOGIN REPLICATION for the role, a line for the database in pg_hba.conf.",
     .code = CheckWalsender},
    {.id = "A2",
     .side = kPair,
     .levels = {kFatal, kInfo},
     .title = "green is not older than blue, and both are versions that are tested",
     .code = CheckVersions},
    {.id = "A3",
     .side = kPair,
     .levels = {kFatal, kFatal, kFatal},
     .title = "blue and green are two databases",
     .advice = "Point --source and --target at two databases.",
     .code = CheckTwoDatabases},
    {.id = "A3",
     .side = kPair,
     .levels = {kNone, kFatal, kFatal},
     .title = "blue is the server that the deployment began with",
     .advice = "Point --source at it, or begin anew: pgteal cleanup.",
     .code = CheckSameBlue},
    {.id = "A4",
     .side = kBlue,
     .levels = {kFatal, kFatal},
     .title = "blue's address leads to one server, not to several behind a balancer",
     .advice = "Use the address of the primary itself.",
     .code = CheckOneEndpoint},
    {.id = "A5",
     .side = kBlue,
     .levels = {kFatal, kWarn, kFatal},
     .title = "blue is a primary",
     .advice = "Point --source at the primary.",
     .sql = "SELECT 'blue is a standby', NULL WHERE pg_is_in_recovery()"},
    {.id = "A5",
     .side = kGreen,
     .levels = {kFatal, kFatal, kFatal},
     .title = "green can be written",
     .advice = "Point --target at the primary, or promote it.",
     .sql = "SELECT 'green is a standby', NULL WHERE pg_is_in_recovery()"},
    {.id = "A6",
     .side = kPair,
     .levels = {kWarn, kWarn, kWarn},
     .title = "encoding and collation are the same",
     .advice = "CREATE DATABASE … TEMPLATE template0 with blue's ENCODING and LOCALE; else "
               "order, comparison and uniqueness of texts may change.",
     .code = CheckLocales},
    {.id = "A8",
     .side = kPair,
     .levels = {kWarn, kInfo},
     .title = "green has the tablespaces that blue's objects are in",
     .sql = R"(
SELECT DISTINCT t.spcname, format('CREATE TABLESPACE %I LOCATION ''…'';', t.spcname)
  FROM relations AS r JOIN pg_tablespace AS t ON t.oid = r.reltablespace
 WHERE t.spcname NOT IN ('pg_default', 'pg_global') ORDER BY 1)",
     .green_sql = "SELECT spcname FROM pg_tablespace"},
};

}  // namespace

CheckArea IdentityChecks() { return {"Servers", kIdentityChecks}; }

}  // namespace pgteal::tools
