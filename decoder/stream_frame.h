#ifndef PGTEAL_DECODER_STREAM_FRAME_H_
#define PGTEAL_DECODER_STREAM_FRAME_H_

#include <array>
#include <string_view>
#include <variant>

#include "pg/lsn.h"
#include "pg/timestamp.h"

namespace pgteal::decoder {

// What CopyData messages hold while a server streams (PostgreSQL docs, "Streaming Replication
// Protocol"). Pure functions; the views live as long as the bytes read.

// 'w': one message of the output plugin.
struct XLogData {
  pg::Lsn start_lsn;  // of the WAL record the message comes from; zero for some messages
  pg::Lsn end_lsn;    // end of WAL on the server, for people only
  pg::Timestamp send_time;
  std::string_view payload;
};

// 'k'.
struct Keepalive {
  pg::Lsn end_lsn;  // everything before it has been sent
  pg::Timestamp send_time;
  bool reply_requested = false;
};

using StreamFrame = std::variant<XLogData, Keepalive>;

// Throws ProtocolError for anything else.
StreamFrame ReadStreamFrame(std::string_view copy_data);

// 'r': what we tell the server about our progress.
struct StandbyStatus {
  pg::Lsn write_lsn;
  pg::Lsn flush_lsn;
  pg::Lsn apply_lsn;
  pg::Timestamp client_time;
  bool reply_requested = false;
};

using StandbyStatusBytes = std::array<char, 34>;
StandbyStatusBytes WriteStandbyStatus(const StandbyStatus& status);

}  // namespace pgteal::decoder

#endif  // PGTEAL_DECODER_STREAM_FRAME_H_
