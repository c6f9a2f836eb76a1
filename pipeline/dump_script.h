#ifndef PGTEAL_PIPELINE_DUMP_SCRIPT_H_
#define PGTEAL_PIPELINE_DUMP_SCRIPT_H_

#include <string>
#include <string_view>
#include <vector>

namespace pgteal::pipeline {

// One entry of a dump's table of contents with its SQL.
struct DumpItem {
  std::string name;  // "orders_day_idx"; of a constraint "orders orders_pkey"
  std::string type;  // TABLE, INDEX, CONSTRAINT, FK CONSTRAINT, TRIGGER …
  std::string schema = {};
  std::string settings = {};  // SET statements that it needs
  std::string sql = {};       // complete statements, for a session with an empty search_path
};

// Splits the script that pg_restore writes at the headers that it puts before each entry. Pure.
std::vector<DumpItem> SplitScript(std::string_view script);

// The same items, and what the schemas' owners GRANT on them right after each schema, too: nobody
// can be given a table in a schema without CREATE there, and pg_restore restores ACLs last. Those
// remain where they are, and what they REVOKE comes there. Pure.
std::vector<DumpItem> WithEarlyGrants(std::vector<DumpItem> items);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_DUMP_SCRIPT_H_
