#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/cluster_pair.h"
#include "tests/support/gate.h"
#include "tests/support/wait.h"

namespace pgteal::tests {
namespace {

using std::chrono::seconds;

// Slow enough for writers to come in between, fast enough for a test.
constexpr uint64_t kSlowBytesPerSecond = 15 << 20;
constexpr int kRows = 84000;  // of a kilobyte: more than a table must have to be split

// Moves rows of every part of the tables to their ends, adds and deletes some, until it is stopped.
class Writer {
 public:
  Writer(const std::string& conninfo, std::vector<std::string> tables)
      : tables_(std::move(tables)), sql_(conninfo), thread_([this] { Run(); }) {}
  ~Writer() { Stop(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  int committed() const { return committed_.load(); }
  void Stop() {
    is_stopped_.store(true);
    thread_ = {};
  }

 private:
  void Run() {
    while (!is_stopped_.load()) {
      const std::string n = std::to_string(committed_.load());
      for (const auto& table : tables_) {
        sql_.Exec("BEGIN; UPDATE " + table + " SET n = n + 1 WHERE id % 1999 = " + n +
                  "; INSERT INTO " + table + " SELECT " + std::to_string(kRows) + " + 10 * " + n +
                  " + g, 1, 'new' FROM generate_series(1, 10) g; DELETE FROM " + table +
                  " WHERE id % 3001 = " + n + "; COMMIT");
      }
      committed_.fetch_add(1);
    }
  }

  const std::vector<std::string> tables_;
  Sql sql_;
  std::atomic<bool> is_stopped_ = false;
  std::atomic<int> committed_ = 0;
  std::jthread thread_;
};

class LoadSplit : public PairTest {
 protected:
  void MakeTable(const std::string& name) {
    blue().Exec("CREATE TABLE " + name +
                " (id int PRIMARY KEY, n int, t text) WITH (autovacuum_enabled = off)");
    blue().Exec("INSERT INTO " + name +
                " SELECT g, g % 7, repeat(md5(g::text), 30) FROM generate_series(1, " +
                std::to_string(kRows) + ") g");
    // Dead rows all over it, and live ones out of order.
    blue().Exec("DELETE FROM " + name + " WHERE id % 11 = 3");
    blue().Exec("UPDATE " + name + " SET n = 5 WHERE id % 13 = 4");
  }
  // The most COPYs that work on one table at this moment.
  int CopiesOfOneTable() {
    return std::stoi(blue().Scalar(
        "SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM pg_stat_progress_copy AS p"
        " JOIN pg_locks AS l ON l.pid = p.pid WHERE p.command = 'COPY TO'"
        " AND l.relation IN ('wide'::regclass, to_regclass('filtered'))"
        " GROUP BY l.relation) AS t"));
  }
};

int CountLines(const std::string& log, const std::string& text) {
  int count = 0;
  for (size_t at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) ++count;
  return count;
}

TEST_F(LoadSplit, RangesOfPagesCopiedSideBySideUnderWritesAreTheTable) {
  MakeTable("wide");
  MakeTable("filtered");
  blue().Exec("CREATE PUBLICATION pgteal FOR TABLE wide, filtered WHERE (id % 5 <> 0)");
  const int64_t bytes = std::stoll(blue().Scalar("SELECT pg_relation_size('wide')"));
  Gate gate(db_.clusters().green());
  gate.LimitBytesPerSecond(kSlowBytesPerSecond);
  Writer writer(db_.BlueInfo(), {"wide", "filtered"});
  const auto run =
      db_.PgtealVia("", gate.ConnInfo(db_.name()), {"--log-level", "debug", "run", "--jobs", "4"});
  ASSERT_TRUE(WaitUntil([this] { return CopiesOfOneTable() > 1; }, seconds(60)));
  const int before = writer.committed();
  ASSERT_TRUE(WaitUntil([&] { return writer.committed() > before + 3; }, seconds(60)));
  EXPECT_EQ(CountLines(run->Log(), " copied rows="), 0) << "the writes came too late";
  gate.Pass();
  ASSERT_TRUE(run->WaitForLog("sequences set", seconds(120)));
  writer.Stop();
  for (const char* table : {"wide", "filtered"}) {
    EXPECT_GT(CountLines(run->Log(), std::string("part of table public.") + table), 2);
    EXPECT_EQ(CountLines(run->Log(), std::string("table public.") + table + " copied rows="), 1);
  }
  EXPECT_GT(std::stoll(blue().Scalar("SELECT pg_relation_size('wide')")), bytes);
  ASSERT_TRUE(db_.WaitCaughtUp(seconds(90)));
  const std::string all = "SELECT count(*), sum(hashtext(x::text)) FROM ";
  EXPECT_EQ(blue().Query(all + "wide AS x"), green().Query(all + "wide AS x"));
  EXPECT_EQ(blue().Query(all + "filtered AS x WHERE id % 5 <> 0"),
            green().Query(all + "filtered AS x"));
}

TEST_F(LoadSplit, AKillAmongTheRangesLeavesNothingDoubled) {
  MakeTable("wide");
  Gate gate(db_.clusters().green());
  gate.LimitBytesPerSecond(kSlowBytesPerSecond);
  Writer writer(db_.BlueInfo(), {"wide"});
  auto run = db_.PgtealVia("", gate.ConnInfo(db_.name()), {"--log-level", "debug", "run"});
  ASSERT_TRUE(run->WaitForLog("part of table public.wide", seconds(60)));
  run->Kill9();
  ASSERT_EQ(CountLines(run->Log(), "table public.wide copied rows="), 0);
  run = db_.Pgteal({"--log-level", "debug", "run"});
  ASSERT_TRUE(run->WaitForLog("sequences set", seconds(120)));
  EXPECT_GT(CountLines(run->Log(), "part of table public.wide"), 2);
  writer.Stop();
  ASSERT_TRUE(db_.WaitCaughtUp(seconds(90)));
  const std::string all = "SELECT count(*), sum(hashtext(x::text)) FROM wide AS x";
  EXPECT_EQ(blue().Query(all), green().Query(all));
}

// Its session on green, which holds the lock, is ended; its workers go on.
TEST_F(LoadSplit, ALoadThatAnotherOneHasTakenOverAddsNothing) {
  // A page for each row.
  blue().Exec(
      "CREATE TABLE pages (n int, t text); ALTER TABLE pages ALTER t SET STORAGE PLAIN;"
      "ALTER TABLE pages REPLICA IDENTITY FULL;"
      "INSERT INTO pages SELECT g, repeat('x', 7000) FROM generate_series(1, 9000) g");
  Gate gate(db_.clusters().green());
  gate.LimitBytesPerSecond(kSlowBytesPerSecond);
  const auto former = db_.PgtealVia("", gate.ConnInfo(db_.name()),
                                    {"--log-level", "debug", "run", "--jobs", "2"});
  ASSERT_TRUE(former->WaitForLog("part of table public.pages", seconds(60)));
  former->Signal(SIGSTOP);
  const auto run = db_.Pgteal({"run"});
  EXPECT_TRUE(run->WaitForLog("waiting for process", seconds(10))) << run->Log();
  green().Exec(
      "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
      " WHERE application_name = 'pgteal load pgteal' AND pid IN (SELECT pid FROM pg_locks"
      " WHERE locktype = 'advisory')");
  const std::string waiters =
      "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'pages'::regclass";
  EXPECT_TRUE(WaitUntil([&] { return green().Scalar(waiters) != "0"; }, seconds(30)));
  gate.Pass();
  former->Signal(SIGCONT);
  EXPECT_TRUE(former->WaitExit().value_or(0) != 0) << former->Log();
  ASSERT_TRUE(run->WaitForLog("sequences set", seconds(120))) << run->Log();
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM pages"), "9000");
}

}  // namespace
}  // namespace pgteal::tests
