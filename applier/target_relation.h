#ifndef PGTEAL_APPLIER_TARGET_RELATION_H_
#define PGTEAL_APPLIER_TARGET_RELATION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "applier/side_names.h"
#include "decoder/relation.h"
#include "pg/ids.h"
#include "pg/lsn.h"

namespace pgteal::applier {

// Green's side of one column that blue sends.
struct TargetColumn {
  std::string name;  // quoted
  std::string
      type_sql;  // quoted and qualified, without a length: the cast from text to it is exact
  pg::Oid type;
  pg::Oid array_type;    // pg_type.typarray, 0 when there is none
  std::string equality;  // "OPERATOR(schema.=)" of the type's default opclass; empty if none
  // Of a domain: "::schema.base". The operators of enums and composites do not take domains.
  std::string base_cast;
  bool is_generated = false;        // green computes it: never written
  bool is_identity_always = false;  // can be inserted (OVERRIDING), never updated
  bool is_array = false;            // true arrays: unnest would flatten them
  // Equal values may print differently (1.0 and 1.00): matching whole rows compares text as well.
  bool has_many_spellings = false;
  // An array or composite: its equality operator fails when a part's type has none.
  bool has_parts = false;
  // pgoutput's binary form is what this type's receive function takes.
  bool takes_binary = false;
  // Element and array type to declare for binary values: blue's, where green's is wider, so that
  // an assignment cast widens; else green's.
  pg::Oid binary_type;
  pg::Oid binary_array_type;
};

// A unique index that every row is in.
struct UniqueKey {
  std::vector<uint16_t> columns;
  bool nulls_are_equal = false;  // NULLS NOT DISTINCT
};

// How the changes of a table may be executed.
enum class ApplyMode : uint8_t {
  kFolded,  // net effect per key; in parallel with other batches where keys do not meet
  kLate,    // net effect per key, but only after all earlier batches have committed
  kExact,   // row by row in stream order, after all earlier batches have committed
};

// One version of blue's table seen through green's catalog. Immutable; shared by the batcher and
// the lanes. Columns are mapped by name; indexes below are those of the source relation.
struct TargetRelation {
  std::shared_ptr<const decoder::Relation> source;
  pg::Oid oid;         // of green's catalog
  std::string schema;  // as blue names it, unquoted; for messages
  std::string name;
  std::string qualified;  // quoted
  SideNames sides = {};   // for messages
  bool is_partitioned = false;
  // Green's copy of the table holds everything that was committed up to here: transactions that end
  // at it or before are not for this table. 0 when the table was not copied by us.
  pg::Lsn ready_lsn;
  std::vector<TargetColumn> columns;  // one for each source column, same order
  std::vector<uint16_t> key;          // columns that identify a row; empty: no key
  std::vector<uint16_t> written;      // columns that are not generated on green
  // Every unique index other than the key's (for the conflict policy).
  std::vector<UniqueKey> unique_keys;
  bool has_extra_columns = false;    // green has columns that blue has not
  bool has_identity_always = false;  // outside the key
  bool may_restart_sequences = true;  // our role owns all that belong to the table
  // Tables whose foreign keys would act on the DELETE of a row; empty where our sessions silence
  // them.
  std::string cascades_to;
  ApplyMode mode = ApplyMode::kFolded;
  std::string mode_reason;  // why it is not kFolded; for the log and `check`

  // "public.t": for messages.
  std::string DisplayName() const { return schema + "." + name; }
  // "id, region": for messages.
  std::string KeyNames() const;
  // ONLY keeps children of an inheritance parent out; on a partitioned table it would hit nothing.
  std::string only() const { return is_partitioned ? "" : "ONLY "; }
  bool IsKey(size_t column) const;
  // Whether a transaction with this end LSN is for this table.
  bool Takes(pg::Lsn end_lsn) const { return !ready_lsn.is_valid() || end_lsn > ready_lsn; }
};

}  // namespace pgteal::applier

#endif  // PGTEAL_APPLIER_TARGET_RELATION_H_
