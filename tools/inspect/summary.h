#ifndef PGTEAL_TOOLS_INSPECT_SUMMARY_H_
#define PGTEAL_TOOLS_INSPECT_SUMMARY_H_

#include <array>
#include <cstdint>
#include <map>
#include <ostream>
#include <string>
#include <utility>

#include "decoder/change.h"
#include "decoder/transaction.h"
#include "pipeline/frame_reader.h"

namespace pgteal::tools {

// Counts what a capture holds, by table and kind. A TRUNCATE counts once for each of its tables.
class Summary {
 public:
  void Add(const decoder::Transaction& transaction);
  void Add(const decoder::Change& change);

  void PrintText(const pipeline::FrameReader& reader, std::ostream& out) const;
  void PrintJson(const pipeline::FrameReader& reader, std::ostream& out) const;

 private:
  static constexpr size_t kKinds = 5;
  using Counts = std::array<uint64_t, kKinds>;
  using Name = std::pair<std::string, std::string>;  // schema, table

  void AddTo(const decoder::Relation& relation, decoder::ChangeKind kind);

  uint64_t transaction_count_ = 0;
  uint64_t message_count_ = 0;
  pg::Lsn first_end_lsn_;
  pg::Lsn last_end_lsn_;
  pg::Timestamp first_commit_time_;
  pg::Timestamp last_commit_time_;
  std::map<Name, Counts> tables_;
};

}  // namespace pgteal::tools

#endif  // PGTEAL_TOOLS_INSPECT_SUMMARY_H_
