// Reads a slot's stream as pgteal's receiver does and drops it, up to what blue has flushed when it
// starts. No client of START_REPLICATION can be faster than that.
#include <fmt/format.h>

#include <exception>
#include <iostream>
#include <stdexcept>
#include <variant>

#include "decoder/stream_frame.h"
#include "pg/replication.h"
#include "pipeline/stream_pace.h"

namespace pgteal::bench {
namespace {

using Received = pg::ReplicationConnection::Received;

class StreamReader {
 public:
  StreamReader(const pg::ConnInfo& blue, const std::string& slot)
      : stream_(blue, {.application_name = "pgteal bench"}), pace_({}, stream_) {
    end_lsn_ = stream_.IdentifySystem().flush_lsn;
    stream_.StartReplication(
        {.slot = slot, .publication = slot, .proto_version = 2, .streaming = true, .binary = true},
        {});
  }

  // Messages of the output plugin.
  uint64_t Run() {
    while (sent_lsn_ < end_lsn_) {
      ReadSome();
      const auto now = pipeline::Clock::now();
      pace_.Measure(now);
      pace_.Wait(now + std::chrono::milliseconds(500), -1, false);
    }
    const auto bytes = decoder::WriteStandbyStatus(
        {.write_lsn = end_lsn_, .flush_lsn = end_lsn_, .apply_lsn = end_lsn_, .client_time = {}});
    stream_.Send({bytes.data(), bytes.size()});
    stream_.Stop();
    return messages_;
  }

 private:
  void ReadSome() {
    std::string_view payload;
    Received received = stream_.TryReceive(&payload);
    for (; received == Received::kMessage; received = stream_.TryReceive(&payload)) {
      pace_.Count(payload.size());
      const auto frame = decoder::ReadStreamFrame(payload);
      if (const auto* keepalive = std::get_if<decoder::Keepalive>(&frame)) {
        sent_lsn_ = keepalive->end_lsn;  // blue sends one when it has nothing more
      } else {
        ++messages_;
      }
    }
    if (received == Received::kEnd) throw std::runtime_error("blue ended the stream");
  }

  pg::ReplicationConnection stream_;
  pipeline::StreamPace<> pace_;
  pg::Lsn end_lsn_;
  pg::Lsn sent_lsn_;
  uint64_t messages_ = 0;
};

}  // namespace
}  // namespace pgteal::bench

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: read_stream CONNINFO SLOT (with a publication of that name)\n";
    return 2;
  }
  try {
    pgteal::bench::StreamReader reader(pgteal::pg::ConnInfo::Parse(argv[1]), argv[2]);
    std::cout << fmt::format("{} messages\n", reader.Run());
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
