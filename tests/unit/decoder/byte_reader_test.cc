#include "decoder/byte_reader.h"

#include <gtest/gtest.h>

#include <string>

#include "pg/error.h"

namespace pgteal::decoder {
namespace {

using namespace std::string_literals;

TEST(ByteReader, ReadsNumbersInNetworkOrder) {
  const std::string bytes = "\x01\x02\x03\x04\x05\x06\x07\xFF\xFE\xFD\xFC\xFB\xFA\xF9\xF8"s;
  ByteReader in(bytes);
  EXPECT_EQ(in.U8(), 0x01);
  EXPECT_EQ(in.U16(), 0x0203);
  EXPECT_EQ(in.U32(), 0x040506'07U);
  EXPECT_EQ(in.U64(), 0xFFFEFDFCFBFAF9F8U);
  EXPECT_NO_THROW(in.ExpectEnd());
}

TEST(ByteReader, RefusesToReadPastTheEnd) {
  const std::string bytes = "\x01\x02\x03"s;
  EXPECT_THROW(ByteReader(bytes).U32(), pg::ProtocolError);
  EXPECT_THROW(ByteReader(bytes).U64(), pg::ProtocolError);
  EXPECT_THROW(ByteReader(bytes).Bytes(4), pg::ProtocolError);
  EXPECT_THROW(ByteReader(bytes).Bytes(SIZE_MAX), pg::ProtocolError);
  EXPECT_THROW(ByteReader("").U8(), pg::ProtocolError);
  EXPECT_THROW(ByteReader(std::string_view()).U8(), pg::ProtocolError);
}

TEST(ByteReader, AStringEndsAtItsNulByteWhichMustBeThere) {
  const std::string bytes = "abc\0\0d"s;
  ByteReader in(bytes);
  EXPECT_EQ(in.CString(), "abc");
  EXPECT_EQ(in.CString(), "");
  EXPECT_THROW(in.CString(), pg::ProtocolError);
  EXPECT_THROW(ByteReader(std::string_view()).CString(), pg::ProtocolError);
}

TEST(ByteReader, BytesLeftOverAreAnError) {
  ByteReader in("ab");
  in.U8();
  EXPECT_EQ(in.left(), 1U);
  EXPECT_THROW(in.ExpectEnd(), pg::ProtocolError);
}

}  // namespace
}  // namespace pgteal::decoder
