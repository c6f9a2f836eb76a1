#include "pipeline/load_progress.h"

namespace pgteal::pipeline {

const char* PhaseName(LoadPhase phase) {
  switch (phase) {
    case LoadPhase::kCheck:
      return "checks";
    case LoadPhase::kSlot:
      return "publication and slot";
    case LoadPhase::kSchema:
      return "schema";
    case LoadPhase::kCopy:
      return "data";
    case LoadPhase::kIndexes:
      return "indexes";
    case LoadPhase::kConstraints:
      return "constraints";
    case LoadPhase::kRest:
      return "the rest";
  }
  return "";
}

void LoadProgress::Enter(LoadPhase phase) {
  End();
  phase_.store(phase);
}

void LoadProgress::End() {
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  durations_.push_back({phase_.load(), now - phase_began_});
  phase_began_ = now;
}

std::vector<LoadProgress::Duration> LoadProgress::durations() const {
  const std::lock_guard lock(mutex_);
  return durations_;
}

TableProgress& LoadProgress::AddTable(const std::string& name, uint64_t bytes_total) {
  const std::lock_guard lock(mutex_);
  auto& table = tables_.emplace_back();
  table.name = name;
  table.bytes_total = bytes_total;
  return table;
}

std::vector<const TableProgress*> LoadProgress::tables() const {
  const std::lock_guard lock(mutex_);
  std::vector<const TableProgress*> tables;
  for (const auto& table : tables_) tables.push_back(&table);
  return tables;
}

}  // namespace pgteal::pipeline
