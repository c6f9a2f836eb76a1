#ifndef PGTEAL_PIPELINE_OPTIONS_H_
#define PGTEAL_PIPELINE_OPTIONS_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "applier/conflict.h"
#include "applier/side_names.h"
#include "pg/connection.h"
#include "pg/conninfo.h"
#include "pg/lsn.h"
#include "pipeline/batcher.h"
#include "pipeline/receiver.h"

namespace pgteal::pipeline {

enum class BinaryMode : uint8_t { kAuto, kOn, kOff };
enum class OriginMode : uint8_t { kAuto, kOff };
// Whether a backlog is read through a copy of the slot first: when it is large, whenever there is
// one, never.
enum class ReadAheadMode : uint8_t { kAuto, kOn, kOff };
// How changes of blue's schema are noticed.
enum class DdlGuard : uint8_t { kCatalog, kEventTrigger, kOff };

// What identifies a deployment: one blue database kept in step with one green one.
struct Deployment {
  pg::ConnInfo source;
  pg::ConnInfo target;
  std::string name = "pgteal";  // the slot and the publication on blue bear it, too
  // What messages call the two: source and target change places with each turn.
  applier::SideNames sides = {};
};

// How our sessions introduce themselves: "pgteal lane NAME". Another process of the same deployment
// finds them by it.
pg::SessionOptions SessionOptionsFor(const std::string& part, const std::string& deployment,
                                     const pg::Interrupt* interrupt);

// Limits and choices of a stream. Worst-case memory is about ring_bytes_max
// + (lanes + 1) x (batcher.limits.bytes_max + transaction_bytes_max) + what a lane encodes
// + ReadAheadOptions::buffer_bytes + 8 MiB to find rows in + one block of a spooled transaction,
// where bytes_max is less the more lanes there are.
struct StreamOptions {
  size_t lanes = 0;  // 0: two to a near green, more to a far one
  BinaryMode binary = BinaryMode::kAuto;
  OriginMode origin = OriginMode::kAuto;
  ReadAheadMode read_ahead = ReadAheadMode::kAuto;
  DdlGuard ddl_guard = DdlGuard::kCatalog;
  applier::ConflictPolicy on_conflict = applier::ConflictPolicy::kStop;
  bool synchronous_commit = false;
  pg::Lsn until_lsn;             // stop once everything committed up to it is durable on green
  bool until_caught_up = false;  // the same with blue's position at the start
  std::string spool_folder;
  uint64_t spool_bytes_max = 0;            // 0: as much as the file system has
  size_t transaction_bytes_max = 8 << 20;  // a larger one is spooled
  size_t ring_count_max = 1 << 16;
  // Every page of it that is filled for the first time is a page fault.
  size_t ring_bytes_max = 16 << 20;
  BatcherOptions batcher;
  FeedbackOptions feedback;
  std::chrono::milliseconds receive_timeout{60'000};  // as in ReceiverOptions
  // After a stop request the batches in hand get so long to commit.
  std::chrono::milliseconds stop_grace{10'000};
  // Back-off between attempts to reconnect.
  std::chrono::milliseconds backoff_min{200};
  std::chrono::milliseconds backoff_max{30'000};
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_OPTIONS_H_
