#ifndef PGTEAL_PIPELINE_SCHEMA_CATALOG_H_
#define PGTEAL_PIPELINE_SCHEMA_CATALOG_H_

#include <map>
#include <string>
#include <vector>

#include "pg/connection.h"

namespace pgteal::pipeline {

// The common beginning of queries on a user's objects: schemas, relations and tables, without what
// belongs to the system, to extensions, to a session or to pgteal. `name` is qualified and quoted.
extern const char* const kUserObjects;

// How much a difference matters: to the rows and the applications' statements, or to comfort.
enum class SchemaWeight : uint8_t { kStructure, kSetting };

// One kind of object. The query answers with: object, definition, detail, SQL that makes it, SQL
// that changes it to this, the object it belongs to. Texts are the same in every server version.
struct SchemaKind {
  const char* name;
  SchemaWeight weight;
  std::string sql;
};

struct SchemaObject {
  std::string definition;
  std::string detail;  // what may differ in a way that does no harm; see CompareSchemas
  std::string create_sql;
  std::string change_sql;
  std::string parent;
};

// Kind, then name of the object.
using Schema = std::map<std::string, std::map<std::string, SchemaObject>>;

std::vector<SchemaKind> RelationKinds();  // tables and what hangs on them
std::vector<SchemaKind> ObjectKinds();    // functions, types, extensions …
std::vector<SchemaKind> SettingKinds();   // owners, privileges, settings
// All of them.
const std::vector<SchemaKind>& SchemaKinds();

// Reads one server's schema: the kinds of a weight. Needs no privileges. Throws ServerError also
// when an object is dropped while it is read: repeat.
Schema ReadSchema(pg::Connection& connection, SchemaWeight weight);

// A text that changes whenever the schema or a publication does, and sometimes when neither does
// (a table was rewritten). With 5,000 tables about 0.15 s, where ReadSchema takes 2 s.
std::string SchemaToken(pg::Connection& connection);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_SCHEMA_CATALOG_H_
