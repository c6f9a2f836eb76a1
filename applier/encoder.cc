#include "applier/encoder.h"

#include <bit>
#include <cstring>

namespace pgteal::applier {
namespace {

template <typename T>
void AppendBigEndian(T value, std::string* out) {
  char bytes[sizeof(T)];
  for (size_t i = 0; i < sizeof(T); ++i) {
    bytes[i] = static_cast<char>((value >> (8 * (sizeof(T) - 1 - i))) & 0xFF);
  }
  out->append(bytes, sizeof(T));
}

constexpr uint32_t kNullLength = 0xFFFFFFFF;
constexpr size_t kHasNullAt = 4;

void AppendSized(const decoder::ColumnValue& value, std::string* out) {
  if (value.is_null()) return AppendBigEndian(kNullLength, out);
  AppendBigEndian(value.size, out);
  out->append(value.data, value.size);
}

// The letter after the backslash, or 0 where the byte stands for itself.
constexpr char EscapeLetter(char c) {
  switch (c) {
    case '\\':
      return '\\';
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    default:
      return 0;
  }
}

}  // namespace

void ArrayEncoder::Start(size_t count) {
  bytes_.clear();
  has_null_ = false;
  AppendBigEndian<uint32_t>(1, &bytes_);
  AppendBigEndian<uint32_t>(0, &bytes_);
  AppendBigEndian<uint32_t>(element_type_.value, &bytes_);
  AppendBigEndian<uint32_t>(static_cast<uint32_t>(count), &bytes_);
  AppendBigEndian<uint32_t>(1, &bytes_);
}

void ArrayEncoder::Add(const decoder::ColumnValue& value) {
  has_null_ |= value.is_null();
  AppendSized(value, &bytes_);
}

std::string_view ArrayEncoder::Finish() {
  if (has_null_) bytes_[kHasNullAt + 3] = 1;
  return bytes_;
}

void AppendCopyTextValue(const decoder::ColumnValue& value, std::string* out) {
  if (value.is_null()) {
    out->append("\\N", 2);
    return;
  }
  const char* plain = value.data;
  const char* const end = value.data + value.size;
  for (const char* at = plain; at != end; ++at) {
    const char letter = EscapeLetter(*at);
    if (letter == 0) continue;
    out->append(plain, static_cast<size_t>(at - plain));
    out->push_back('\\');
    out->push_back(letter);
    plain = at + 1;
  }
  out->append(plain, static_cast<size_t>(end - plain));
}

void AppendCopyBinaryHeader(std::string* out) {
  out->append("PGCOPY\n\377\r\n\0", 11);
  AppendBigEndian<uint32_t>(0, out);  // flags
  AppendBigEndian<uint32_t>(0, out);  // header extension
}

void AppendCopyBinaryRowStart(uint16_t columns, std::string* out) { AppendBigEndian(columns, out); }

void AppendCopyBinaryValue(const decoder::ColumnValue& value, std::string* out) {
  AppendSized(value, out);
}

void AppendCopyBinaryTrailer(std::string* out) { AppendBigEndian<uint16_t>(0xFFFF, out); }

}  // namespace pgteal::applier
