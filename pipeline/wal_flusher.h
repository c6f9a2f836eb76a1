#ifndef PGTEAL_PIPELINE_WAL_FLUSHER_H_
#define PGTEAL_PIPELINE_WAL_FLUSHER_H_

#include <atomic>
#include <thread>

#include "pg/connection.h"
#include "pipeline/doorbell.h"

namespace pgteal::pipeline {

// Keeps green's WAL flushed while tables are copied. COPY writes through a ring of 16 MB of buffers
// (BAS_BULKWRITE, src/backend/storage/buffer/README), and a page leaves it only once its WAL is
// flushed: without somebody who does that beforehand every worker stands still for an fsync each
// time the ring has gone round, and whoever needs the WAL lock with it. A thread and a session of
// its own; an error of its own is logged and ends it, never the load.
class WalFlusher {
 public:
  // `session.interrupt` ends it, too.
  WalFlusher(const pg::ConnInfo& target, const pg::SessionOptions& session);
  ~WalFlusher();
  WalFlusher(const WalFlusher&) = delete;
  WalFlusher& operator=(const WalFlusher&) = delete;

 private:
  void Run();

  const pg::ConnInfo target_;
  const pg::SessionOptions session_;
  Doorbell wake_;
  std::atomic<bool> is_stopping_ = false;
  std::jthread thread_;  // last, so that it ends first
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_WAL_FLUSHER_H_
