#include "applier/encoder.h"

#include <gtest/gtest.h>

#include "tests/unit/applier/change_maker.h"

namespace pgteal::applier {
namespace {

using namespace std::string_literals;  // NOLINT: bytes with NULs in them
using tests::Cell;
using tests::Cells;
using tests::ChangeMaker;
using tests::kNull;

std::string ArrayOf(uint32_t type, const Cells& cells) {
  ChangeMaker maker;
  ArrayEncoder encoder({type});
  encoder.Start(cells.size());
  for (const auto& value : maker.Row(cells)) encoder.Add(value);
  return std::string(encoder.Finish());
}

TEST(ArrayEncoder, WritesWhatArrayRecvReads) {
  EXPECT_EQ(ArrayOf(25, {"a", ""}),
            "\0\0\0\1"          // dimensions
            "\0\0\0\0"          // no nulls
            "\0\0\0\x19"        // text
            "\0\0\0\2\0\0\0\1"  // length, lower bound
            "\0\0\0\1"
            "a"
            "\0\0\0\0"s);
}

TEST(ArrayEncoder, TellsOfNulls) {
  EXPECT_EQ(ArrayOf(0x01020304, {kNull, "ab"}),
            "\0\0\0\1"
            "\0\0\0\1"
            "\1\2\3\4"
            "\0\0\0\2\0\0\0\1"
            "\xff\xff\xff\xff"
            "\0\0\0\2ab"s);
}

TEST(ArrayEncoder, KeepsEveryByteOfAValue) {
  const std::string nasty = "\0\xff{},\"\\\n\tNULL"s;
  EXPECT_EQ(ArrayOf(17, {nasty}), "\0\0\0\1\0\0\0\0\0\0\0\x11\0\0\0\1\0\0\0\1\0\0\0\x0d"s + nasty);
}

TEST(ArrayEncoder, IsEmptyAgainAfterStart) {
  ChangeMaker maker;
  ArrayEncoder encoder({25});
  encoder.Start(1);
  encoder.Add(maker.Row({kNull})[0]);
  EXPECT_EQ(encoder.Finish()[7], '\1');
  encoder.Start(1);
  encoder.Add(maker.Row({"x"})[0]);
  EXPECT_EQ(encoder.Finish()[7], '\0');
  EXPECT_EQ(encoder.Finish().size(), 25U);
}

TEST(CopyText, EscapesWhatSeparatesRowsAndColumns) {
  struct Case {
    const char* name;
    Cell cell;
    std::string expected;
  };
  const Case cases[] = {
      {"plain", "abc", "abc"},
      {"empty is not null", "", ""},
      {"null", kNull, "\\N"},
      {"the two characters of null", "\\N", "\\\\N"},
      {"end of data", "\\.", "\\\\."},
      {"tab", "a\tb", "a\\tb"},
      {"newline", "\n", "\\n"},
      {"carriage return and newline", "a\r\nb", "a\\r\\nb"},
      {"backslashes", "\\\\", "\\\\\\\\"},
      {"other control characters stand for themselves", "\b\f\v\x01", "\b\f\v\x01"},
      {"quotes stand for themselves", "'\"", "'\""},
      {"utf-8", "\xc3\xa4\xf0\x9f\x90\x98", "\xc3\xa4\xf0\x9f\x90\x98"},
  };
  ChangeMaker maker;
  for (const auto& c : cases) {
    std::string out = "before";
    AppendCopyTextValue(maker.Row({c.cell})[0], &out);
    EXPECT_EQ(out, "before" + c.expected) << c.name;
  }
}

TEST(CopyBinary, IsTheDocumentedLayout) {
  ChangeMaker maker;
  const auto row = maker.Row({"a\0b"s, kNull, ""});
  std::string out;
  AppendCopyBinaryHeader(&out);
  AppendCopyBinaryRowStart(3, &out);
  for (const auto& value : row) AppendCopyBinaryValue(value, &out);
  AppendCopyBinaryTrailer(&out);
  EXPECT_EQ(out,
            "PGCOPY\n\377\r\n\0"s
            "\0\0\0\0"s  // flags
            "\0\0\0\0"s  // header extension
            "\0\3"s
            "\0\0\0\3"
            "a\0b"s
            "\xff\xff\xff\xff"s
            "\0\0\0\0"s
            "\xff\xff"s);
}

}  // namespace
}  // namespace pgteal::applier
