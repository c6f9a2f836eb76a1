#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/cluster_pair.h"
#include "tests/support/temp_folder.h"
#include "tests/support/wait.h"

namespace pgteal::tests {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

// A certificate for 127.0.0.1 that is its own authority.
class Certificate {
 public:
  Certificate() : folder_("certificate", ServerUser()) {
    const std::string command =
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
        " -addext subjectAltName=IP:127.0.0.1 -keyout " +
        key() + " -out " + file() + " 2>/dev/null";
    if (std::system(command.c_str()) != 0) throw std::runtime_error("openssl failed");
    chmod(key().c_str(), 0600);
    GiveTo(key(), ServerUser());
  }
  std::string file() const { return (folder_ / "server.crt").string(); }
  std::string key() const { return (folder_ / "server.key").string(); }

 private:
  TempFolder folder_;
};

// Over TCP both servers take encrypted connections only.
class Tls : public testing::Test {
 protected:
  Tls() : db_(clusters_) {
    for (auto* server : {&clusters_.blue(), &clusters_.green()}) {
      std::ofstream(server->data_folder() / "pg_hba.conf", std::ios::trunc)
          << "local all all trust\nhostssl all all 127.0.0.1/32 trust\n";
      server->Set("ssl_cert_file", certificate_.file());
      server->Set("ssl_key_file", certificate_.key());
      server->Set("ssl", "on");
      server->Reload();
      EXPECT_TRUE(WaitUntil([&] { return server->Connect().Scalar("SHOW ssl") == "on"; },
                            seconds(30)));
    }
    db_.blue().Exec("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
  }
  std::unique_ptr<PgtealProcess> Run(const std::string& tls) {
    const std::string options = " " + tls;
    return db_.PgtealVia(clusters_.blue().TcpConnInfo(db_.name()) + options,
                         clusters_.green().TcpConnInfo(db_.name()) + options, {"run"});
  }
  static std::string Sessions(Sql& side) {
    return side.Scalar(
        "SELECT count(*) > 0 AND bool_and(s.ssl) FROM pg_stat_ssl AS s JOIN pg_stat_activity AS a"
        " USING (pid) WHERE a.application_name LIKE 'pgteal%'");
  }

  Certificate certificate_;
  ClusterPair clusters_;
  DatabasePair db_;
};

TEST_F(Tls, LoadsAndStreamsWithVerifiedCertificates) {
  const auto run = Run("sslmode=verify-full sslrootcert=" + certificate_.file());
  ASSERT_TRUE(run->WaitForLog("streaming slot=", seconds(60))) << run->Log();
  db_.blue().Exec("INSERT INTO t VALUES (2)");
  ASSERT_TRUE(db_.WaitCaughtUp()) << run->Log();
  EXPECT_TRUE(db_.Equal());
  EXPECT_EQ(Sessions(db_.blue()), "t");
  EXPECT_EQ(Sessions(db_.green()), "t");
  run->Terminate();
  EXPECT_EQ(run->WaitExit(), 130) << run->Log();
}

TEST_F(Tls, ACertificateOfAnotherAuthorityIsRefused) {
  const Certificate other;
  const auto run = Run("sslmode=verify-full sslrootcert=" + other.file());
  EXPECT_NE(run->WaitExit(seconds(60)), 0);
  EXPECT_THAT(run->Log(), HasSubstr("certificate verify failed"));
  EXPECT_EQ(db_.blue().Scalar("SELECT count(*) FROM pg_replication_slots"), "0");
}

TEST_F(Tls, WithoutEncryptionTheServersRefuseAndSayWhy) {
  const auto run = Run("sslmode=disable");
  EXPECT_NE(run->WaitExit(seconds(60)), 0);
  EXPECT_THAT(run->Log(), HasSubstr("no encryption"));
}

}  // namespace
}  // namespace pgteal::tests
