#include "pg/interrupt.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "pg/error.h"

namespace pgteal::pg {

Interrupt::Interrupt() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (fd_ < 0) throw ConfigError("cannot create an eventfd: too many open files");
}

Interrupt::~Interrupt() { close(fd_); }

void Interrupt::Raise() noexcept {
  raised_.store(true, std::memory_order_release);
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = write(fd_, &one, sizeof one);
}

}  // namespace pgteal::pg
