#include "tests/tidy/rules.h"

#include <cctype>
#include <map>
#include <regex>
#include <set>

namespace pgteal::tidy {
namespace {

constexpr size_t kLineCharsMax = 100;
constexpr int kFunctionLinesMax = 70;
constexpr size_t kFileLinesMax = 400;

// Headers of pg/ that know no libpq: what a pure library may use.
bool IsPgBase(const std::string& path) {
  static const std::set<std::string> kNames = {"lsn",      "ids",   "timestamp", "error",
                                               "sqlstate", "check", "quote"};
  return path.starts_with("pg/") && kNames.count(path.substr(3, path.rfind('.') - 3)) > 0;
}

bool IsTest(const SourceFile& file) {
  return file.top_folder() == "tests" || file.top_folder() == "bench";
}

bool MayInclude(const SourceFile& from, const std::string& target) {
  static const std::map<std::string, std::set<std::string>> kAllowed = {
      {"pg", {"pg"}},
      {"decoder", {"decoder"}},
      {"applier", {"applier", "decoder", "pg"}},
      {"proto", {"proto"}},
      {"pipeline", {"pipeline", "proto", "applier", "decoder", "pg"}},
      {"tools", {"tools", "pipeline", "proto", "applier", "decoder", "pg"}},
  };
  if (IsPgBase(from.path)) return IsPgBase(target);
  if (from.top_folder() == "decoder" && IsPgBase(target)) return true;
  const auto row = kAllowed.find(from.top_folder());
  return row == kAllowed.end() || row->second.count(target.substr(0, target.find('/'))) > 0;
}

bool IsLibpq(const std::string& target) {
  return target.find("libpq") != std::string::npos || target.starts_with("postgres");
}

std::string At(const SourceFile& file, int line, const std::string& what) {
  return file.path + ":" + std::to_string(line) + ": " + what;
}

struct WordRule {
  std::regex word;
  bool in_comments_too;
  bool (*applies)(const SourceFile& file);
  const char* why;
};

const std::vector<WordRule>& WordRules() {
  static const auto kEverywhere = [](const SourceFile&) { return true; };
  static const auto kInDecoder = [](const SourceFile& f) { return f.top_folder() == "decoder"; };
  static const auto kOutsideTools = [](const SourceFile& f) {
    return f.top_folder() != "tools" && !IsTest(f);
  };
  static const auto kInTests = [](const SourceFile& f) {
    return f.top_folder() == "tests" && f.path != "tests/support/wait.h";
  };
  static const std::vector<WordRule> kRules = {
      {std::regex(R"(\b(TODO|FIXME|XXX|HACK)\b)"), true, kEverywhere, "finish it or file it"},
      {std::regex(R"((^|[^\w/])/(work|root|home)/)"), true, kEverywhere, "a path of one machine"},
      {std::regex(R"(\bstd::(cout|cerr|clog)\b)"), false, kOutsideTools, "only tools print"},
      {std::regex(R"(\b(spdlog|SPDLOG_\w+|f?printf|puts)\b)"), false, kInDecoder,
       "the decoder does not log"},
      {std::regex(R"(\bstd::(j?thread|mutex|atomic|chrono)\b)"), false, kInDecoder,
       "the decoder has no threads and no clock"},
      {std::regex(R"(\b(sleep_for|sleep_until|usleep|nanosleep)\b)"), false, kInTests,
       "wait for a fact (tests/support/wait.h)"},
      {std::regex(R"(\bstd::(format|expected|source_location|hardware_destructive))"), false,
       kEverywhere, "not in our compilers"},
      {std::regex(R"(\busing namespace std;)"), false, kEverywhere, "names are spelt out"},
  };
  return kRules;
}

size_t CharsOf(const std::string& line) {
  size_t chars = 0;
  for (const char c : line) {
    if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) ++chars;  // not a UTF-8 continuation
  }
  return chars;
}

}  // namespace

Findings CheckIncludes(const SourceFile& file) {
  Findings findings;
  for (const Include& include : IncludesOf(file)) {
    const bool may_use_libpq = file.top_folder() == "pg" || file.path.starts_with("tests/support/");
    if (IsLibpq(include.target) && (!may_use_libpq || IsPgBase(file.path))) {
      findings.push_back(At(file, include.line, "only pg/ includes libpq"));
    }
    if (!include.is_quoted) continue;
    if (include.target.find('/') == std::string::npos || include.target.starts_with(".")) {
      findings.push_back(At(file, include.line, "include from the root of the repository"));
    } else if (!MayInclude(file, include.target)) {
      findings.push_back(At(file, include.line, "must not include " + include.target));
    }
  }
  return findings;
}

Findings CheckHeaderGuard(const SourceFile& file) {
  if (!file.is_header()) return {};
  std::string guard = "PGTEAL_";
  for (const char c : file.path) {
    const auto byte = static_cast<unsigned char>(c);
    guard += std::isalnum(byte) != 0 ? static_cast<char>(std::toupper(byte)) : '_';
  }
  guard += "_";
  const std::string open = "#ifndef " + guard + "\n#define " + guard + "\n";
  const std::string close = "#endif  // " + guard + "\n";
  if (file.text.starts_with(open) && file.text.ends_with(close)) return {};
  return {At(file, 1, "header guard is not " + guard)};
}

Findings CheckLengths(const SourceFile& file) {
  Findings findings;
  const std::vector<std::string> lines = file.Lines();
  if (!IsTest(file) && lines.size() > kFileLinesMax) {
    findings.push_back(At(file, 1, std::to_string(lines.size()) + " lines in one file"));
  }
  for (size_t i = 0; i < lines.size(); ++i) {
    if (CharsOf(lines[i]) > kLineCharsMax) {
      findings.push_back(At(file, static_cast<int>(i) + 1, "line is too long"));
    }
  }
  for (const Body& body : FunctionBodies(file.text)) {
    if (body.lines > kFunctionLinesMax) {
      findings.push_back(
          At(file, body.first_line, "function of " + std::to_string(body.lines) + " lines"));
    }
  }
  return findings;
}

Findings CheckWords(const SourceFile& file) {
  if (file.path.starts_with("tests/tidy/")) return {};  // they name what they look for
  Findings findings;
  const std::vector<std::string> lines = file.Lines();
  const std::vector<std::string> code = SourceFile{file.path, CodeOnly(file.text)}.Lines();
  for (const WordRule& rule : WordRules()) {
    if (!rule.applies(file)) continue;
    const std::vector<std::string>& searched = rule.in_comments_too ? lines : code;
    for (size_t i = 0; i < searched.size(); ++i) {
      std::smatch match;
      if (!std::regex_search(searched[i], match, rule.word)) continue;
      findings.push_back(At(file, static_cast<int>(i) + 1, match.str() + ": " + rule.why));
    }
  }
  return findings;
}

}  // namespace pgteal::tidy
