#include "applier/set_writer.h"

#include <algorithm>
#include <map>
#include <span>

#include "applier/row_order.h"
#include "pg/copy.h"

namespace pgteal::applier {
namespace {

using decoder::ColumnValue;
using Write = RowEffect::Write;

// COPY data leaves in pieces of this size.
constexpr size_t kCopyBytes = 64 * 1024;
// Rows of one statement with arrays. Green's backend allocates them, and what unnest() makes of
// them, anew for each: what is much more than a cache holds costs page faults every time.
constexpr size_t kSliceRows = 4096;

const ColumnValue* Source(const RowEffect& row, bool from_key) {
  return from_key ? row.key : row.image;
}

ColumnList UpdateColumns(const TargetRelation& target, const ColumnList& assigned) {
  ColumnList columns = target.key;
  for (const uint16_t column : FixedColumns(target)) columns.push_back(column);
  columns.insert(columns.end(), assigned.begin(), assigned.end());
  return columns;
}

}  // namespace

SetWriter::SetWriter(pg::Connection& connection, pg::Pipelined& pipelined,
                     StatementCache& statements, RowWriter& rows, size_t copy_rows_min)
    : connection_(connection),
      pipelined_(pipelined),
      statements_(statements),
      row_writer_(rows),
      copy_rows_min_(copy_rows_min) {}

void SetWriter::Write(const Segment& segment, Part part) {
  for (const auto& work : segment.tables) WriteTable(segment, work, part);
}

void SetWriter::WriteTable(const Segment& segment, const TableWork& work, Part part) {
  deletes_.clear();
  updates_.clear();
  inserts_.clear();
  for (const uint32_t index : work.rows) {
    const RowEffect& row = segment.rows[index];
    if (row.is_late != (part == Part::kLate)) continue;
    if (row.deletes) deletes_.push_back(&row);
    if (row.write == Write::kUpdate) updates_.push_back(&row);
    if (row.write == Write::kInsert) inserts_.push_back(&row);
  }
  // A second unique index may need the rows as blue wrote them: a value is free only when the row
  // that had it has gone on.
  if (work.target->mode == ApplyMode::kFolded) {
    OrderByKey(*work.target, &deletes_);
    OrderByKey(*work.target, &updates_);
  }
  if (!deletes_.empty()) WriteDeletes(*work.target, deletes_);
  if (!updates_.empty()) WriteUpdates(*work.target, updates_);
  if (!inserts_.empty()) WriteInserts(*work.target, inserts_);
}

void SetWriter::WriteDeletes(const TargetRelation& target, const Rows& rows) {
  TransportScan scan(target);
  for (const auto* row : rows) scan.Look(row->key, target.key);
  if (rows.size() == 1 || !scan.FitsArrays(target.key)) {
    for (const auto* row : rows) Expect(row_writer_.Delete(target, row->key), 1);
    return;
  }
  SendSet(target, DeleteSet(target, scan.transports()), target.key, scan.transports(), rows, true);
}

void SetWriter::WriteUpdates(const TargetRelation& target, const Rows& rows) {
  const ColumnList assignable = AssignableColumns(target);
  Rows whole;
  std::map<ColumnList, Rows> partial;
  for (const auto* row : rows) {
    if (!row->has_unchanged) {
      whole.push_back(row);
      continue;
    }
    ColumnList assigned;
    for (const uint16_t column : assignable) {
      if (!row->image[column].is_unchanged()) assigned.push_back(column);
    }
    partial[assigned].push_back(row);
  }
  if (!whole.empty()) WriteUpdateGroup(target, whole, assignable);
  for (const auto& [assigned, group] : partial) WriteUpdateGroup(target, group, assigned);
}

void SetWriter::WriteUpdateGroup(const TargetRelation& target, const Rows& rows,
                                 const ColumnList& assigned) {
  const ColumnList columns = UpdateColumns(target, assigned);
  TransportScan scan(target);
  for (const auto* row : rows) scan.Look(row->image, columns);
  // Without a column to write the row still has to be there. One row is cheaper without an array.
  if (rows.size() == 1 || assigned.empty() || !scan.FitsArrays(columns)) {
    for (const auto* row : rows) {
      Expect(row_writer_.Update(target, row->key, row->image, false), 1);
    }
    return;
  }
  SendSet(target, UpdateSet(target, assigned, scan.transports()), columns, scan.transports(), rows,
          false);
}

void SetWriter::WriteInserts(const TargetRelation& target, const Rows& rows) {
  TransportScan scan(target);
  for (const auto* row : rows) scan.Look(row->image, target.written);
  const bool fits_arrays = !target.written.empty() && scan.FitsArrays(target.written);
  // The other way would be row by row.
  const size_t copy_rows_min = fits_arrays ? copy_rows_min_ : kCopyRowsMin;
  if (rows.size() >= copy_rows_min) {
    const bool is_text = scan.IsAllText(target.written);
    if (is_text || scan.FitsCopyBinary(target.written)) return Copy(target, rows, !is_text);
  }
  if (rows.size() == 1 || !fits_arrays) {
    for (const auto* row : rows) Expect(row_writer_.Insert(target, row->image), 1);
    return;
  }
  SendSet(target, InsertSet(target, scan.transports()), target.written, scan.transports(), rows,
          false);
}

void SetWriter::SendSet(const TargetRelation& target, const SetStatement& statement,
                        const ColumnList& columns, const std::vector<Transport>& transports,
                        const Rows& rows, bool from_key) {
  const size_t most = target.mode == ApplyMode::kFolded ? kSliceRows : rows.size();
  for (size_t begin = 0; begin < rows.size(); begin += most) {
    const size_t count = std::min(most, rows.size() - begin);
    SendSlice(target, statement, columns, transports, {&rows[begin], count}, from_key);
  }
}

void SetWriter::SendSlice(const TargetRelation& target, const SetStatement& statement,
                          const ColumnList& columns, const std::vector<Transport>& transports,
                          std::span<const RowEffect* const> rows, bool from_key) {
  constexpr pg::Oid kText{25};
  pg::Params params;
  std::vector<ArrayEncoder> arrays;
  arrays.reserve(columns.size());
  for (const uint16_t column : columns) {
    auto& array = arrays.emplace_back(
        transports[column] == Transport::kText ? kText : target.columns[column].binary_type);
    array.Start(rows.size());
    for (const auto* row : rows) array.Add(Source(*row, from_key)[column]);
    params.AddBinary(array.Finish());
  }
  const auto& name = statements_.Prepare(pipelined_, statement.sql, statement.parameter_types);
  Expect(pipelined_.SendPrepared(name, params), rows.size());
}

void SetWriter::Copy(const TargetRelation& target, const Rows& rows, bool is_binary) {
  if (!Settle()) has_mismatch_ = true;
  if (has_mismatch_) return;  // will be rolled back anyway
  pipelined_.Leave();
  pg::CopyIn copy(connection_, CopySql(target, is_binary));
  copy_buffer_.clear();
  if (is_binary) AppendCopyBinaryHeader(&copy_buffer_);
  for (const auto* row : rows) {
    if (is_binary) {
      AppendCopyBinaryRowStart(static_cast<uint16_t>(target.written.size()), &copy_buffer_);
      for (const uint16_t column : target.written) {
        AppendCopyBinaryValue(row->image[column], &copy_buffer_);
      }
    } else {
      const char* separator = "";
      for (const uint16_t column : target.written) {
        copy_buffer_ += separator;
        AppendCopyTextValue(row->image[column], &copy_buffer_);
        separator = "\t";
      }
      copy_buffer_ += '\n';
    }
    if (copy_buffer_.size() >= kCopyBytes) {
      copy.Write(copy_buffer_);
      copy_buffer_.clear();
    }
  }
  if (is_binary) AppendCopyBinaryTrailer(&copy_buffer_);
  copy.Write(copy_buffer_);
  if (copy.Finish() != rows.size()) has_mismatch_ = true;
}

bool SetWriter::Settle() {
  const bool is_matched = IsMatched(pipelined_.Finish());
  expected_.clear();
  return is_matched;
}

bool SetWriter::IsMatched(const std::vector<pg::Answer>& answers) const {
  return std::all_of(expected_.begin(), expected_.end(), [&answers](const Expected& expected) {
    return expected.index < answers.size() &&
           answers[expected.index].affected_rows == expected.rows;
  });
}

bool SetWriter::AwaitRows() {
  if (expected_.empty()) return true;
  const bool is_matched = IsMatched(pipelined_.Await(expected_.back().index + 1));
  expected_.clear();
  return is_matched;
}

bool SetWriter::Finish() {
  const bool is_matched = Settle() && !has_mismatch_;
  has_mismatch_ = false;
  return is_matched;
}

void SetWriter::Reset() {
  expected_.clear();
  has_mismatch_ = false;
}

}  // namespace pgteal::applier
