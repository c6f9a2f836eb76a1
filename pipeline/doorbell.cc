#include "pipeline/doorbell.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "pg/error.h"

namespace pgteal::pipeline {

Doorbell::Doorbell() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (fd_ < 0) throw pg::ConfigError("cannot create an eventfd: too many open files");
}

Doorbell::~Doorbell() { close(fd_); }

void Doorbell::Ring() noexcept {
  // acq_rel: the waiter's exchange sees what was written before, and if it has not cleared the last
  // ring yet it will look at the queues after it does.
  if (is_rung_.exchange(true, std::memory_order_acq_rel)) return;
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = write(fd_, &one, sizeof one);
}

void Doorbell::Wait(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  pollfd fd{fd_, POLLIN, 0};
  poll(&fd, 1, static_cast<int>(std::clamp<int64_t>(left, 0, 1'000'000)));
  Clear();
}

void Doorbell::Clear() {
  uint64_t count = 0;
  [[maybe_unused]] const auto got = read(fd_, &count, sizeof count);
  is_rung_.exchange(false, std::memory_order_acq_rel);
}

}  // namespace pgteal::pipeline
