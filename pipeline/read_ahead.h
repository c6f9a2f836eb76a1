#ifndef PGTEAL_PIPELINE_READ_AHEAD_H_
#define PGTEAL_PIPELINE_READ_AHEAD_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "applier/side_names.h"
#include "pg/connection.h"
#include "pg/copy.h"
#include "pg/interrupt.h"
#include "pg/lsn.h"
#include "pg/replication.h"

namespace pgteal::pipeline {

struct ReadAheadOptions {
  applier::SideNames sides = {};
  // WAL of blue that is worth it; and less than that at the end is left to the stream.
  uint64_t backlog_bytes_min = 64 << 20;
  // WAL that one call decodes. Blue keeps the call's result in memory (work_mem), then in temporary
  // files, and sends nothing before it is complete: so the first call is small, and none is so much
  // larger than the one before that green would have nothing to do meanwhile. Every call begins
  // again at the slot's restart_lsn: so the later ones are large, as large as makes a result of
  // about `result_bytes`, and one behind a call that came to next to nothing is as large as one
  // may be.
  uint64_t chunk_bytes_min = 8 << 20;
  uint64_t chunk_bytes_max = uint64_t{1} << 30;
  uint64_t result_bytes = 32 << 20;
  // Of a result, this much is taken in before it is worked on.
  size_t buffer_bytes = 32 << 20;
  // A slot that has to begin so far back holds an old transaction, whose changes so far would all
  // be in the first result.
  uint64_t restart_distance_max = uint64_t{1} << 30;
};

// WAL for the call after one of `asked_bytes` that came to `result_bytes`.
uint64_t NextChunkBytes(const ReadAheadOptions& options, uint64_t asked_bytes,
                        uint64_t result_bytes);

// Reads blue's backlog with pg_logical_slot_get_binary_changes() in chunks, from a temporary copy
// of the slot: cheaper for both sides than START_REPLICATION, which sends every change by itself.
// The slot itself stays where it is until Confirm(): a crash loses nothing. One thread, but for
// Stop().
class ReadAhead {
 public:
  // Takes the slot's position as the beginning, and `until` (zero for none) as the end. Throws
  // ServerError when the role or blue cannot do it.
  ReadAhead(const ReadAheadOptions& options, const pg::ConnInfo& source,
            const pg::SessionOptions& session, const pg::StreamOptions& stream, pg::Lsn until);

  // False when there is too little, or an old transaction: the stream does better.
  [[nodiscard]] bool IsWorthwhile() const;

  // Has blue begin with the first chunk; OpenChunk() would, too.
  void Begin() { Ask(); }

  // A message of pgoutput as the stream would have it. Valid until the next call.
  struct Message {
    pg::Lsn lsn;
    std::string_view payload;
  };
  // Waits while blue decodes the next chunk. False when what is left is for the stream.
  [[nodiscard]] bool OpenChunk();
  // Takes in more of the chunk than what Next() needs, so that blue can decode the one after it
  // while this one is worked on. False when there is no more or no room.
  bool TakeMore();
  // None at the end of the chunk. What is streamed of a transaction that is not complete then comes
  // again, whoever reads on.
  std::optional<Message> Next();
  // The chunk ended within a streamed transaction: the next one is as large as one may be, that it
  // holds all of it. False when this one was.
  [[nodiscard]] bool Widen();
  // Every transaction that was committed before it has been returned.
  pg::Lsn position() const { return position_; }

  // The slot itself follows what is durable on green, when it is worth it.
  void Durable(pg::Lsn lsn) { durable_ = lsn; }
  // At the end of the backlog: now.
  void Confirm();
  // Drops the copy.
  void Close();
  // Any thread: ends a wait with Interrupted.
  void Stop() noexcept { interrupt_.Raise(); }

 private:
  bool Ask();
  void TakePiece();
  void TakeRow(std::string_view row);
  void EndChunk();
  void CopySlot();
  void LookAtPosition();

  const ReadAheadOptions options_;
  const pg::StreamOptions stream_;
  const pg::Lsn until_;
  pg::Interrupt interrupt_;
  std::string copy_;  // the copied slot's name
  std::unique_ptr<pg::Connection> blue_;
  std::unique_ptr<pg::CopyOut> chunk_;
  bool is_asked_ = false;  // blue works on a chunk that nobody waits for yet
  bool is_chunk_start_ = false;
  bool has_streamed_ = false;  // the chunk has a part of a streamed transaction
  std::string buffer_;         // rows of COPY
  size_t cursor_ = 0;          // in buffer_
  uint64_t chunk_bytes_;       // of the next chunk
  uint64_t asked_bytes_ = 0;   // of this one
  uint64_t result_bytes_ = 0;  // of this chunk so far
  pg::Lsn position_;
  pg::Lsn restart_lsn_;
  pg::Lsn end_;        // blue's WAL when last asked, not past `until`
  pg::Lsn confirmed_;  // where the slot itself stands
  pg::Lsn durable_;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_READ_AHEAD_H_
