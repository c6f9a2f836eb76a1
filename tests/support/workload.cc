#include "tests/support/workload.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <optional>
#include <random>
#include <utility>

#include "tests/support/wait.h"

namespace pgteal::tests {
namespace {

constexpr int kHotRows = 5;
constexpr int kAccounts = 300;
constexpr int kFullKinds = 40;  // few, so that equal rows occur
constexpr int kDocuments = 30;
constexpr int kUniqueRows = 60;

constexpr const char* kTablesSql = R"(
CREATE TABLE accounts(id int PRIMARY KEY, balance bigint NOT NULL, note text);
CREATE TABLE keyed(a int, b int, v text, PRIMARY KEY (a, b));
CREATE TABLE full_rows(kind int, b text, c numeric);
ALTER TABLE full_rows REPLICA IDENTITY FULL;
CREATE TABLE log(session int, n int, payload text, at timestamptz);
CREATE TABLE two_unique(id int PRIMARY KEY, email text UNIQUE, v int);
CREATE TABLE documents(id int PRIMARY KEY, doc text, n int);
ALTER TABLE documents ALTER COLUMN doc SET STORAGE EXTERNAL;
CREATE TABLE scratch(id bigint PRIMARY KEY, v text);
INSERT INTO accounts SELECT i, 100, 'first' FROM generate_series(1, 300) AS i;
INSERT INTO keyed SELECT i % 20, i, 'first' FROM generate_series(1, 200) AS i;
INSERT INTO full_rows SELECT i % 40, 'b' || i % 3, i % 2 FROM generate_series(1, 300) AS i;
INSERT INTO two_unique SELECT i, 'mail' || i, 0 FROM generate_series(1, 60) AS i;
INSERT INTO documents SELECT i, repeat(md5(i::text), 150), 0 FROM generate_series(1, 30) AS i)";

// One session's transactions, made up from its own random numbers.
class Author {
 public:
  Author(int number, const WorkloadOptions& options)
      : number_(number), options_(options), random_(options.seed * 1000 + number) {}

  uint64_t Random() { return random_(); }

  // Writes one transaction, each statement a round trip, so that sessions interleave.
  void Write(Sql& sql) {
    sql.Exec("BEGIN");
    if (Chance(3)) {
      WriteLarge(sql);
    } else {
      const int statements = Pick(1, 6);
      for (int i = 0; i < statements; ++i) WriteSome(sql);
    }
    sql.Exec(Chance(6) ? "ROLLBACK" : "COMMIT");
  }

 private:
  int Pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  bool Chance(int percent) { return Pick(1, 100) <= percent; }
  std::string Number(int low, int high) { return std::to_string(Pick(low, high)); }
  // Unlike any other of this workload.
  std::string Fresh() { return std::to_string(++fresh_ * 64 + number_); }
  std::string Account() {
    return Chance(50) ? Number(1, kHotRows) : Number(kHotRows + 1, kAccounts);
  }

  void WriteSome(Sql& sql) {
    using Step = void (Author::*)(Sql&);
    static constexpr Step kSteps[] = {
        &Author::MoveMoney,  &Author::MoveMoney,   &Author::MoveKey,   &Author::ChangeFullRows,
        &Author::AppendLog,  &Author::AppendLog,   &Author::Exchange,  &Author::ChangeDocument,
        &Author::RollBackTo, &Author::UseScratch,  &Author::InsertKey, &Author::DeleteKey,
        &Author::ReplaceRow, &Author::CountScratch};
    (this->*kSteps[Pick(0, std::size(kSteps) - 1)])(sql);
  }

  void MoveMoney(Sql& sql) {
    const std::string amount = Number(1, 9);
    sql.Exec("UPDATE accounts SET balance = balance - " + amount + " WHERE id = " + Account());
    sql.Exec("UPDATE accounts SET balance = balance + " + amount + " WHERE id = " + Account());
  }
  void MoveKey(Sql& sql) {
    sql.Exec("UPDATE keyed SET a = " + Number(0, 19) +
             ", v = v || 'm' WHERE (a, b) IN (SELECT a, b"
             " FROM keyed WHERE a = " +
             Number(0, 19) + " ORDER BY b LIMIT 2)");
  }
  void InsertKey(Sql& sql) {
    sql.Exec("INSERT INTO keyed VALUES (" + Number(0, 19) + ", " + Fresh() + ", 'new')");
  }
  void DeleteKey(Sql& sql) {
    sql.Exec("DELETE FROM keyed WHERE (a, b) IN (SELECT a, b FROM keyed WHERE a = " +
             Number(0, 19) + " ORDER BY b DESC LIMIT 1)");
  }
  // The same key again, within one transaction.
  void ReplaceRow(Sql& sql) {
    const std::string id = Number(1, kUniqueRows);
    sql.Exec("DELETE FROM two_unique WHERE id = " + id);
    sql.Exec("INSERT INTO two_unique VALUES (" + id + ", 'new" + Fresh() + "', 1)");
  }
  void Exchange(Sql& sql) {
    const std::string a = Number(1, kUniqueRows);
    const std::string b = Number(1, kUniqueRows);
    if (a == b) return;
    sql.Exec(
        "CREATE TEMP TABLE IF NOT EXISTS kept(id int, email text); DELETE FROM kept;"
        "INSERT INTO kept SELECT id, email FROM two_unique WHERE id IN (" +
        a + ", " + b + ") ORDER BY id FOR UPDATE");
    sql.Exec("UPDATE two_unique SET email = 'away" + Fresh() + "' WHERE id = " + a);
    sql.Exec("UPDATE two_unique SET email = coalesce((SELECT email FROM kept WHERE id = " + a +
             "), email) WHERE id = " + b);
    sql.Exec("UPDATE two_unique SET email = coalesce((SELECT email FROM kept WHERE id = " + b +
             "), email), v = v + 1 WHERE id = " + a);
  }
  void ChangeFullRows(Sql& sql) {
    const std::string some =
        " WHERE ctid IN (SELECT ctid FROM full_rows WHERE kind = " + Number(0, kFullKinds - 1) +
        " LIMIT 2 FOR UPDATE)";
    switch (Pick(0, 3)) {
      case 0:
        return sql.Exec("UPDATE full_rows SET c = " + Number(0, 2) + some);
      case 1:
        return sql.Exec("UPDATE full_rows SET b = NULL" + some);
      case 2:
        return sql.Exec("DELETE FROM full_rows" + some);
      default:
        return sql.Exec("INSERT INTO full_rows SELECT " + Number(0, kFullKinds - 1) +
                        ", 'b', 1 FROM generate_series(1, 2)");
    }
  }
  void AppendLog(Sql& sql) {
    sql.Exec("INSERT INTO log VALUES (" + std::to_string(number_) + ", " + Number(0, 99) +
             ", 'event', now())");
  }
  void ChangeDocument(Sql& sql) {
    const std::string id = Number(1, kDocuments);
    if (Chance(70)) return sql.Exec("UPDATE documents SET n = n + 1 WHERE id = " + id);
    sql.Exec("UPDATE documents SET doc = repeat(md5('" + Fresh() + "'), " + Number(1, 300) +
             ") WHERE id = " + id);
  }
  void RollBackTo(Sql& sql) {
    sql.Exec("SAVEPOINT one");
    AppendLog(sql);
    MoveMoney(sql);
    if (Chance(50)) {
      sql.Exec("SAVEPOINT two");
      MoveKey(sql);
      sql.Exec(Chance(50) ? "RELEASE two" : "ROLLBACK TO two");
    }
    sql.Exec(Chance(70) ? "ROLLBACK TO one" : "RELEASE one");
  }
  void UseScratch(Sql& sql) {
    if (options_.with_truncate && Chance(10)) return sql.Exec("TRUNCATE scratch");
    sql.Exec("INSERT INTO scratch VALUES (" + Fresh() + ", 'scratch')");
  }
  void CountScratch(Sql& sql) { sql.Exec("UPDATE scratch SET v = v || '.' WHERE id % 7 = 0"); }

  void WriteLarge(Sql& sql) {
    const std::string rows = std::to_string(options_.large_rows);
    sql.Exec("INSERT INTO log SELECT " + std::to_string(number_) +
             ", i, repeat('x', 100), now() FROM generate_series(1, " + rows + ") AS i");
    sql.Exec("SAVEPOINT large");
    sql.Exec("INSERT INTO scratch SELECT " + Fresh() +
             " + i * 1000000000::bigint, 'large'"
             " FROM generate_series(1, " +
             rows + ") AS i");
    if (Chance(40)) sql.Exec("ROLLBACK TO large");
    if (Chance(40)) sql.Exec("UPDATE keyed SET v = left(v, 5) || 'u'");
    if (Chance(30)) sql.Exec("DELETE FROM scratch WHERE id > 1000000000");
    MoveMoney(sql);
  }

  const int number_;
  const WorkloadOptions& options_;
  std::mt19937_64 random_;
  int fresh_ = 0;
};

WorkloadOptions Seeded(WorkloadOptions options) {
  while (options.seed == 0) options.seed = std::random_device{}();
  std::printf("workload seed %llu\n", static_cast<unsigned long long>(options.seed));
  std::fflush(stdout);
  return options;
}

Sql OpenSession(const std::string& conninfo) {
  Sql sql(conninfo);
  // What blocks or locks up is given up soon: the workload is to go on.
  sql.Exec(
      "SET lock_timeout = '300ms'; SET deadlock_timeout = '50ms'; SET synchronous_commit = "
      "off; SET client_min_messages = error");
  return sql;
}

}  // namespace

Workload::Workload(const std::string& blue_conninfo, const WorkloadOptions& options)
    : conninfo_(blue_conninfo), options_(Seeded(options)), running_(options.sessions) {
  for (int i = 0; i < options_.sessions; ++i) threads_.emplace_back([this, i] { RunSession(i); });
}

Workload::~Workload() { Stop(); }

void Workload::CreateTables(DatabasePair& db) {
  db.ExecBoth(kTablesSql);
  db.blue().Exec("CREATE PUBLICATION pgteal FOR ALL TABLES");
}

bool Workload::IsConsistent(Sql& sql) {
  return sql.Scalar("SELECT sum(balance) = 30000 AND count(*) = 300 FROM accounts") == "t";
}

void Workload::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stops_ = true;
  }
  stopping_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  if (!threads_.empty()) FlushCommits();
  threads_.clear();
}

// Its sessions did not wait for their commits to be written, and pg_current_wal_lsn() only knows
// what is. A commit that waits takes all before it along.
void Workload::FlushCommits() const {
  try {
    Sql(conninfo_).Exec("SELECT pg_logical_emit_message(true, 'pgteal_test', '')");
  } catch (const SqlError&) {
    // Blue is down: nobody asks it for its position.
  }
}

void Workload::RunSession(int number) {
  Author author(number, options_);
  std::optional<Sql> sql;
  std::chrono::microseconds took{};
  const auto pause = [&] {
    const std::chrono::microseconds pace(author.Random() % (2000 * options_.pace.count() + 1));
    return std::max(pace, options_.rest * took);
  };
  while (Pause(pause()) && begun_++ < options_.transactions_max) {
    const auto began = std::chrono::steady_clock::now();
    try {
      if (!sql) sql.emplace(OpenSession(conninfo_));
      author.Write(*sql);
      ++committed_;
    } catch (const SqlError&) {
      // Another one got in its way, or blue is down.
      if (sql && (!sql->IsAlive() || !sql->Failure("ROLLBACK").empty())) sql.reset();
    }
    took = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() -
                                                                 began);
  }
  --running_;
}

// False when it is time to end.
bool Workload::Pause(std::chrono::microseconds time) {
  std::unique_lock lock(mutex_);
  return !stopping_.wait_for(lock, time, [this] { return stops_.load(); });
}

}  // namespace pgteal::tests
