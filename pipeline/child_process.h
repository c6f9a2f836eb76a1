#ifndef PGTEAL_PIPELINE_CHILD_PROCESS_H_
#define PGTEAL_PIPELINE_CHILD_PROCESS_H_

#include <string>
#include <utility>
#include <vector>

#include "pg/interrupt.h"

namespace pgteal::pipeline {

struct ChildOptions {
  std::vector<std::string> argv;  // argv[0] is looked up in PATH. Visible to all: no passwords
  std::vector<std::pair<std::string, std::string>> env = {};  // on top of ours
  const pg::Interrupt* interrupt = nullptr;                   // ends the child. Borrowed
};

struct ChildResult {
  int exit_code = -1;  // 128 + signal when a signal ended it
  std::string output;
  std::string errors;
};

// Runs a program to its end and keeps what it says. Throws Interrupted, after the child has ended,
// and ConfigError when it cannot be started.
ChildResult RunChild(const ChildOptions& options);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_CHILD_PROCESS_H_
