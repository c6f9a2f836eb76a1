#ifndef PGTEAL_PIPELINE_BESIDE_H_
#define PGTEAL_PIPELINE_BESIDE_H_

#include <exception>
#include <future>
#include <system_error>

#include "pg/interrupt.h"

namespace pgteal::pipeline {

// Runs `work` on a thread of its own; where the system gives none, when its result is asked for.
// What it throws comes with the result.
template <typename Work>
auto Beside(const Work& work) {
  try {
    return std::async(std::launch::async, work);
  } catch (const std::system_error&) {
    return std::async(std::launch::deferred, work);
  }
}

// Ends the waits of what goes on beside when its scope is left by an exception, before the futures
// declared above it are waited for.
class InterruptOnError {
 public:
  explicit InterruptOnError(pg::Interrupt& interrupt)
      : interrupt_(interrupt), exceptions_(std::uncaught_exceptions()) {}
  ~InterruptOnError() {
    if (std::uncaught_exceptions() > exceptions_) interrupt_.Raise();
  }
  InterruptOnError(const InterruptOnError&) = delete;
  InterruptOnError& operator=(const InterruptOnError&) = delete;

 private:
  pg::Interrupt& interrupt_;
  const int exceptions_;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_BESIDE_H_
