#include "pipeline/capture_feeder.h"

#include <algorithm>
#include <utility>

namespace pgteal::pipeline {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLook{500};

}  // namespace

CaptureFeeder::CaptureFeeder(const FeederOptions& options, CaptureReader& reader,
                             Ring<decoder::Transaction>& ring, Progress& progress, Doorbell& wake)
    : options_(options),
      reader_(reader),
      ring_(ring),
      progress_(progress),
      wake_(wake),
      passed_on_(options.resume_lsn) {}

void CaptureFeeder::Stop() {
  is_stopping_.store(true, std::memory_order_release);
  wake_.Ring();
}

void CaptureFeeder::Run() {
  uint64_t told_bytes = 0;
  while (!is_stopping()) {
    auto transaction = reader_.Next();
    progress_.counters.received_bytes += reader_.message_bytes() - told_bytes;
    told_bytes = reader_.message_bytes();
    if (!transaction) break;
    if (transaction->end_lsn <= options_.resume_lsn) continue;
    // Transactions come in the order of their ends.
    if (options_.until_lsn.is_valid() && transaction->end_lsn > options_.until_lsn) break;
    if (options_.pace == Pace::kRecorded) AwaitPace();
    ++progress_.counters.received_transactions;
    PassOn(std::move(transaction));
  }
  if (!is_stopping()) PassOnEnd();
  is_behind_.store(false, std::memory_order_relaxed);
  while (!is_stopping() && progress_.durable() < passed_on_) wake_.Wait(Clock::now() + kLook);
  if (!is_stopping()) is_done_.store(true, std::memory_order_release);
}

void CaptureFeeder::PassOn(std::unique_ptr<decoder::Transaction> transaction) {
  const pg::Lsn end_lsn = transaction->end_lsn;
  while (!is_stopping()) {
    if (ring_.TryPush(transaction) == PushResult::kPushed) {
      passed_on_ = end_lsn;
      progress_.Received(end_lsn);
      return;
    }
    wake_.Wait(Clock::now() + kLook);
  }
}

// The captures may reach further than their last transaction; the next capture begins there.
void CaptureFeeder::PassOnEnd() {
  const pg::Lsn end = options_.until_lsn.is_valid()
                          ? std::min(options_.until_lsn, reader_.complete())
                          : reader_.complete();
  if (end <= passed_on_) return;
  auto transaction = std::make_unique<decoder::Transaction>();
  transaction->end_lsn = end;
  transaction->commit_time = reader_.receive_time();
  PassOn(std::move(transaction));
}

// Waits until as much time has passed since the capture's first transaction as when it was
// recorded. The time between two captures is not waited for.
void CaptureFeeder::AwaitPace() {
  const auto time = reader_.receive_time();
  if (paced_file_ != reader_.file_number()) {
    paced_file_ = reader_.file_number();
    paced_from_ = time;
    paced_since_ = Clock::now();
  }
  const auto due = paced_since_ + std::chrono::microseconds(time.micros - paced_from_.micros);
  is_behind_.store(Clock::now() > due, std::memory_order_relaxed);
  while (!is_stopping() && Clock::now() < due) wake_.Wait(due);
}

}  // namespace pgteal::pipeline
