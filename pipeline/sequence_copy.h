#ifndef PGTEAL_PIPELINE_SEQUENCE_COPY_H_
#define PGTEAL_PIPELINE_SEQUENCE_COPY_H_

#include <cstddef>

#include "pg/connection.h"

namespace pgteal::pipeline {

// Sets every sequence of green that blue has, too, to blue's value. Sequences are not in the stream
// (before version 19), so this is as of now and is done again at a switchover. Returns their
// number; names those that green lacks in the log.
size_t CopySequences(pg::Connection& blue, pg::Connection& green);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_SEQUENCE_COPY_H_
