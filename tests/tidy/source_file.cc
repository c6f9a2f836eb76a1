#include "tests/tidy/source_file.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>

namespace pgteal::tidy {
namespace {

bool IsWord(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

size_t EndOfLiteral(const std::string& text, size_t begin) {
  for (size_t at = begin + 1; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == text[begin]) {
      return at + 1;
    }
  }
  return text.size();
}

// R"delimiter( ... )delimiter", `begin` at the quote.
size_t EndOfRawString(const std::string& text, size_t begin) {
  const size_t open = text.find('(', begin);
  const std::string close = ")" + text.substr(begin + 1, open - begin - 1) + "\"";
  const size_t end = text.find(close, open);
  return end == std::string::npos ? text.size() : end + close.size();
}

// Where the comment or literal that begins at `at` ends; `at` itself when none does.
size_t EndOfNonCode(const std::string& text, size_t at) {
  if (text.compare(at, 2, "//") == 0) return std::min(text.find('\n', at), text.size());
  if (text.compare(at, 2, "/*") == 0) {
    const size_t end = text.find("*/", at + 2);
    return end == std::string::npos ? text.size() : end + 2;
  }
  const char before = at == 0 ? ' ' : text[at - 1];
  if (text[at] == '"') {
    return before == 'R' ? EndOfRawString(text, at) : EndOfLiteral(text, at);
  }
  // 30'000 is a number.
  if (text[at] == '\'' && !IsWord(before)) return EndOfLiteral(text, at);
  return at;
}

enum class Brace { kScope, kBody, kOther };

// What a brace opens, by the text since the last statement or brace.
Brace Classify(const std::string& head, bool in_scope) {
  static const std::regex kScopeWord(R"(\b(namespace|class|struct|union|enum|extern)\b)");
  if (!in_scope) return Brace::kOther;
  if (std::regex_search(head, kScopeWord) && head.find('(') == std::string::npos) {
    return Brace::kScope;
  }
  const size_t last = head.find_last_not_of(" \n\t");
  return last != std::string::npos && head[last] == '=' ? Brace::kOther : Brace::kBody;
}

}  // namespace

std::vector<std::string> SourceFile::Lines() const {
  std::istringstream in(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<SourceFile> ReadSources(const std::string& root) {
  std::vector<SourceFile> files;
  for (const char* folder :
       {"pg", "decoder", "applier", "pipeline", "proto", "tools", "tests", "bench"}) {
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(std::filesystem::path(root) / folder)) {
      const auto extension = entry.path().extension();
      if (extension != ".h" && extension != ".cc") continue;
      std::ifstream in(entry.path(), std::ios::binary);
      files.push_back({std::filesystem::relative(entry.path(), root).generic_string(),
                       {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()}});
    }
  }
  std::sort(files.begin(), files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return files;
}

std::string CodeOnly(const std::string& text) {
  std::string code = text;
  for (size_t at = 0; at < text.size();) {
    const size_t end = EndOfNonCode(text, at);
    for (size_t i = at; i < end; ++i) {
      if (code[i] != '\n') code[i] = ' ';
    }
    at = std::max(end, at + 1);
  }
  return code;
}

std::vector<Include> IncludesOf(const SourceFile& file) {
  static const std::regex kInclude(R"(^#include ([<"])([^>"]+)[>"])");
  std::vector<Include> includes;
  int number = 0;
  for (const std::string& line : file.Lines()) {
    ++number;
    std::smatch match;
    if (std::regex_search(line, match, kInclude)) {
      includes.push_back({number, match[2], match[1] == "\""});
    }
  }
  return includes;
}

std::vector<Body> FunctionBodies(const std::string& text) {
  struct Open {
    Brace kind;
    int line;
  };
  std::vector<Body> bodies;
  std::vector<Open> open;
  std::string head;
  int line = 1;
  for (const char c : CodeOnly(text)) {
    if (c == '\n') ++line;
    if (c == '{') {
      const bool in_scope = open.empty() || open.back().kind == Brace::kScope;
      open.push_back({Classify(head, in_scope), line});
    } else if (c == '}' && !open.empty()) {
      if (open.back().kind == Brace::kBody) {
        bodies.push_back({open.back().line, line - open.back().line + 1});
      }
      open.pop_back();
    }
    head = c == '{' || c == '}' || c == ';' ? "" : head + c;
  }
  return bodies;
}

}  // namespace pgteal::tidy
