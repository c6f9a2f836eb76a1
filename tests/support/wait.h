#ifndef PGTEAL_TESTS_SUPPORT_WAIT_H_
#define PGTEAL_TESTS_SUPPORT_WAIT_H_

#include <algorithm>
#include <chrono>
#include <thread>

namespace pgteal::tests {

// Asks until the fact holds; false at the deadline. For facts that nobody can wake us for.
template <typename Fact>
[[nodiscard]] bool WaitUntil(Fact fact, std::chrono::milliseconds timeout) {
  // What comes soon is seen soon; a long wait asks seldom, since a question costs the server more
  // than it costs us.
  constexpr std::chrono::milliseconds kPauseMax{20};
  std::chrono::microseconds pause{3000};
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!fact()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause + pause / 4, std::chrono::microseconds(kPauseMax));
  }
  return true;
}

}  // namespace pgteal::tests

#endif  // PGTEAL_TESTS_SUPPORT_WAIT_H_
