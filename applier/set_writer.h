#ifndef PGTEAL_APPLIER_SET_WRITER_H_
#define PGTEAL_APPLIER_SET_WRITER_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "applier/batch.h"
#include "applier/encoder.h"
#include "applier/row_writer.h"
#include "applier/statement_cache.h"
#include "applier/transport_scan.h"
#include "pg/connection.h"
#include "pg/pipelined.h"

namespace pgteal::applier {

enum class Part : uint8_t { kEarly, kLate };

// From this many rows of one table on, COPY beats arrays on a near green.
constexpr size_t kCopyRowsMin = 200;

// Writes the net row effects of a segment as set statements and COPYs: per table deletes, then
// updates, then inserts. One lane's thread; inside an open transaction.
class SetWriter {
 public:
  SetWriter(pg::Connection& connection, pg::Pipelined& pipelined, StatementCache& statements,
            RowWriter& rows, size_t copy_rows_min);

  void Write(const Segment& segment, Part part);
  // A statement that others put on the pipeline and that must touch this many rows.
  void Expect(size_t index, uint64_t rows) { expected_.push_back({index, rows}); }
  // Waits for all answers. False if a statement touched another number of rows than it should: the
  // caller rolls back and repeats row by row, which finds the row.
  [[nodiscard]] bool Finish();
  // The same for rows too few for a COPY, of which pg::Pipelined::RequestAnswers() has been told:
  // what was sent after them is not waited for. Also false when one of the statements failed.
  [[nodiscard]] bool AwaitRows();
  // Drops what is expected, after a rollback.
  void Reset();

 private:
  struct Expected {
    size_t index;
    uint64_t rows;
  };
  using Rows = std::vector<const RowEffect*>;

  void WriteTable(const Segment& segment, const TableWork& work, Part part);
  void WriteDeletes(const TargetRelation& target, const Rows& rows);
  void WriteUpdates(const TargetRelation& target, const Rows& rows);
  void WriteUpdateGroup(const TargetRelation& target, const Rows& rows, const ColumnList& assigned);
  void WriteInserts(const TargetRelation& target, const Rows& rows);
  void SendSet(const TargetRelation& target, const SetStatement& statement,
               const ColumnList& columns, const std::vector<Transport>& transports,
               const Rows& rows, bool from_key);
  void SendSlice(const TargetRelation& target, const SetStatement& statement,
                 const ColumnList& columns, const std::vector<Transport>& transports,
                 std::span<const RowEffect* const> rows, bool from_key);
  void Copy(const TargetRelation& target, const Rows& rows, bool is_binary);
  bool Settle();
  bool IsMatched(const std::vector<pg::Answer>& answers) const;

  pg::Connection& connection_;
  pg::Pipelined& pipelined_;
  StatementCache& statements_;
  RowWriter& row_writer_;
  const size_t copy_rows_min_;
  std::vector<Expected> expected_;
  bool has_mismatch_ = false;
  // Reused buffers.
  Rows deletes_;
  Rows updates_;
  Rows inserts_;
  std::string copy_buffer_;
};

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_SET_WRITER_H_
