#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "tests/support/cluster_pair.h"
#include "tests/support/temp_folder.h"
#include "tests/support/wait.h"

namespace pgteal::tests {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

// pg_dump and pg_restore in a folder of their own: what pg_dump is given is written down, then the
// real one does the work.
class LoadConnInfo : public PairTest {
 protected:
  LoadConnInfo() : folder_("programs") {
    const std::string dump = ClientProgram("pg_dump").string();
    Script("pg_dump", "case \"$1\" in --version) ;; *) { printf '%s\\n' \"$@\"; } > " +
                          File("argv") + "; printf '%s' \"$PGPASSWORD\" > " + File("password") +
                          "; if [ -n \"$PGSERVICEFILE\" ]; then cat \"$PGSERVICEFILE\" > " +
                          File("service") + "; stat -L -c %a \"$PGSERVICEFILE\" > " + File("mode") +
                          "; echo \"$PGSERVICEFILE\" > " + File("service_path") +
                          "; fi ;; esac; exec '" + dump + "' \"$@\"");
    Script("pg_restore", "exec '" + ClientProgram("pg_restore").string() + "' \"$@\"");
    blue().Exec("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
  }
  std::string File(const std::string& name) const { return (folder_ / name).string(); }
  std::string Content(const std::string& name) const { return ReadFile(folder_ / name); }
  void Script(const std::string& name, const std::string& body) {
    std::ofstream(File(name)) << "#!/bin/sh\n" << body << "\n";
    chmod(File(name).c_str(), 0755);
  }
  std::unique_ptr<PgtealProcess> RunFrom(const std::string& source,
                                         std::map<std::string, std::string> env = {},
                                         const std::vector<std::string>& more = {}) {
    env["PGTEAL_SOURCE"] = source;
    env["PGTEAL_TARGET"] = db_.GreenInfo();
    std::vector<std::string> args = {"run", "--pg-bin", folder_.path().string()};
    args.insert(args.end(), more.begin(), more.end());
    return std::make_unique<PgtealProcess>(args, env);
  }
  void ExpectLoaded(PgtealProcess& run) {
    ASSERT_TRUE(run.WaitForLog("sequences set", seconds(60)));
    EXPECT_EQ(green().Scalar("SELECT count(*) FROM t"), "1");
  }

  TempFolder folder_;
};

TEST_F(LoadConnInfo, EveryOptionReachesPgDumpAndNoPasswordItsCommandLine) {
  const auto run = RunFrom(db_.BlueInfo() +
                           " password='se cret\\'1' sslpassword=keysecret sslmode=prefer"
                           " sslcert=/nowhere/client.crt passfile=/nowhere/pass"
                           " options='-c work_mem=1234kB' connect_timeout=17 gssencmode=disable"
                           " target_session_attrs=read-write");
  ExpectLoaded(*run);
  const std::string argv = Content("argv");
  for (const char* option :
       {"sslmode='prefer'", "sslcert='/nowhere/client.crt'", "passfile='/nowhere/pass'",
        "options='-c work_mem=1234kB'", "connect_timeout='17'", "gssencmode='disable'",
        "target_session_attrs='read-write'"}) {
    EXPECT_THAT(argv, HasSubstr(option));
  }
  EXPECT_THAT(argv, Not(HasSubstr("cret")));
  EXPECT_EQ(Content("password"), "se cret'1");
  EXPECT_EQ(Content("service"), "[pgteal]\nsslpassword=keysecret\n");
  EXPECT_EQ(Content("mode"), "600\n");
  EXPECT_THAT(Content("service_path"), testing::StartsWith("/proc/self/fd/"));
  EXPECT_THAT(run->Log(), Not(HasSubstr("cret")));
}

// Neither the schema nor the key's password: files without a name.
TEST_F(LoadConnInfo, AKilledLoadLeavesNoFile) {
  Script("pg_dump", "case \"$1\" in --version) exec '" + ClientProgram("pg_dump").string() +
                        "' --version ;; esac; cat \"$PGSERVICEFILE\" > " + File("service") +
                        "; touch " + File("reached") +
                        "; while kill -0 $PPID; do sleep 0.05; done");
  const TempFolder spool("spool");
  const auto run = RunFrom(db_.BlueInfo() + " sslpassword=keysecret", {},
                           {"--spool-folder", spool.path().string()});
  ASSERT_TRUE(WaitUntil([&] { return std::filesystem::exists(File("reached")); }, seconds(60)));
  EXPECT_EQ(Content("service"), "[pgteal]\nsslpassword=keysecret\n");
  run->Kill9();
  EXPECT_TRUE(std::filesystem::is_empty(spool.path()));
}

TEST_F(LoadConnInfo, AServiceIsFoundByPgDumpToo) {
  const std::string file = File("services.conf");
  const auto& server = db_.clusters().blue();
  std::ofstream(file) << "[blue]\nhost=" << server.socket_folder().string()
                      << "\nport=" << server.port() << "\ndbname=" << db_.name()
                      << "\nuser=postgres\n";
  const auto run = RunFrom("service=blue", {{"PGSERVICEFILE", file}});
  ExpectLoaded(*run);
  EXPECT_THAT(Content("argv"), HasSubstr("--dbname=service='blue'"));
}

TEST_F(LoadConnInfo, APasswordFileIsNamedToPgDumpAndItsContentIsNot) {
  const std::string role = "by_file_" + db_.name();
  blue().Exec("CREATE ROLE " + role + " SUPERUSER LOGIN PASSWORD 'filesecret'");
  std::ofstream(File("pass")) << "*:*:*:" << role << ":filesecret\n";
  chmod(File("pass").c_str(), 0600);
  const auto run = RunFrom(db_.BlueInfo() + " user=" + role + " passfile=" + File("pass"));
  ExpectLoaded(*run);
  EXPECT_THAT(Content("argv"), HasSubstr("passfile='" + File("pass") + "'"));
  EXPECT_THAT(Content("argv"), Not(HasSubstr("filesecret")));
}

}  // namespace
}  // namespace pgteal::tests
