#ifndef PGTEAL_TESTS_SUPPORT_WAIT_H_
#define PGTEAL_TESTS_SUPPORT_WAIT_H_

#include <chrono>
#include <thread>

namespace pgteal::tests {

// Asks until the fact holds; false at the deadline. For facts that nobody can wake us for.
template <typename Fact>
[[nodiscard]] bool WaitUntil(Fact fact, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!fact()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
  }
  return true;
}

}  // namespace pgteal::tests

#endif  // PGTEAL_TESTS_SUPPORT_WAIT_H_
