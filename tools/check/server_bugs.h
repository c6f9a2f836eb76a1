#ifndef PGTEAL_TOOLS_CHECK_SERVER_BUGS_H_
#define PGTEAL_TOOLS_CHECK_SERVER_BUGS_H_

#include <string>
#include <vector>

namespace pgteal::tools {

// Known bugs of a sending server that lose or damage rows on their way through logical decoding, or
// stop it, by its server_version_num (150006): what happens, and in which minor version it no
// longer does. Empty: none that we know of.
std::vector<std::string> KnownServerBugs(int server_version);

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_CHECK_SERVER_BUGS_H_
