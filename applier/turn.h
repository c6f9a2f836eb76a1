#ifndef PGTEAL_APPLIER_TURN_H_
#define PGTEAL_APPLIER_TURN_H_

#include <cstdint>

namespace pgteal::applier {

// How a lane learns that every batch before its own has committed. Implemented by the pipeline.
class Turn {
 public:
  enum class Outcome : uint8_t {
    kMine,   // all earlier batches have committed
    kYield,  // an earlier batch waits for locks of this one: roll back, then ask again
  };

  virtual ~Turn() = default;
  // Whether Await() would return kMine at once.
  [[nodiscard]] virtual bool HasCome(uint64_t sequence) const = 0;
  // Blocks. Throws pg::Interrupted when the session ends.
  [[nodiscard]] virtual Outcome Await(uint64_t sequence) = 0;
};

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_TURN_H_
