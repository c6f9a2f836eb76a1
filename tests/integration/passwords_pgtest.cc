#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <memory>
#include <string>

#include "tests/support/cluster_pair.h"
#include "tests/support/temp_folder.h"
#include "tests/support/wait.h"

namespace pgteal::tests {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kFirst = "firstsecret";
constexpr const char* kSecond = "secondsecret";
constexpr const char* kAsked = "host all all 127.0.0.1/32 scram-sha-256\n";

// Over TCP pgteal's role is asked for a password, which stands in a file.
class Passwords : public testing::Test {
 protected:
  Passwords() : db_(clusters_) {
    db_.ExecBoth("CREATE TABLE t (id int PRIMARY KEY)");
    for (auto* server : Servers()) {
      server->Connect().Exec(std::string("CREATE ROLE teal SUPERUSER LOGIN PASSWORD '") + kFirst +
                             "'");
    }
    SetHba(kAsked);
    WriteFile(kFirst);
    const std::string more = " user=teal passfile=" + File();
    run_ = db_.PgtealVia(clusters_.blue().TcpConnInfo(db_.name()) + more,
                         clusters_.green().TcpConnInfo(db_.name()) + more,
                         {"--log-level", "debug", "run", "--copy", "none"});
    EXPECT_TRUE(run_->WaitForLog("streaming slot=")) << run_->Log();
  }

  std::vector<PgCluster*> Servers() { return {&clusters_.blue(), &clusters_.green()}; }
  std::string File() const { return (folder_ / "pass").string(); }
  void WriteFile(const std::string& password) {
    const std::string next = File() + ".new";
    std::ofstream(next) << "*:*:*:teal:" << password << "\n";
    chmod(next.c_str(), 0600);
    std::filesystem::rename(next, File());
  }
  void SetHba(const std::string& line) {
    for (auto* server : Servers()) {
      std::ofstream(server->data_folder() / "pg_hba.conf", std::ios::trunc)
          << "local all all trust\n"
          << line;
      server->Reload();
    }
  }
  void EndSessions() {
    for (auto* server : Servers()) {
      server->Connect().Exec(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'teal'");
    }
  }
  void ExpectGoesOn(int id) {
    db_.blue().Exec("INSERT INTO t VALUES (" + std::to_string(id) + ")");
    ASSERT_TRUE(db_.WaitCaughtUp()) << run_->Log();
    EXPECT_TRUE(db_.Equal());
    EXPECT_TRUE(run_->IsRunning());
    EXPECT_THAT(run_->Log(), Not(HasSubstr("secret")));
  }

  TempFolder folder_{"pgteal-passwords"};
  ClusterPair clusters_;
  DatabasePair db_;
  std::unique_ptr<PgtealProcess> run_;
};

TEST_F(Passwords, ANewOneIsReadFromItsFileAndItsAbsenceIsTold) {
  for (auto* server : Servers()) {
    server->Connect().Exec(std::string("ALTER ROLE teal PASSWORD '") + kSecond + "'");
  }
  ExpectGoesOn(1);
  EndSessions();
  ASSERT_TRUE(run_->WaitForLog("password authentication failed for user \"teal\""));
  WriteFile(kSecond);
  ExpectGoesOn(2);
}

TEST_F(Passwords, AServerThatTurnsPgtealAwayIsAskedAgainUntilItDoesNot) {
  SetHba("host all all 127.0.0.1/32 reject\n");
  // A new session, once the postmaster has read it.
  const auto is_rejected = [this] {
    EndSessions();
    return run_->Log().find("pg_hba.conf rejects connection") != std::string::npos;
  };
  ASSERT_TRUE(WaitUntil(is_rejected, seconds(30))) << run_->Log();
  SetHba(kAsked);
  ExpectGoesOn(1);
}

}  // namespace
}  // namespace pgteal::tests
