#ifndef PGTEAL_APPLIER_TRANSPORT_SCAN_H_
#define PGTEAL_APPLIER_TRANSPORT_SCAN_H_

#include <cstdint>
#include <vector>

#include "applier/statements.h"
#include "applier/target_relation.h"
#include "decoder/tuple.h"

namespace pgteal::applier {

// Finds how the values of a set of rows can travel, by looking at each value once: a stream in
// binary mode still sends text for types without a send function.
class TransportScan {
 public:
  explicit TransportScan(const TargetRelation& target);

  // Throws BinaryRefused for a binary value that green's column cannot take.
  void Look(const decoder::ColumnValue* row, const ColumnList& columns);

  // As arrays of one statement; false if a column has both forms, or is itself a binary array
  // (unnest would flatten it): then row by row.
  bool FitsArrays(const ColumnList& columns) const;
  bool IsAllText(const ColumnList& columns) const;
  // As COPY BINARY, which knows no casts.
  bool FitsCopyBinary(const ColumnList& columns) const;
  const std::vector<Transport>& transports() const { return transports_; }

 private:
  const TargetRelation& target_;
  std::vector<Transport> transports_;  // by source column
  std::vector<uint8_t> seen_;          // bit 0: text, bit 1: binary
};

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_TRANSPORT_SCAN_H_
