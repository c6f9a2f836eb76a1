#ifndef PGTEAL_PIPELINE_RING_H_
#define PGTEAL_PIPELINE_RING_H_

#include <atomic>
#include <boost/lockfree/spsc_queue.hpp>
#include <cstddef>
#include <memory>

#include "pipeline/doorbell.h"

namespace pgteal::pipeline {

enum class PushResult : bool { kPushed, kFull };

// Hands owned objects from one thread to one other, in order, without locks. Bounded by count and
// by bytes; one object larger than the byte limit passes when the ring is otherwise empty. The ring
// speaks unique_ptr; the raw pointers are confined to it.
template <typename T>
class Ring {
 public:
  Ring(size_t count_max, size_t bytes_max) : queue_(count_max), bytes_max_(bytes_max) {}
  ~Ring() {
    while (TryPop()) {
    }
  }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // Producer thread only. kFull leaves the item with the caller.
  [[nodiscard]] PushResult TryPush(std::unique_ptr<T>& item) {
    const PushResult result = TryPushQuietly(item);
    if (result == PushResult::kPushed) not_empty_.Ring();
    return result;
  }
  // For a run of pushes: whoever makes it rings not_empty() at its end, so that the consumer wakes
  // once.
  [[nodiscard]] PushResult TryPushQuietly(std::unique_ptr<T>& item) {
    const size_t bytes = item->memory_bytes();
    // Only the consumer lowers the count meanwhile, so this errs on the safe side.
    const size_t held = bytes_.load(std::memory_order_relaxed);
    if (held != 0 && held + bytes > bytes_max_) return PushResult::kFull;
    bytes_.fetch_add(bytes, std::memory_order_relaxed);
    if (!queue_.push(item.get())) {
      bytes_.fetch_sub(bytes, std::memory_order_relaxed);
      return PushResult::kFull;
    }
    static_cast<void>(item.release());
    return PushResult::kPushed;
  }

  // Consumer thread only. Null when there is nothing.
  std::unique_ptr<T> TryPop() {
    T* raw = nullptr;
    if (!queue_.pop(raw)) return nullptr;
    std::unique_ptr<T> item(raw);
    bytes_.fetch_sub(item->memory_bytes(), std::memory_order_relaxed);
    return item;
  }

  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  size_t count() const { return queue_.read_available(); }
  // The consumer waits on it.
  Doorbell& not_empty() { return not_empty_; }

 private:
  boost::lockfree::spsc_queue<T*> queue_;
  const size_t bytes_max_;
  std::atomic<size_t> bytes_ = 0;
  Doorbell not_empty_;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_RING_H_
