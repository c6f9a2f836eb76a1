#ifndef PGTEAL_PIPELINE_BUILD_QUEUE_H_
#define PGTEAL_PIPELINE_BUILD_QUEUE_H_

#include <condition_variable>
#include <cstddef>
#include <list>
#include <mutex>
#include <optional>
#include <vector>

#include "pg/interrupt.h"
#include "pipeline/post_data.h"

namespace pgteal::pipeline {

// The indexes of a load, each held back until its table has all of its rows: so workers without a
// table to copy build while others still copy. Thread-safe.
class BuildQueue {
 public:
  struct Turn {
    Statement build;
    // Parallel workers that the server may give it: jobs that have nothing else to do.
    size_t helpers = 0;
  };

  // `builds`: the most expensive first, and so they are handed out. `interrupt` ends waits;
  // borrowed.
  BuildQueue(const std::vector<Statement>& builds, size_t jobs, const pg::Interrupt& interrupt);

  void Release(const TableKey& table);
  // Nothing is copied any more: the rest may be built, and idle jobs may help.
  void ReleaseAll();
  // Waits for a build that may begin; none when there is none left. Throws Interrupted.
  std::optional<Turn> Next();
  // The build of a turn has ended.
  void Finish();

 private:
  const size_t jobs_;
  const pg::Interrupt& interrupt_;
  std::mutex mutex_;
  std::condition_variable released_;
  // Protected by mutex_.
  std::list<Statement> held_;
  std::list<Statement> free_;
  bool is_all_free_ = false;
  size_t running_ = 0;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_BUILD_QUEUE_H_
