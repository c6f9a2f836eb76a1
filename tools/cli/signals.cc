#include "tools/cli/signals.h"

#include <unistd.h>

#include <csignal>

#include "tools/cli/exit_codes.h"

namespace pgteal::tools {
namespace {

std::atomic<bool> stop_is_requested = false;
static_assert(std::atomic<bool>::is_always_lock_free, "set from a signal handler");

void OnSignal(int) {
  if (stop_is_requested.exchange(true)) _exit(kInterrupted);
}

}  // namespace

const std::atomic<bool>& StopOnSignals() {
  struct sigaction action {};
  action.sa_handler = &OnSignal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return stop_is_requested;
}

}  // namespace pgteal::tools
