#include "tools/inspect/summary.h"

#include <fmt/format.h>

#include "tools/cli/json_text.h"
#include "tools/cli/time_text.h"
#include "tools/inspect/change_json.h"

namespace pgteal::tools {
namespace {

constexpr std::array kTableKinds = {decoder::ChangeKind::kInsert, decoder::ChangeKind::kUpdate,
                                    decoder::ChangeKind::kDelete, decoder::ChangeKind::kTruncate};

}  // namespace

void Summary::Add(const decoder::Transaction& transaction) {
  if (transaction_count_++ == 0) {
    first_end_lsn_ = transaction.end_lsn;
    first_commit_time_ = transaction.commit_time;
  }
  last_end_lsn_ = transaction.end_lsn;
  last_commit_time_ = transaction.commit_time;
}

void Summary::Add(const decoder::Change& change) {
  if (change.kind == decoder::ChangeKind::kMessage) {
    ++message_count_;
  } else if (change.kind == decoder::ChangeKind::kTruncate) {
    for (uint32_t i = 0; i < change.truncated_count; ++i) {
      AddTo(*change.truncated[i], change.kind);
    }
  } else {
    AddTo(*change.relation, change.kind);
  }
}

void Summary::AddTo(const decoder::Relation& relation, decoder::ChangeKind kind) {
  ++tables_[{relation.schema, relation.name}][static_cast<size_t>(kind)];
}

void Summary::PrintText(const pipeline::FrameReader& reader, std::ostream& out) const {
  const auto& header = reader.header();
  out << fmt::format("server {} slot {} publication {} start_lsn {}\n", header.server_version(),
                     header.slot(), header.publication(), pg::Lsn{header.start_lsn()});
  out << (reader.is_complete() ? fmt::format("complete up to {}\n", reader.end_lsn())
                               : "not complete: the capture was not ended in order\n");
  out << fmt::format("{} transactions, {} logical messages\n", transaction_count_, message_count_);
  if (transaction_count_ > 0) {
    out << fmt::format("end LSN {} to {}, committed {} to {}\n", first_end_lsn_, last_end_lsn_,
                       TimeText(first_commit_time_), TimeText(last_commit_time_));
  }
  for (const auto& [name, counts] : tables_) {
    out << fmt::format("{}.{}", name.first, name.second);
    for (const auto kind : kTableKinds) {
      out << fmt::format(" {}={}", decoder::KindName(kind), counts[static_cast<size_t>(kind)]);
    }
    out << '\n';
  }
}

void Summary::PrintJson(const pipeline::FrameReader& reader, std::ostream& out) const {
  const auto& header = reader.header();
  Json json = {{"server_version", header.server_version()},
               {"slot", header.slot()},
               {"publication", header.publication()},
               {"start_lsn", pg::Lsn{header.start_lsn()}.ToString()},
               {"complete", reader.is_complete()}};
  if (reader.is_complete()) json["complete_up_to"] = reader.end_lsn().ToString();
  json["transactions"] = transaction_count_;
  json["messages"] = message_count_;
  if (transaction_count_ > 0) {
    json["first_end_lsn"] = first_end_lsn_.ToString();
    json["last_end_lsn"] = last_end_lsn_.ToString();
    json["first_commit_time"] = TimeText(first_commit_time_);
    json["last_commit_time"] = TimeText(last_commit_time_);
  }
  json["tables"] = Json::array();
  for (const auto& [name, counts] : tables_) {
    Json table = {{"schema", name.first}, {"table", name.second}};
    for (const auto kind : kTableKinds)
      table[decoder::KindName(kind)] = counts[static_cast<size_t>(kind)];
    json["tables"].push_back(std::move(table));
  }
  out << JsonText(json) << '\n';
}

}  // namespace pgteal::tools
