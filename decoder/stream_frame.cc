#include "decoder/stream_frame.h"

#include <fmt/format.h>

#include "decoder/byte_reader.h"
#include "pg/error.h"

namespace pgteal::decoder {
namespace {

XLogData ReadXLogData(ByteReader& in) {
  XLogData data;
  data.start_lsn = in.ReadLsn();
  data.end_lsn = in.ReadLsn();
  data.send_time = in.ReadTimestamp();
  data.payload = in.Bytes(in.left());
  return data;
}

Keepalive ReadKeepalive(ByteReader& in) {
  Keepalive keepalive;
  keepalive.end_lsn = in.ReadLsn();
  keepalive.send_time = in.ReadTimestamp();
  keepalive.reply_requested = in.U8() != 0;
  in.ExpectEnd();
  return keepalive;
}

char* PutU64(uint64_t value, char* out) {
  for (int shift = 56; shift >= 0; shift -= 8) *out++ = static_cast<char>(value >> shift);
  return out;
}

}  // namespace

StreamFrame ReadStreamFrame(std::string_view copy_data) {
  ByteReader in(copy_data);
  const uint8_t kind = in.U8();
  switch (kind) {
    case 'w':
      return ReadXLogData(in);
    case 'k':
      return ReadKeepalive(in);
  }
  throw pg::ProtocolError(fmt::format("unknown replication frame: byte 0x{:02X}", kind));
}

StandbyStatusBytes WriteStandbyStatus(const StandbyStatus& status) {
  StandbyStatusBytes bytes;
  char* out = bytes.data();
  *out++ = 'r';
  out = PutU64(status.write_lsn.value, out);
  out = PutU64(status.flush_lsn.value, out);
  out = PutU64(status.apply_lsn.value, out);
  out = PutU64(static_cast<uint64_t>(status.client_time.micros), out);
  *out = status.reply_requested ? 1 : 0;
  return bytes;
}

}  // namespace pgteal::decoder
