#ifndef PGTEAL_TOOLS_INSPECT_INSPECT_H_
#define PGTEAL_TOOLS_INSPECT_INSPECT_H_

#include <ostream>
#include <string>
#include <vector>

#include "pg/lsn.h"

namespace pgteal::tools {

struct InspectOptions {
  std::string path;
  bool json = false;     // one JSON object a line
  bool summary = false;  // counts instead of changes
  // Transactions whose end LSN lies in [from, until]; an invalid LSN sets no limit.
  pg::Lsn from;
  pg::Lsn until;
  // "schema.table" or "table", as they are in the catalog; empty = all. Logical messages belong to
  // no table and are left out when there is a filter.
  std::vector<std::string> tables;
  // Where transactions too large for memory go meanwhile.
  std::string spool_folder = "/tmp";
};

// Prints the transactions of a capture, in commit order. The only place in pgteal that prints row
// values. Throws ConfigError and ProtocolError as FrameReader does; what precedes damage has been
// printed by then. Returns the exit code: 0.
int Inspect(const InspectOptions& options, std::ostream& out);

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_INSPECT_INSPECT_H_
