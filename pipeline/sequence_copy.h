#ifndef PGTEAL_PIPELINE_SEQUENCE_COPY_H_
#define PGTEAL_PIPELINE_SEQUENCE_COPY_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "applier/side_names.h"
#include "pg/connection.h"

namespace pgteal::pipeline {

// Where a sequence stands. `is_called` is false before its first nextval() and after setval(…,
// false).
struct SequenceValue {
  int64_t last_value = 0;
  bool is_called = false;

  bool operator==(const SequenceValue&) const = default;
};

// Every permanent and unlogged sequence of the database by its quoted name: owned, identity,
// free-standing; an extension's if our role owns it. Read in pieces, each a statement of its own.
std::map<std::string, SequenceValue> ReadSequences(pg::Connection& side);

// Sets every sequence of green that blue has, too, to blue's value. Sequences are not in the stream
// (before version 19), so this is as of now and is done again at a switchover. Returns how many of
// blue's sequences green has; names those that it lacks in the log. Meanwhile `green` is used by a
// thread of its own. After an error some of green's sequences may have been set.
size_t CopySequences(pg::Connection& blue, pg::Connection& green, const applier::SideNames& sides);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_SEQUENCE_COPY_H_
