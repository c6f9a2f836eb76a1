#include "pipeline/capture.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "decoder/stream_frame.h"
#include "pg/error.h"
#include "pg/sqlstate.h"
#include "pipeline/blue_snapshot.h"
#include "pipeline/bootstrap.h"

namespace pgteal::pipeline {
namespace {

using std::chrono::milliseconds;

// Frames taken before the timers are looked at again.
constexpr int kFramesAtOnce = 1000;
constexpr milliseconds kTick{100};
// The walsender of a capture that was killed notices it within moments.
constexpr milliseconds kSlotWait{15'000};
// The walsender gets so long to end the stream when asked to, so that the slot is free after us.
constexpr milliseconds kEndWait{10'000};
// What the text of values depends on.
constexpr const char* kSettings[] = {"DateStyle", "IntervalStyle", "extra_float_digits",
                                     "bytea_output", "TimeZone"};

std::string Shown(pg::Connection& session, const std::string& setting) {
  return session.Exec("SHOW " + setting).String(0, 0);
}

pg::Timestamp Now() { return pg::Timestamp::From(std::chrono::system_clock::now()); }

}  // namespace

Capture::Capture(const Deployment& deployment, const CaptureOptions& options)
    : deployment_(deployment), options_(options) {}

CaptureFigures Capture::Run(const std::atomic<bool>& stop, const Watch& watch) {
  const StuckWatch stuck(stop, supervisor_);
  Open(stop);
  if (!writer_) return {};  // stopped before it began
  try {
    Receive(stop, watch);
  } catch (pg::Error& error) {
    error.AddContext(fmt::format("while capturing to {}", options_.path));
    // The position may count a commit already whose message could not be written.
    if (writer_->has_failed()) throw;
    try {
      Finish();
      spdlog::info("{} holds everything up to {}; the next capture goes on from there",
                   options_.path, durable_);
    } catch (const pg::Error&) {
      // The first error is the one to report; the file is readable up to its last whole block.
    }
    throw;
  }
  Finish();
  EndStream();
  return Figures();
}

void Capture::Open(const std::atomic<bool>& stop) {
  const auto session = [this](const std::string& part) {
    return SessionOptionsFor(part, deployment_.name, &supervisor_.interrupt());
  };
  blue_ = std::make_unique<pg::Connection>(deployment_.source, session("source"));
  BootstrapOptions bootstrap;
  bootstrap.may_set_replica_identity = false;
  PreparePublication(*blue_, deployment_, bootstrap);
  stream_ = std::make_unique<pg::ReplicationConnection>(deployment_.source, session("capture"));
  pace_.emplace(StreamPaceOptions{}, *stream_);
  const auto identity = stream_->IdentifySystem();
  slot_ = PrepareSlot(stop);
  const auto slot = pg::FindSlot(*blue_, slot_);
  if (!slot) throw pg::Refused(fmt::format("slot {} vanished", slot_));
  RequireUsable(*slot, identity.database);
  // Read beforehand: once the stream runs, the session takes no commands.
  auto header = Header(identity);
  StartStream(stop);
  if (stop.load(std::memory_order_acquire)) return;
  // Nobody else can move the slot now, and we have confirmed nothing yet.
  start_lsn_ = pg::FindSlot(*blue_, slot_).value_or(*slot).confirmed_flush_lsn;
  header.set_start_lsn(start_lsn_.value);
  writer_ = std::make_unique<FrameWriter>(options_.path, header);
  durable_ = start_lsn_;
  const pg::Lsn until = options_.until_caught_up ? identity.flush_lsn : options_.until_lsn;
  if (options_.until_caught_up) pg::FlushPast(*blue_, until);
  position_.emplace(start_lsn_, until);
  feedback_.emplace(options_.feedback, start_lsn_);
  last_sync_ = last_mark_ = Clock::now();
  spdlog::info("capturing slot={} lsn={} binary={} streaming={} proto_version={}", slot_,
               start_lsn_, options_.is_binary, options_.is_streaming, options_.proto_version);
}

// The name of the slot, which exists afterwards.
std::string Capture::PrepareSlot(const std::atomic<bool>& stop) {
  const std::string name = options_.is_temporary ? fmt::format("{}_tmp_{}", deployment_.name,
                                                               stream_->session().backend_pid())
                                                 : deployment_.name + "_capture";
  if (!options_.is_temporary && pg::FindSlot(*blue_, name)) return name;
  AwaitWriters(*blue_, deployment_.sides, stop);
  CreateSlot(*blue_, *stream_, name, options_.is_temporary);
  return name;
}

void Capture::RequireUsable(const pg::Slot& slot, const std::string& database) const {
  if (slot.plugin != "pgoutput" || slot.database != database) {
    throw pg::Refused(fmt::format("slot {} is not ours: plugin {}, database {}", slot.name,
                                  slot.plugin, slot.database),
                      "Use another --name.");
  }
  if (slot.wal_status == "lost" || !slot.invalidation_reason.empty()) {
    throw pg::Refused(
        fmt::format("slot {} was invalidated by blue: a capture cannot go on without a gap",
                    slot.name),
        fmt::format("SELECT pg_drop_replication_slot('{}'); on blue, then begin a new series of "
                    "captures.",
                    slot.name));
  }
}

void Capture::StartStream(const std::atomic<bool>& stop) {
  const pg::StreamOptions stream{.slot = slot_,
                                 .publication = deployment_.name,
                                 .proto_version = options_.proto_version,
                                 .streaming = options_.is_streaming,
                                 .binary = options_.is_binary,
                                 .messages = true,
                                 .origin_none = false};
  const auto deadline = Clock::now() + kSlotWait;
  Doorbell never;
  while (!stop.load(std::memory_order_acquire)) {
    try {
      // From where the slot stands.
      stream_->StartReplication(stream, {});
      return;
    } catch (const pg::ServerError& error) {
      if (error.sqlstate() != pg::kObjectInUse || Clock::now() > deadline) throw;
    }
    never.Wait(Clock::now() + kTick);
  }
}

proto::FrameFileHeader Capture::Header(const pg::SystemIdentity& identity) {
  auto& session = stream_->session();
  proto::FrameFileHeader header;
  header.set_server_version_num(static_cast<uint32_t>(session.server_version()));
  header.set_server_version(Shown(session, "server_version"));
  header.set_system_identifier(identity.system_identifier);
  header.set_timeline(identity.timeline);
  header.set_database(identity.database);
  header.set_slot(slot_);
  header.set_slot_is_temporary(options_.is_temporary);
  header.set_publication(deployment_.name);
  header.set_proto_version(static_cast<uint32_t>(options_.proto_version));
  header.set_streaming(options_.is_streaming ? "on" : "off");
  header.set_binary(options_.is_binary);
  header.set_messages(true);
  header.set_origin("any");
  header.set_created_at(Now().micros);
  header.set_client_encoding(Shown(session, "client_encoding"));
  header.set_pgteal_version(options_.pgteal_version);
  for (const auto* setting : kSettings) {
    (*header.mutable_settings())[setting] = Shown(session, setting);
  }
  return header;
}

void Capture::Receive(const std::atomic<bool>& stop, const Watch& watch) {
  const auto deadline =
      options_.duration ? Clock::now() + *options_.duration : Clock::time_point::max();
  while (!stop.load(std::memory_order_acquire) && !has_ended_ && Clock::now() < deadline) {
    supervisor_.Beat();
    const bool has_moved = ReadSome();
    if (position_->has_reached_end()) has_ended_ = true;
    const auto now = Clock::now();
    SyncIfDue(now);
    SendStatus(now);
    watch(Figures());
    if (!has_moved && !has_ended_) Wait();
  }
}

// False when nothing more is here.
bool Capture::ReadSome() {
  for (int i = 0; i < kFramesAtOnce && !has_ended_; ++i) {
    std::string_view payload;
    switch (stream_->TryReceive(&payload)) {
      case pg::ReplicationConnection::Received::kNothing:
        return false;
      case pg::ReplicationConnection::Received::kEnd:
        throw pg::ConnectionLost("blue ended the stream (it is shutting down)");
      case pg::ReplicationConnection::Received::kMessage:
        OnFrame(payload);
    }
  }
  return true;
}

void Capture::OnFrame(std::string_view payload) {
  pace_->Count(payload.size());
  const auto frame = decoder::ReadStreamFrame(payload);
  if (const auto* data = std::get_if<decoder::XLogData>(&frame)) {
    feedback_->Received(data->start_lsn);
    if (position_->OnMessage(data->payload) == StreamPosition::Take::kEnd) {
      has_ended_ = true;
      return;
    }
    writer_->Append(data->start_lsn, Now(), data->payload);
    ++messages_;
    unsynced_bytes_ += data->payload.size();
    return;
  }
  const auto& keepalive = std::get<decoder::Keepalive>(frame);
  feedback_->Received(keepalive.end_lsn);
  position_->OnKeepalive(keepalive.end_lsn);
  if (!keepalive.reply_requested) return;
  feedback_->ReplyRequested();
  // A server that shuts down waits until we have confirmed everything.
  is_mark_wanted_ = true;
}

// What was received becomes durable and only then is told to blue.
void Capture::SyncIfDue(Clock::time_point now) {
  const pg::Lsn complete = position_->complete();
  const bool has_messages = messages_ > synced_messages_;
  const bool is_due = has_messages && (is_mark_wanted_ || unsynced_bytes_ >= options_.sync_bytes ||
                                       now - last_sync_ >= options_.sync_interval);
  const bool is_mark_due = !has_messages && complete > durable_ &&
                           (is_mark_wanted_ || now - last_mark_ >= options_.mark_interval);
  is_mark_wanted_ = false;
  if (!is_due && !is_mark_due) return;
  writer_->Append(complete, Now(), kPositionMark);
  writer_->Flush(FrameWriter::Sync::kYes);
  durable_ = complete;
  synced_messages_ = messages_;
  unsynced_bytes_ = 0;
  last_sync_ = last_mark_ = now;
}

void Capture::SendStatus(Clock::time_point now) {
  feedback_->Applied(durable_);
  feedback_->Durable(durable_);
  if (const auto status = feedback_->Poll(now)) {
    const auto bytes = decoder::WriteStandbyStatus(*status);
    stream_->Send({bytes.data(), bytes.size()});
  }
}

void Capture::Wait() {
  const auto now = Clock::now();
  pace_->Measure(now);
  pace_->Wait(std::min(feedback_->next_due(), now + kTick), -1, false);
}

void Capture::Finish() {
  writer_->Finish(position_->complete());
  durable_ = position_->complete();
}

// Tells blue where the next capture begins, and waits until it has heard it.
void Capture::EndStream() {
  feedback_->Applied(durable_);
  feedback_->Durable(durable_);
  const auto bytes = decoder::WriteStandbyStatus(feedback_->Final());
  const auto deadline = Clock::now() + kEndWait;
  try {
    stream_->Send({bytes.data(), bytes.size()});
    stream_->Stop();
    while (Clock::now() < deadline) {
      supervisor_.Beat();
      std::string_view payload;
      const auto received = stream_->TryReceive(&payload);
      if (received == pg::ReplicationConnection::Received::kEnd) return;
      if (received == pg::ReplicationConnection::Received::kMessage) continue;
      stream_->WaitReadable(Clock::now() + kTick, -1);
      stream_->ConsumeInput();
    }
  } catch (const pg::Error& error) {
    // The file is sound; the next capture repeats what blue was not told of.
    spdlog::warn("blue may not have heard the end of the capture: {}", error.what());
  }
}

CaptureFigures Capture::Figures() const {
  return {.slot = slot_,
          .start_lsn = start_lsn_,
          .end_lsn = position_->complete(),
          .transactions = position_->transaction_count(),
          .messages = messages_,
          .file_bytes = writer_->file_bytes()};
}

}  // namespace pgteal::pipeline
