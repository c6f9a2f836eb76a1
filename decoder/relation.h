#ifndef PGTEAL_DECODER_RELATION_H_
#define PGTEAL_DECODER_RELATION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "pg/ids.h"

namespace pgteal::decoder {

// pg_class.relreplident, as the Relation message carries it.
enum class ReplicaIdentity : char {
  kDefault = 'd',  // the primary key, if there is one
  kNothing = 'n',
  kFull = 'f',
  kIndex = 'i',
};

struct Column {
  std::string name;
  pg::Oid type;  // of blue's catalog
  int32_t typmod = -1;
  bool is_key = false;  // part of the replica identity; every column under FULL
  // Name of the type where a Type message gave one (types that are not built in), else empty.
  std::string type_schema;
  std::string type_name;

  bool operator==(const Column&) const = default;
};

// One version of a table's shape, exactly as a Relation message told it. Immutable and shared: a
// new Relation message makes a new object, changes keep the one that they were written under.
struct Relation {
  pg::Oid oid;  // of blue's catalog
  std::string schema;
  std::string name;
  ReplicaIdentity identity = ReplicaIdentity::kDefault;
  std::vector<Column> columns;        // in the order of the tuples
  std::vector<uint16_t> key_columns;  // indexes into `columns` where is_key

  bool operator==(const Relation&) const = default;
};

}  // namespace pgteal::decoder

#endif  // PGTEAL_DECODER_RELATION_H_
