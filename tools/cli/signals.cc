#include "tools/cli/signals.h"

#include <unistd.h>

#include <csignal>

#include "tools/cli/exit_codes.h"

namespace pgteal::tools {
namespace {

std::atomic<bool> stop_is_requested = false;
static_assert(std::atomic<bool>::is_always_lock_free, "set from a signal handler");

pg::Interrupt& Raised() {
  static pg::Interrupt interrupt;
  return interrupt;
}

void OnSignal(int) {
  if (stop_is_requested.exchange(true)) _exit(kInterrupted);
  Raised().Raise();
}

}  // namespace

const std::atomic<bool>& StopOnSignals() {
  Raised();  // made before a handler could want it
  struct sigaction action {};
  action.sa_handler = &OnSignal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return stop_is_requested;
}

const pg::Interrupt& SignalInterrupt() { return Raised(); }

}  // namespace pgteal::tools
