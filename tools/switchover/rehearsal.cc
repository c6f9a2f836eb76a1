#include "tools/switchover/rehearsal.h"

#include <chrono>

#include "pipeline/sequence_copy.h"

namespace pgteal::tools {
namespace {

using Clock = std::chrono::steady_clock;

// Statements that the fence, the arming and the commit send one after the other.
constexpr int kStatementsFrom = 14;
constexpr int kStatementsTo = 9;

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
  add("fence", from_trip * kStatementsFrom);
  // One more time for the proof.
  const auto drained = Time([&drain] { drain.ToEnd(); });
  add("drain", drained);
  add("prove", drained);
  // Writing them takes about as long as reading both sides.
  const auto read = Time([&] {
    rehearsal.sequences = pipeline::ReadSequences(from).size();
    pipeline::ReadSequences(to);
  });
  add("sequences", read);
  add("commit", to_trip * kStatementsTo);
  return rehearsal;
}

}  // namespace pgteal::tools
