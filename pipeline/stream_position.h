#ifndef PGTEAL_PIPELINE_STREAM_POSITION_H_
#define PGTEAL_PIPELINE_STREAM_POSITION_H_

#include <cstdint>
#include <string_view>

#include "pg/lsn.h"

namespace pgteal::pipeline {

// Follows the raw messages of one START_REPLICATION far enough to know up to where everything that
// blue committed has been seen, without reading any change. Pure; one thread.
class StreamPosition {
 public:
  // Nothing that commits at or after `until` is taken; zero for no end.
  StreamPosition(pg::Lsn start, pg::Lsn until) : until_(until), complete_(start) {}

  enum class Take : uint8_t {
    kTake,
    kEnd,  // it belongs to what commits at or after `until`: nothing more is to be taken
  };
  // Throws ProtocolError for a message that cannot be read.
  [[nodiscard]] Take OnMessage(std::string_view message);
  // A keepalive: everything before `end_lsn` has been sent.
  void OnKeepalive(pg::Lsn end_lsn);

  // Everything that was committed before it has been seen. Never goes back.
  pg::Lsn complete() const { return complete_; }
  bool has_reached_end() const { return until_.is_valid() && complete_ >= until_; }
  uint64_t transaction_count() const { return transaction_count_; }

 private:
  Take Begin(pg::Lsn commit_lsn);
  void Commit(pg::Lsn end_lsn);

  const pg::Lsn until_;
  pg::Lsn complete_;
  bool in_transaction_ = false;
  uint64_t transaction_count_ = 0;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_STREAM_POSITION_H_
