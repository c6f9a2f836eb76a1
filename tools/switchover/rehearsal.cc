#include "tools/switchover/rehearsal.h"

#include <chrono>

#include "pipeline/large_objects.h"
#include "pipeline/schema_catalog.h"
#include "pipeline/sequence_copy.h"

namespace pgteal::tools {
namespace {

using Clock = std::chrono::steady_clock;

// Statements that these steps send one after the other.
constexpr int kStatementsFence = 8;
constexpr int kStatementsArmFrom = 6;
constexpr int kStatementsArmTo = 6;  // with the round trips of a session of its own
constexpr int kStatementsCommit = 10;

template <typename Body>
SwitchoverReport::Milliseconds Time(Body body) {
  const auto begun = Clock::now();
  body();
  return Clock::now() - begun;
}

}  // namespace

Rehearsal RehearseTurn(pg::Connection& from, pg::Connection& to, Drain& drain) {
  Rehearsal rehearsal;
  const auto add = [&rehearsal](const char* name, SwitchoverReport::Milliseconds took) {
    rehearsal.steps.push_back({.name = name, .took = took});
    rehearsal.outage += took;
  };
  rehearsal.lag_bytes = drain.LagBytes();
  const auto from_trip = Time([&from] { from.Exec("SELECT 1"); });
  const auto to_trip = Time([&to] { to.Exec("SELECT 1"); });
  add("fence", from_trip * kStatementsFence);
  // One more time for the proof, which also looks whether the schema is the same.
  const auto drained = Time([&drain] { drain.ToEnd(); });
  add("drain", drained);
  add("prove", drained + Time([&from] { pipeline::SchemaToken(from); }));
  // Writing them takes about as long as reading both sides.
  const auto read = Time([&] {
    rehearsal.sequences = pipeline::ReadSequences(from).size();
    pipeline::ReadSequences(to);
  });
  add("sequences", read);
  // Both sides are hashed to the end.
  add("large objects", Time([&] { pipeline::FindLargeObjectChanges(from, to); }));
  add("arm", from_trip * kStatementsArmFrom + to_trip * kStatementsArmTo);
  add("commit", to_trip * kStatementsCommit);
  return rehearsal;
}

}  // namespace pgteal::tools
