#ifndef PGTEAL_PG_SQLSTATE_H_
#define PGTEAL_PG_SQLSTATE_H_

#include <string_view>

namespace pgteal::pg {

// object_in_use: a slot that somebody else reads, say.
inline constexpr const char* kObjectInUse = "55006";

// What to do about a server's error. The only place that decides between retry and stop.
enum class Verdict {
  kRetry,  // transient: start again from the durable LSN, with back-off
  kStop,   // the same statement will fail again: a person is needed
};

struct Judgement {
  Verdict verdict;
  std::string_view name;  // the condition's name in the PostgreSQL manual, appendix A
  std::string_view hint;  // a full sentence for the operator, or empty
};

// Longest match wins: the exact SQLSTATE, then its class (first two characters), then "retry":
// an unknown condition is treated as transient because stopping a migration for it helps nobody.
Judgement Judge(std::string_view sqlstate);
// The same for an error from within a function: what it stumbles over is its own, and not green's
// table, say. Only what passes by itself is retried.
Judgement JudgeOfFunction(std::string_view sqlstate);

// True where the server's primary message may quote a row value (classes 22 and 23, and the codes
// that input functions use), so that it must be replaced by the condition's name.
bool MessageMayHoldValues(std::string_view sqlstate);

}  // namespace pgteal::pg

#endif  // PGTEAL_PG_SQLSTATE_H_
