#include "tools/inspect/inspect.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "decoder/assembler.h"
#include "pg/error.h"
#include "pipeline/frame_reader.h"
#include "pipeline/spool.h"
#include "tools/cli/exit_codes.h"
#include "tools/cli/json_text.h"
#include "tools/inspect/change_json.h"
#include "tools/inspect/summary.h"

namespace pgteal::tools {
namespace {

using decoder::Change;
using decoder::ChangeKind;
using decoder::Transaction;

constexpr size_t kBlockBytes = size_t{1} << 20;

pipeline::SpoolOptions SpoolIn(const std::string& folder) {
  pipeline::SpoolOptions options;
  options.folder = folder;
  options.prefix = "pgteal-inspect";
  return options;
}

decoder::AssemblerOptions AssemblerFor(const proto::FrameFileHeader& header) {
  decoder::AssemblerOptions options;
  if (header.proto_version() != 0) {
    options.protocol_version = static_cast<int>(header.proto_version());
  }
  return options;
}

class Inspection {
 public:
  Inspection(const InspectOptions& options, std::ostream& out)
      : options_(options),
        out_(out),
        reader_(options.path),
        spool_(SpoolIn(options.spool_folder)),
        assembler_(AssemblerFor(reader_.header()), spool_) {}

  void Run() {
    pipeline::Frame frame;
    while (out_ && reader_.Next(&frame)) {
      if (frame.message == pipeline::kPositionMark) continue;
      const auto transaction = Feed(frame);
      if (!transaction || transaction->end_lsn < options_.from) continue;
      // Transactions come in the order of their end LSNs.
      if (options_.until.is_valid() && transaction->end_lsn > options_.until) break;
      Show(transaction.get());
    }
    if (options_.summary && options_.json) summary_.PrintJson(reader_, out_);
    if (options_.summary && !options_.json) summary_.PrintText(reader_, out_);
  }

 private:
  std::unique_ptr<Transaction> Feed(const pipeline::Frame& frame) {
    try {
      return assembler_.Feed(frame.message, frame.lsn);
    } catch (pg::ProtocolError& error) {
      error.AddContext(fmt::format("message with lsn {} in {}", frame.lsn, options_.path));
      throw;
    }
  }

  void Show(Transaction* transaction) {
    has_begun_ = false;
    if (options_.tables.empty()) Begin(*transaction);
    if (transaction->source) {
      decoder::ChangeBlock block;
      while (transaction->source->Next(kBlockBytes, &block)) ShowAll(*transaction, block);
    } else {
      ShowAll(*transaction, transaction->block);
    }
    if (has_begun_ && !options_.summary) Commit(*transaction);
  }

  void ShowAll(const Transaction& transaction, const decoder::ChangeBlock& block) {
    for (const Change& change : block.changes) {
      if (!IsWanted(change)) continue;
      Begin(transaction);
      if (options_.summary) {
        summary_.Add(change);
      } else if (options_.json) {
        out_ << JsonText(ChangeJson(change)) << '\n';
      } else {
        out_ << "  " << ChangeText(change) << '\n';
      }
    }
  }

  // Only once, and with a filter only when there is something to show.
  void Begin(const Transaction& transaction) {
    if (has_begun_) return;
    has_begun_ = true;
    if (options_.summary) {
      summary_.Add(transaction);
    } else {
      out_ << (options_.json ? JsonText(BeginJson(transaction)) : BeginText(transaction)) << '\n';
    }
  }

  void Commit(const Transaction& transaction) {
    if (options_.json) {
      const Json json = {{"kind", "commit"},
                         {"xid", transaction.xid.value},
                         {"end_lsn", transaction.end_lsn.ToString()}};
      out_ << JsonText(json) << '\n';
    } else {
      out_ << fmt::format("commit xid={} end_lsn={}\n", transaction.xid.value, transaction.end_lsn);
    }
  }

  bool IsWanted(const Change& change) const {
    if (options_.tables.empty()) return true;
    if (change.relation != nullptr) return IsNamed(*change.relation);
    return std::any_of(change.truncated, change.truncated + change.truncated_count,
                       [this](const decoder::Relation* relation) { return IsNamed(*relation); });
  }

  bool IsNamed(const decoder::Relation& relation) const {
    return std::any_of(
        options_.tables.begin(), options_.tables.end(), [&relation](const std::string& table) {
          return table == relation.name || table == relation.schema + "." + relation.name;
        });
  }

  const InspectOptions& options_;
  std::ostream& out_;
  pipeline::FrameReader reader_;
  pipeline::SpoolFolder spool_;
  decoder::Assembler assembler_;
  Summary summary_;
  bool has_begun_ = false;
};

}  // namespace

int Inspect(const InspectOptions& options, std::ostream& out) {
  Inspection(options, out).Run();
  return kDone;
}

}  // namespace pgteal::tools
