#include "pipeline/schema_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <set>
#include <sstream>

namespace pgteal::pipeline {
namespace {

struct TypeText {
  std::string name;
  std::vector<int> modifiers;
};

// "character varying(10)", "numeric(12,2)", "integer"
TypeText ParseType(std::string_view text) {
  TypeText type;
  const size_t open = text.find('(');
  type.name = std::string(text.substr(0, open));
  if (open == std::string_view::npos) return type;
  int number = 0;
  for (const char c : text.substr(open + 1)) {
    if (c >= '0' && c <= '9') {
      number = number * 10 + (c - '0');
      continue;
    }
    type.modifiers.push_back(number);
    number = 0;
    if (c == ')') break;
  }
  return type;
}

bool IsOneOf(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// A type without modifiers has no limit.
bool HasWiderModifiers(const TypeText& from, const TypeText& to) {
  if (to.modifiers.empty()) return true;
  if (from.modifiers.size() != to.modifiers.size()) return false;
  if (from.modifiers.size() == 1) return to.modifiers[0] >= from.modifiers[0];
  const int from_digits = from.modifiers[0] - from.modifiers[1];
  const int to_digits = to.modifiers[0] - to.modifiers[1];
  return to.modifiers[1] >= from.modifiers[1] && to_digits >= from_digits;
}

bool IsSubsequence(std::string_view part, std::string_view whole) {
  std::istringstream labels{std::string(whole)};
  std::istringstream wanted{std::string(part)};
  std::string label;
  std::string want;
  while (std::getline(wanted, want)) {
    do {
      if (!std::getline(labels, label)) return false;
    } while (label != want);
  }
  return true;
}

// Where the identifier that `text` ends with begins.
size_t NameBefore(const std::string& text) {
  if (text.ends_with('"')) {
    const size_t quote = text.rfind('"', text.size() - 2);
    return quote == std::string::npos ? text.size() : quote;
  }
  size_t begin = text.size();
  while (begin > 0 && (std::isalnum(static_cast<unsigned char>(text[begin - 1])) != 0 ||
                       text[begin - 1] == '_')) {
    --begin;
  }
  return begin;
}

std::string Normalized(std::string_view query) {
  std::string out;
  for (const char c : query) {
    if (std::isspace(static_cast<unsigned char>(c)) != 0) {
      if (!out.empty() && out.back() != ' ') out += ' ';
      continue;
    }
    if (c != '.') {
      out += c;
      continue;
    }
    const size_t begin = NameBefore(out);
    // A number keeps its digits.
    const bool is_number =
        begin < out.size() && std::isdigit(static_cast<unsigned char>(out[begin])) != 0;
    out = is_number ? out + c : out.substr(0, begin);
  }
  return out;
}

enum class DetailVerdict : uint8_t { kSame, kWidened, kDifferent };

DetailVerdict CompareDetails(const std::string& kind, const std::string& blue,
                             const std::string& green) {
  if (blue == green) return DetailVerdict::kSame;
  if (kind == "view") {
    return IsSameQuery(blue, green) ? DetailVerdict::kSame : DetailVerdict::kDifferent;
  }
  const bool is_wider = kind == "extension" || (kind == "column" && IsWidening(blue, green)) ||
                        (kind == "type" && IsSubsequence(blue, green));
  return is_wider ? DetailVerdict::kWidened : DetailVerdict::kDifferent;
}

std::string Text(const SchemaObject& object) {
  if (object.detail.empty()) return object.definition;
  return object.definition.empty() ? object.detail : object.detail + " " + object.definition;
}

std::optional<SchemaDifference> Compare(const std::string& kind, const std::string& name,
                                        const SchemaObject& blue, const SchemaObject& green) {
  const auto detail = CompareDetails(kind, blue.detail, green.detail);
  const bool is_same = blue.definition == green.definition;
  if (is_same && detail == DetailVerdict::kSame) return std::nullopt;
  const bool is_widened = is_same && detail == DetailVerdict::kWidened;
  return SchemaDifference{.what = is_widened ? Difference::kWidened : Difference::kDifferent,
                          .kind = kind,
                          .object = name,
                          .blue = Text(blue),
                          .green = Text(green),
                          .fix = is_widened ? "" : blue.change_sql};
}

// A column that blue does not know must be able to do without a value.
Difference JudgeExtra(const std::string& kind, const SchemaObject& object) {
  const auto has = [&object](const char* word) {
    return object.definition.find(word) != std::string::npos;
  };
  if (kind == "column" && has("NOT NULL") && !has("DEFAULT ") && !has("GENERATED ")) {
    return Difference::kDifferent;
  }
  if (kind == "constraint" || (kind == "index" && has("CREATE UNIQUE "))) {
    return Difference::kExtraRule;
  }
  return Difference::kExtra;
}

using Objects = std::map<std::string, SchemaObject>;

const Objects& Find(const Schema& schema, const std::string& kind) {
  static const Objects kNone;
  const auto found = schema.find(kind);
  return found == schema.end() ? kNone : found->second;
}

// Names of objects that only `here` has and that others belong to.
std::set<std::string> OnlyIn(const Schema& here, const Schema& there) {
  std::set<std::string> names;
  for (const auto& [kind, objects] : here) {
    if (!IsOneOf(kind, {"schema", "table", "view", "sequence", "function", "aggregate", "type"})) {
      continue;
    }
    const auto& others = Find(there, kind);
    for (const auto& [name, object] : objects) {
      if (!others.contains(name)) names.insert(name);
    }
  }
  return names;
}

std::string Shortened(const std::string& text) {
  constexpr size_t kCharsMax = 160;
  std::string line;
  for (const char c : text) {
    const bool is_blank = std::isspace(static_cast<unsigned char>(c)) != 0;
    if (!is_blank || (!line.empty() && line.back() != ' ')) line += is_blank ? ' ' : c;
  }
  if (line.size() <= kCharsMax) return line;
  size_t end = kCharsMax;
  while ((static_cast<unsigned char>(line[end]) & 0xC0U) == 0x80) --end;  // not inside a character
  return line.substr(0, end) + " …";
}

}  // namespace

bool IsWidening(std::string_view from, std::string_view to) {
  const TypeText narrow = ParseType(from);
  const TypeText wide = ParseType(to);
  if (narrow.name == wide.name) return HasWiderModifiers(narrow, wide);
  if (wide.name == "text") return IsOneOf(narrow.name, {"character varying", "name"});
  if (wide.name == "character varying") {
    return wide.modifiers.empty() && IsOneOf(narrow.name, {"text", "name"});
  }
  if (wide.name == "bigint") return IsOneOf(narrow.name, {"integer", "smallint"});
  if (wide.name == "integer") return narrow.name == "smallint";
  if (wide.name == "double precision") {
    return IsOneOf(narrow.name, {"real", "integer", "smallint"});
  }
  if (wide.name == "numeric") {
    return wide.modifiers.empty() && IsOneOf(narrow.name, {"bigint", "integer", "smallint"});
  }
  return false;
}

bool IsSameQuery(std::string_view one, std::string_view other) {
  return Normalized(one) == Normalized(other);
}

std::string SchemaDifference::Describe(const applier::SideNames& names) const {
  const std::string name = kind + " " + object;
  switch (what) {
    case Difference::kMissing:
      if (kind == kPublishedTable) return object + " is not in the publication";
      if (kind == kCompleteTable) {
        return fmt::format(
            "{} was not published for a while, or may not have been, and what was written to it"
            " then is missing on {}, or it was made anew there, or a reload of it was interrupted:"
            " stop `pgteal run` and start it with --reload-table {}",
            object, names.green, object);
      }
      if (kind == kCopiedTable) {
        return fmt::format(
            "a reload of {} was interrupted and has left it without all its rows: stop `pgteal run`"
            " and start it with --reload-table {}",
            object, object);
      }
      return fmt::format("{} is missing on {}", name, names.green);
    case Difference::kExtra:
    case Difference::kExtraRule:
      return fmt::format("{} is only on {}", name, names.green);
    case Difference::kWidened:
    case Difference::kDifferent:
      break;
  }
  if (blue.empty()) {
    return fmt::format("{} is only on {} and refuses {}'s rows: {}", name, names.green, names.blue,
                       Shortened(green));
  }
  return fmt::format("{}: {} on {}, {} on {}", name, Shortened(blue), names.blue, Shortened(green),
                     names.green);
}

std::string SchemaDifference::FixFor(const applier::SideNames& names) const {
  constexpr std::string_view kPipe = " blue | psql green";
  if (!fix.starts_with("-- ") || !fix.ends_with(kPipe)) return fix;
  return fix.substr(0, fix.size() - kPipe.size()) + applier::Renamed(kPipe, names);
}

std::vector<SchemaDifference> CompareSchemas(const Schema& blue, const Schema& green) {
  std::vector<SchemaDifference> differences;
  const auto missing = OnlyIn(blue, green);
  const auto extra = OnlyIn(green, blue);
  for (const auto& [kind, objects] : blue) {
    const auto& others = Find(green, kind);
    for (const auto& [name, object] : objects) {
      const auto other = others.find(name);
      if (other != others.end()) {
        if (auto found = Compare(kind, name, object, other->second)) differences.push_back(*found);
      } else if (!missing.contains(object.parent)) {
        differences.push_back({.what = Difference::kMissing,
                               .kind = kind,
                               .object = name,
                               .blue = Text(object),
                               .green = "",
                               .fix = object.create_sql});
      }
    }
    for (const auto& [name, object] : others) {
      if (objects.contains(name) || extra.contains(object.parent)) continue;
      differences.push_back({.what = JudgeExtra(kind, object),
                             .kind = kind,
                             .object = name,
                             .blue = "",
                             .green = Text(object),
                             .fix = ""});
    }
  }
  std::stable_sort(differences.begin(), differences.end(),
                   [](const auto& left, const auto& right) { return left.what > right.what; });
  return differences;
}

}  // namespace pgteal::pipeline
