#ifndef PGTEAL_PG_INTERRUPT_H_
#define PGTEAL_PG_INTERRUPT_H_

#include <atomic>

namespace pgteal::pg {

// Ends the waits of every connection that was given it. Raised by any thread, once; async-signal
// safe. Outlives the connections that borrow it.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  void Raise() noexcept;
  bool is_raised() const { return raised_.load(std::memory_order_acquire); }
  // Readable once raised; for poll().
  int fd() const { return fd_; }

 private:
  const int fd_;
  std::atomic<bool> raised_ = false;
};

}  // namespace pgteal::pg

#endif  // PGTEAL_PG_INTERRUPT_H_
