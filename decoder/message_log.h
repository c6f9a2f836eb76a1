#ifndef PGTEAL_DECODER_MESSAGE_LOG_H_
#define PGTEAL_DECODER_MESSAGE_LOG_H_

#include <memory>
#include <string_view>

#include "pg/ids.h"
#include "pg/lsn.h"

namespace pgteal::decoder {

// Raw pgoutput messages in stream order, from a log. One thread at a time.
class MessageReader {
 public:
  virtual ~MessageReader() = default;

  // Back to the first message.
  virtual void Rewind() = 0;
  // The next message, or false at the end. The view is valid until the next call. Throws
  // ProtocolError when the content is damaged.
  virtual bool Next(pg::Lsn* lsn, std::string_view* message) = 0;
};

// Reads a log from its first message on while it is still written to, on a thread of its own:
// Next() waits for more.
class MessageTail : public MessageReader {
 public:
  // Any thread: what waits for more, or would, throws Interrupted.
  virtual void Cut() noexcept = 0;
};

// The messages of one transaction that is too large for memory. Written once, then read as often as
// needed. The decoder only knows this seam; where the bytes live is the pipeline's business. One
// thread at a time. The first Rewind() ends writing.
class MessageLog : public MessageReader {
 public:
  virtual void Append(pg::Lsn lsn, std::string_view message) = 0;
  // At most one that is not null; null while there is too little, or for ever.
  virtual std::unique_ptr<MessageTail> Follow() { return nullptr; }
  // Ends writing: the tail, if there is one, comes to its end.
  virtual void Seal() {}
};

// Opens the log of one transaction; dropping it removes what it holds.
class MessageLogs {
 public:
  virtual ~MessageLogs() = default;
  virtual std::unique_ptr<MessageLog> Open(pg::Xid xid) = 0;
};

}  // namespace pgteal::decoder

#endif  // PGTEAL_DECODER_MESSAGE_LOG_H_
