#include "pipeline/stream_position.h"

#include <algorithm>
#include <variant>

#include "decoder/pgoutput.h"

namespace pgteal::pipeline {
namespace {

template <typename Expected>
Expected Read(std::string_view message) {
  return std::get<Expected>(decoder::Decode(message, decoder::DecodeState(), nullptr));
}

}  // namespace

StreamPosition::Take StreamPosition::OnMessage(std::string_view message) {
  switch (decoder::TypeOf(message)) {
    case decoder::MessageType::kBegin:
      return Begin(Read<decoder::Begin>(message).final_lsn);
    case decoder::MessageType::kCommit:
      Commit(Read<decoder::Commit>(message).end_lsn);
      return Take::kTake;
    case decoder::MessageType::kStreamStart:
      in_transaction_ = true;
      return Take::kTake;
    case decoder::MessageType::kStreamStop:
      in_transaction_ = false;
      return Take::kTake;
    case decoder::MessageType::kStreamCommit: {
      const auto commit = Read<decoder::StreamCommit>(message);
      if (Begin(commit.commit_lsn) == Take::kEnd) return Take::kEnd;
      Commit(commit.end_lsn);
      return Take::kTake;
    }
    default:
      return Take::kTake;
  }
}

// Transactions come in the order of their commits, so this one's tells that all before it came.
StreamPosition::Take StreamPosition::Begin(pg::Lsn commit_lsn) {
  if (until_.is_valid() && commit_lsn >= until_) {
    complete_ = std::max(complete_, until_);
    return Take::kEnd;
  }
  in_transaction_ = true;
  return Take::kTake;
}

void StreamPosition::Commit(pg::Lsn end_lsn) {
  in_transaction_ = false;
  complete_ = std::max(complete_, end_lsn);
  ++transaction_count_;
}

void StreamPosition::OnKeepalive(pg::Lsn end_lsn) {
  // Within a transaction it says nothing about what is complete.
  if (in_transaction_) return;
  complete_ = std::max(complete_, until_.is_valid() ? std::min(end_lsn, until_) : end_lsn);
}

}  // namespace pgteal::pipeline
