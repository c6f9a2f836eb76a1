#ifndef PGTEAL_PIPELINE_DATABASE_PROPERTIES_H_
#define PGTEAL_PIPELINE_DATABASE_PROPERTIES_H_

#include <string>

#include "pg/connection.h"
#include "pipeline/schema_dump.h"

namespace pgteal::pipeline {

// What belongs to blue's database itself and is in no dump of what it holds: settings for everybody
// and for roles in it, its comment, privileges on it. Gives green's database the same; what cannot
// be had, or must not be (a read-only default: green's is pgteal's), is named in the log. May be
// repeated.
void CarryDatabaseProperties(pg::Connection& blue, pg::Connection& green,
                             const DumpOptions& options);

// A setting's value as the catalog has it, as SQL after SET … TO. Lists of names are taken apart.
std::string SettingValueSql(const std::string& name, const std::string& value);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_DATABASE_PROPERTIES_H_
