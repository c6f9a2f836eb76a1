#ifndef PGTEAL_PIPELINE_POOLER_PAUSE_H_
#define PGTEAL_PIPELINE_POOLER_PAUSE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "pg/connection.h"

namespace pgteal::pipeline {

// What is known of a PgBouncer that a switchover paused, after the death of its tool: an event of
// the deployment, on green, written before the pause and again after its end. Only who knows the
// pooler's console can end it.
struct PoolerPause {
  std::string database;  // its entry in [databases]
  int64_t epoch = 0;     // complete turns when it began: the attempt was the next one
};

// Kinds of events.
inline constexpr const char* kPoolerPaused = "pooler_paused";
inline constexpr const char* kPoolerResumed = "pooler_resumed";
std::string PoolerPauseDetail(const PoolerPause& pause);

// The last pause that `side` has on record, unless it has its end, too.
std::optional<PoolerPause> LastPoolerPause(pg::Connection& side, const std::string& deployment);
// The same for whoever has more to ask at once and knows that the side has our schema.
pg::Connection::Query LastPoolerPauseQuery(const std::string& deployment);
std::optional<PoolerPause> LastPoolerPauseFrom(const pg::Result& last);
// Says in the log how a pause is ended.
void WarnOfPoolerPause(const PoolerPause& pause);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_POOLER_PAUSE_H_
