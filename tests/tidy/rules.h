#ifndef PGTEAL_TESTS_TIDY_RULES_H_
#define PGTEAL_TESTS_TIDY_RULES_H_

#include <string>
#include <vector>

#include "tests/tidy/source_file.h"

namespace pgteal::tidy {

using Findings = std::vector<std::string>;  // "path:line: what is wrong"

// Which folder may include which: the layers of the design, and libpq only in pg/.
Findings CheckIncludes(const SourceFile& file);
// PGTEAL_<PATH>_H_, opened and closed.
Findings CheckHeaderGuard(const SourceFile& file);
// Lines of 100 characters, functions of 70 lines, files of 400 (tests are exempt from the last).
Findings CheckLengths(const SourceFile& file);
// Words that do not belong where they are: leftovers, prints, clocks and threads in the decoder,
// sleeps in tests, library features that our compilers lack.
Findings CheckWords(const SourceFile& file);

}  // namespace pgteal::tidy

#endif  // PGTEAL_TESTS_TIDY_RULES_H_
