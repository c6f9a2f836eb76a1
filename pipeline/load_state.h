#ifndef PGTEAL_PIPELINE_LOAD_STATE_H_
#define PGTEAL_PIPELINE_LOAD_STATE_H_

#include <cstdint>

#include "pg/connection.h"
#include "pg/lsn.h"
#include "pipeline/options.h"

namespace pgteal::pipeline {

// How far the deployment on green is, as a whole.
enum class LoadState : uint8_t {
  kNone,        // no deployment yet
  kLoading,     // a load was interrupted and has to go on
  kCatchingUp,  // loaded from several snapshots: foreign keys are checked once it streamed past
                // them
  kStreaming,
};
// From pgteal.deployment.state, empty when there is no row.
LoadState LoadStateOf(const std::string& deployment_state);
// The latest snapshot of a load: what the stream has to reach while kCatchingUp.
pg::Lsn CatchUpGoal(const Deployment& deployment, const pg::SessionOptions& session);
// Once it is reached: checks the foreign keys that blue has checked, then kStreaming.
void FinishCatchUp(const Deployment& deployment, const pg::SessionOptions& session);

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_LOAD_STATE_H_
