#include "pipeline/wal_flusher.h"

#include <spdlog/spdlog.h>

#include <exception>

namespace pgteal::pipeline {
namespace {

// A small part of what a ring takes to go round, and seldom enough to cost next to nothing. Each
// flush takes a transaction id.
constexpr std::chrono::milliseconds kPause{10};

}  // namespace

WalFlusher::WalFlusher(const pg::ConnInfo& target, const pg::SessionOptions& session)
    : target_(target), session_(session), thread_([this] { Run(); }) {}

WalFlusher::~WalFlusher() {
  is_stopping_.store(true, std::memory_order_release);
  wake_.Ring();
}

void WalFlusher::Run() {
  try {
    pg::Connection green(target_, session_);
    // Not waiting for standbys.
    green.Exec("SET synchronous_commit = local");
    while (!is_stopping_.load(std::memory_order_acquire)) {
      // What has written WAL waits for its commit to be flushed, and for all before it. An empty
      // message does nothing else; a transaction id alone would leave the flush to the walwriter.
      green.Exec("SELECT pg_logical_emit_message(true, 'pgteal', '')");
      wake_.Wait(Clock::now() + kPause);
    }
  } catch (const std::exception& error) {
    spdlog::debug("green's WAL is not flushed ahead of COPY: {}", error.what());
  }
}

}  // namespace pgteal::pipeline
