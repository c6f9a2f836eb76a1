#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "applier/applier.h"
#include "applier/folder.h"
#include "applier/progress_row.h"
#include "applier/schema.h"
#include "applier/target_catalog.h"
#include "pg/connection.h"
#include "tests/support/pg_cluster.h"
#include "tests/support/wait.h"
#include "tests/unit/applier/change_maker.h"

namespace pgteal::applier {
namespace {

using std::chrono::seconds;

std::string Proc(pid_t pid, const std::string& file) {
  return "/proc/" + std::to_string(pid) + "/" + file;
}

// The process that takes the server's log from the pipe to which all others write it.
pid_t FindLogger(const tests::PgCluster& server) {
  pid_t postmaster = 0;
  std::ifstream(server.data_folder() / "postmaster.pid") >> postmaster;
  std::ifstream children(Proc(postmaster, "task/" + std::to_string(postmaster) + "/children"));
  for (pid_t child = 0; children >> child;) {
    if (tests::ReadFile(Proc(child, "cmdline")).find("logger") != std::string::npos) return child;
  }
  return 0;
}

// Holds a server's sessions wherever they write to its log: nobody reads the pipe, and it is full.
class StuckLog {
 public:
  StuckLog(pid_t logger, pid_t backend) : logger_(logger) {
    kill(logger_, SIGSTOP);
    EXPECT_TRUE(tests::WaitUntil(
        [this] { return tests::ReadFile(Proc(logger_, "stat")).find(") T ") != std::string::npos; },
        seconds(20)));
    const int pipe = open(Proc(backend, "fd/2").c_str(), O_WRONLY | O_NONBLOCK);
    EXPECT_GE(pipe, 0);
    while (write(pipe, "\n", 1) == 1) {
    }
    close(pipe);
  }
  ~StuckLog() { kill(logger_, SIGCONT); }
  StuckLog(const StuckLog&) = delete;
  StuckLog& operator=(const StuckLog&) = delete;

 private:
  const pid_t logger_;
};

// An applier that logs every statement, one batch, and somebody who cancels.
class LateCancel : public testing::Test, public Turn {
 protected:
  LateCancel() {
    side_ = std::make_unique<tests::Sql>(server_.ConnInfo());
    side_->Exec("CREATE TABLE t (id text PRIMARY KEY)");
    pg::Connection green(info_, {});
    EnsureSchema(green);
    InsertProgress(green, "s", pg::Lsn{1});
    const auto progress = TakeOver(green, "s", std::nullopt, 1000);
    catalog_ = std::make_unique<TargetCatalog>(
        std::make_unique<pg::Connection>(info_, pg::SessionOptions{}), "s", true);
    pg::SessionOptions session;
    session.settings = {{"log_statement", "all"}};
    ApplierOptions options;
    options.slot = "s";
    applier_ = std::make_unique<Applier>(info_, session, options, *catalog_);
    applier_->Own(progress.generation);
  }

  // Inserts one row.
  std::unique_ptr<Batch> MakeBatch() {
    auto source =
        std::make_shared<decoder::Relation>(*tests::MakeTarget(1, "t", {{"id", true}})->source);
    const auto target = catalog_->Find(source);
    auto batch = std::make_unique<Batch>();
    batch->sequence = 2;
    batch->end_lsn = pg::Lsn{100};
    batch->transaction_count = 1;
    batch->transactions.push_back(std::make_unique<decoder::Transaction>());
    Folder folder(&batch->plan);
    folder.Add(maker_.Insert(*target, {"x"}), target);
    return batch;
  }

  // The batch has to give way, and the cancel that goes with it comes when the ROLLBACK has begun.
  bool HasCome(uint64_t) const override { return false; }
  Outcome Await(uint64_t) override {
    if (canceler_.joinable()) return Outcome::kMine;
    auto stuck = std::make_unique<StuckLog>(FindLogger(server_), applier_->backend_pid());
    canceler_ = std::jthread([this, stuck = std::move(stuck)]() mutable {
      const std::string pid = std::to_string(applier_->backend_pid());
      is_hit_ = tests::WaitUntil(
                    [&] {
                      return side_->Scalar(
                                 "SELECT state || ' ' || query FROM pg_stat_activity"
                                 " WHERE pid = " +
                                 pid) == "active ROLLBACK";
                    },
                    seconds(20)) &&
                side_->Scalar("SELECT pg_cancel_backend(" + pid + ")") == "t";
      stuck.reset();
    });
    return Outcome::kYield;
  }

  struct Server : tests::PgCluster {
    Server() : PgCluster(17, {{"logging_collector", "on"}}) { Start(); }
  };
  Server server_;
  const pg::ConnInfo info_ = pg::ConnInfo::Parse(server_.ConnInfo());
  std::unique_ptr<tests::Sql> side_;
  std::unique_ptr<TargetCatalog> catalog_;
  std::unique_ptr<Applier> applier_;
  tests::ChangeMaker maker_;
  bool is_hit_ = false;
  std::jthread canceler_;
};

TEST_F(LateCancel, OneThatHitsTheRollbackDoesNotEndTheSession) {
  const auto batch = MakeBatch();
  EXPECT_NO_THROW(applier_->Apply(*batch, *this));
  canceler_.join();
  EXPECT_TRUE(is_hit_);
  EXPECT_EQ(side_->Scalar("SELECT string_agg(id, ' ') FROM t"), "x");
  EXPECT_EQ(side_->Scalar("SELECT end_lsn FROM pgteal.progress"), "0/64");
}

}  // namespace
}  // namespace pgteal::applier
