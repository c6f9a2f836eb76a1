#include "pipeline/supervisor.h"

#include "pg/error.h"

namespace pgteal::pipeline {

void Supervisor::KeepFailure() noexcept {
  {
    const std::lock_guard lock(mutex_);
    try {
      throw;
    } catch (const pg::Interrupted&) {
      // The consequence of another failure, or of a stop.
    } catch (...) {
      if (!failure_) failure_ = std::current_exception();
    }
  }
  has_failed_.store(true, std::memory_order_release);
}

void Supervisor::RethrowFailure() {
  const std::lock_guard lock(mutex_);
  if (failure_) std::rethrow_exception(failure_);
}

}  // namespace pgteal::pipeline
