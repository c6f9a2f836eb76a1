#ifndef PGTEAL_DECODER_CHANGE_READER_H_
#define PGTEAL_DECODER_CHANGE_READER_H_

#include "decoder/byte_reader.h"
#include "decoder/pgoutput.h"

namespace pgteal::decoder {

// The messages that become a Change. Each function reads what follows the type byte and the xid;
// `in` stands in the copy that `block->arena` holds. All throw ProtocolError.
Change ReadInsert(ByteReader& in, const DecodeState& state, ChangeBlock* block);
Change ReadUpdate(ByteReader& in, const DecodeState& state, ChangeBlock* block);
Change ReadDelete(ByteReader& in, const DecodeState& state, ChangeBlock* block);
Change ReadTruncate(ByteReader& in, const DecodeState& state, ChangeBlock* block);
Change ReadLogicalMessage(ByteReader& in, ChangeBlock* block);

}  // namespace pgteal::decoder

#endif  // PGTEAL_DECODER_CHANGE_READER_H_
