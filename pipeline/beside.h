#ifndef PGTEAL_PIPELINE_BESIDE_H_
#define PGTEAL_PIPELINE_BESIDE_H_

#include <future>
#include <system_error>

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

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_BESIDE_H_
