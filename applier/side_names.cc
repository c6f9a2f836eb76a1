#include "applier/side_names.h"

#include <cctype>

namespace pgteal::applier {
namespace {

bool IsLetter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }

}  // namespace

SideNames SideNamesAt(int64_t epoch) {
  if (epoch % 2 == 1) return {.blue = "green", .green = "blue"};
  return {};
}

std::string Renamed(std::string_view text, const SideNames& names) {
  std::string renamed;
  while (!text.empty()) {
    size_t end = 0;
    while (end < text.size() && IsLetter(text[end])) ++end;
    const auto word = text.substr(0, end);
    const bool is_source = word == "blue" || word == "Blue";
    if (is_source || word == "green" || word == "Green") {
      std::string name = is_source ? names.blue : names.green;
      if (word[0] == 'B' || word[0] == 'G') {
        name[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(name[0])));
      }
      renamed += name;
    } else {
      renamed += word;
    }
    while (end < text.size() && !IsLetter(text[end])) renamed += text[end++];
    text.remove_prefix(end);
  }
  return renamed;
}

}  // namespace pgteal::applier
