#include "tests/support/ledger.h"

#include <chrono>
#include <memory>

#include "tests/support/wait.h"

namespace pgteal::tests {
void Ledger::CreateTable(DatabasePair& db, const std::string& role) {
  for (auto* side : {&db.blue(), &db.green()}) {
    side->Exec("DO $$ BEGIN CREATE ROLE " + role +
               " LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$");
    side->Exec(
        "CREATE TABLE ledger (client int, number int, note text, PRIMARY KEY (client, number))");
    side->Exec("GRANT ALL ON ledger TO " + role);
  }
}

Ledger::Ledger(const DatabasePair& db, const std::string& role, int clients, Pace pace)
    : infos_{db.BlueInfo() + " user=" + role, db.GreenInfo() + " user=" + role}, pace_(pace) {
  for (int client = 0; client < clients; ++client) {
    threads_.emplace_back([this, client] { RunClient(client); });
  }
}

Ledger::~Ledger() { Stop(); }

void Ledger::RunClient(int client) {
  std::unique_ptr<Sql> session;
  int side = 0;
  int number = 0;
  while (Pause(session ? pace_.write : pace_.reconnect)) {
    try {
      if (!session) session = std::make_unique<Sql>(infos_[side]);
    } catch (const SqlError&) {
      side = 1 - side;
      continue;
    }
    const Entry entry{client, ++number};
    try {
      session->Exec("INSERT INTO ledger VALUES (" + std::to_string(client) + ", " +
                    std::to_string(number) + ", 'x')");
    } catch (const SqlError& error) {
      // Cut off, or told to go between the commit and its answer: it may have been committed.
      if (error.sqlstate().empty() || error.sqlstate() == "57P01") {
        const std::lock_guard lock(mutex_);
        in_doubt_.insert(entry);
      }
      session.reset();
      side = 1 - side;
      continue;
    }
    Keep(entry, side);
  }
}

bool Ledger::Pause(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return !stopping_.wait_for(lock, time, [this] { return stops_.load(); });
}

void Ledger::Keep(Entry entry, int side) {
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  kept_.insert(entry);
  ++acknowledged_;
  if (last_side_ >= 0 && side != last_side_) outages_.push_back(now - last_kept_);
  last_side_ = side;
  last_kept_ = now;
}

std::vector<std::chrono::steady_clock::duration> Ledger::Outages() {
  const std::lock_guard lock(mutex_);
  return outages_;
}

bool Ledger::WaitForMore(int count) {
  const int goal = acknowledged_.load() + count;
  return WaitUntil([&] { return acknowledged_.load() >= goal; }, std::chrono::seconds(60));
}

void Ledger::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stops_.store(true);
  }
  stopping_.notify_all();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

testing::AssertionResult Ledger::IsKeptBy(Sql& side) const {
  std::set<Entry> found;
  for (const auto& row : side.Query("SELECT client, number FROM ledger")) {
    found.emplace(std::stoi(row[0]), std::stoi(row[1]));
  }
  size_t lost = 0;
  for (const auto& entry : kept_) lost += found.contains(entry) ? 0 : 1;
  size_t invented = 0;
  for (const auto& entry : found) {
    invented += kept_.contains(entry) || in_doubt_.contains(entry) ? 0 : 1;
  }
  if (lost == 0 && invented == 0) return testing::AssertionSuccess();
  return testing::AssertionFailure() << lost << " acknowledged transactions are lost, " << invented
                                     << " refused ones are there, of " << kept_.size();
}

}  // namespace pgteal::tests
