#ifndef PGTEAL_DECODER_MESSAGE_LOG_H_
#define PGTEAL_DECODER_MESSAGE_LOG_H_

#include <memory>
#include <string_view>

#include "pg/ids.h"
#include "pg/lsn.h"

namespace pgteal::decoder {

// Raw pgoutput messages of one transaction that is too large for memory, in stream order. Written
// once, then read as often as needed. The decoder only knows this seam; where the bytes live is the
// pipeline's business. One thread at a time.
class MessageLog {
 public:
  virtual ~MessageLog() = default;

  virtual void Append(pg::Lsn lsn, std::string_view message) = 0;
  // Back to the first message. The first call ends writing.
  virtual void Rewind() = 0;
  // The next message, or false at the end. The view is valid until the next call. Throws
  // ProtocolError when the content is damaged.
  virtual bool Next(pg::Lsn* lsn, std::string_view* message) = 0;
};

// Opens the log of one transaction; dropping it removes what it holds.
class MessageLogs {
 public:
  virtual ~MessageLogs() = default;
  virtual std::unique_ptr<MessageLog> Open(pg::Xid xid) = 0;
};

}  // namespace pgteal::decoder

#endif  // PGTEAL_DECODER_MESSAGE_LOG_H_
