#ifndef PGTEAL_DECODER_PGOUTPUT_H_
#define PGTEAL_DECODER_PGOUTPUT_H_

#include <string_view>

#include "decoder/change.h"
#include "decoder/message.h"
#include "decoder/relation_cache.h"

namespace pgteal::decoder {

// What a message cannot be read without. Borrows `relations`.
struct DecodeState {
  int protocol_version = 1;
  bool in_stream = false;  // between Stream Start and Stream Stop: messages carry an xid
  RelationCache* relations = nullptr;
};

// Reads one message. The bytes of a change are copied once into `block->arena`, its tuples are
// views into that copy, and the block is made to hold its relations; appending the change to the
// block is left to the caller. Relation and Type messages are returned, not applied. Throws
// ProtocolError for anything but exactly one well-formed message of a relation that is known.
Message Decode(std::string_view message, const DecodeState& state, ChangeBlock* block);

// The same for messages that IsChange says yes to: the hot path.
ChangeMessage DecodeChange(std::string_view message, const DecodeState& state, ChangeBlock* block);

// The first byte; throws ProtocolError when there is none.
MessageType TypeOf(std::string_view message);

// The xid in front of a change, Relation or Type message inside a stream, without decoding it.
pg::Xid StreamedXid(std::string_view message);

}  // namespace pgteal::decoder

#endif  // PGTEAL_DECODER_PGOUTPUT_H_
