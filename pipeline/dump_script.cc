#include "pipeline/dump_script.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace pgteal::pipeline {
namespace {

constexpr std::string_view kName = "-- Name: ";
constexpr std::string_view kType = "; Type: ";
constexpr std::string_view kSchema = "; Schema: ";
constexpr std::string_view kOwner = "; Owner: ";
// How the name of a schema's ACL begins.
constexpr std::string_view kOnSchema = "SCHEMA ";
// What pg_restore switches between entries and expects to last.
constexpr std::array<std::string_view, 2> kLasting = {"SET default_tablespace = ",
                                                      "SET default_table_access_method = "};

std::string_view Line(std::string_view text, size_t at) {
  return text.substr(at, std::min(text.find('\n', at), text.size()) - at);
}

// "-- Name: t; Type: TABLE; Schema: public; Owner: postgres"
std::optional<DumpItem> ParseHeader(std::string_view line) {
  if (!line.starts_with(kName)) return std::nullopt;
  const size_t owner = line.rfind(kOwner);
  const size_t schema = line.rfind(kSchema, owner);
  const size_t type = line.rfind(kType, schema);
  if (owner == line.npos || schema == line.npos || type == line.npos) return std::nullopt;
  DumpItem item;
  item.name = line.substr(kName.size(), type - kName.size());
  item.type = line.substr(type + kType.size(), schema - type - kType.size());
  item.schema = line.substr(schema + kSchema.size(), owner - schema - kSchema.size());
  return item;
}

// Takes lasting settings, psql's commands and blank lines off the end of an entry. Settings go to
// `lasting`, latest last.
void CutTail(std::string* sql, std::array<std::string, kLasting.size()>* lasting) {
  while (!sql->empty()) {
    while (!sql->empty() && sql->back() == '\n') sql->pop_back();
    const size_t newline = sql->rfind('\n');
    const size_t start = newline == std::string::npos ? 0 : newline + 1;
    const std::string line = sql->substr(start);
    bool is_tail = line.starts_with("\\restrict") || line.starts_with("\\unrestrict") ||
                   line == "--" || line == "-- PostgreSQL database dump complete";
    for (size_t i = 0; i < kLasting.size(); ++i) {
      if (!line.starts_with(kLasting[i])) continue;
      is_tail = true;
      (*lasting)[i] = line + "\n";
    }
    if (!is_tail) return;
    sql->resize(start);
  }
}

// The GRANTs of an ACL, without those of other grantors: as the owner's they would be further ones.
std::string OwnersGrants(std::string_view sql) {
  std::string grants;
  bool is_others = false;
  for (size_t at = 0; at < sql.size();) {
    const std::string_view line = Line(sql, at);
    at += line.size() + 1;
    if (line.starts_with("SET SESSION AUTHORIZATION")) is_others = true;
    if (line.starts_with("RESET SESSION AUTHORIZATION")) is_others = false;
    if (!is_others && line.starts_with("GRANT ") && line.ends_with(';')) {
      grants.append(line).push_back('\n');
    }
  }
  return grants;
}

}  // namespace

std::vector<DumpItem> SplitScript(std::string_view script) {
  std::vector<DumpItem> items;
  std::array<std::string, kLasting.size()> lasting;
  std::string body;  // of the entry before the header at hand; at first, what precedes them all
  const auto finish = [&] {
    const auto before = lasting;
    CutTail(&body, &lasting);
    if (!items.empty()) {
      for (const auto& setting : before) items.back().settings += setting;
      items.back().sql = body;
    }
    body.clear();
  };
  for (size_t at = 0; at < script.size();) {
    const std::string_view line = Line(script, at);
    const size_t next = at + line.size() + 1;
    if (line == "--" && next < script.size()) {
      const std::string_view header_line = Line(script, next);
      const size_t third = next + header_line.size() + 1;
      auto item = ParseHeader(header_line);
      if (item && third < script.size() && Line(script, third) == "--") {
        finish();
        items.push_back(std::move(*item));
        at = third + 3;
        continue;
      }
    }
    if (!body.empty() || !line.empty()) body.append(line).push_back('\n');
    at = next;
  }
  finish();
  return items;
}

std::vector<DumpItem> WithEarlyGrants(std::vector<DumpItem> items) {
  std::vector<DumpItem> grants;
  for (const auto& item : items) {
    if (item.type != "ACL" || !item.name.starts_with(kOnSchema)) continue;
    grants.push_back(item);
    grants.back().sql = OwnersGrants(item.sql);
    if (grants.back().sql.empty()) grants.pop_back();
  }
  for (auto& grant : grants) {
    const auto schema = std::find_if(items.begin(), items.end(), [&](const DumpItem& item) {
      return item.type == "SCHEMA" && item.name == grant.name.substr(kOnSchema.size());
    });
    // One that is there already.
    const auto place = schema == items.end() ? items.begin() : schema + 1;
    items.insert(place, std::move(grant));
  }
  return items;
}

}  // namespace pgteal::pipeline
