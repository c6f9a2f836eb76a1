#include "tools/switchover/outage.h"

#include <algorithm>

namespace pgteal::tools {

using std::chrono::microseconds;

void Outage::Relate(pg::Timestamp server, Time asked, Time answered) {
  server_ = server;
  related_ = asked + (answered - asked) / 2;
}

Outage::Time Outage::start() const {
  if (!last_commit_) return closing_;
  return std::max(closing_, related_ - microseconds(server_.micros - last_commit_->micros));
}

pg::Timestamp Outage::opened_at() const {
  const auto since = std::chrono::duration_cast<microseconds>(opened_ - related_);
  return {server_.micros + since.count()};
}

}  // namespace pgteal::tools
