#ifndef PGTEAL_PIPELINE_SCHEMA_DUMP_H_
#define PGTEAL_PIPELINE_SCHEMA_DUMP_H_

#include <string>
#include <vector>

#include "pg/conninfo.h"
#include "pg/interrupt.h"
#include "pipeline/dump_script.h"
#include "pipeline/memory_file.h"

namespace pgteal::pipeline {

struct DumpOptions {
  std::string pg_bin = {};     // folder of pg_dump and pg_restore; empty: PATH
  bool no_owner = false;       // everything belongs to our role on green
  bool no_privileges = false;  // no GRANT and REVOKE
};

// Blue's schema through the real pg_dump and pg_restore, as child processes. One thread; Items() of
// several, after Take().
class SchemaDump {
 public:
  // Throws ConfigError when the programs are missing or older than blue.
  SchemaDump(const pg::ConnInfo& source, const DumpOptions& options, int source_version,
             const pg::Interrupt* interrupt);

  // `snapshot`: an exported one, or empty for the schema as it is now.
  void Take(const std::string& snapshot);

  enum class Section { kPreData, kPostData };
  std::vector<DumpItem> Items(Section section) const;

 private:
  std::string Program(const std::string& name) const;
  std::string Run(std::vector<std::string> argv,
                  std::vector<std::pair<std::string, std::string>> env) const;
  void CheckVersion(const std::string& name, int source_version) const;

  const pg::ConnInfo source_;
  const DumpOptions options_;
  const pg::Interrupt* const interrupt_;
  MemoryFile archive_{"the schema"};  // holds no rows
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_SCHEMA_DUMP_H_
