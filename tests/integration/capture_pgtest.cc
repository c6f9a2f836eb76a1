#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
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

class Capture : public PairTest {
 protected:
  using Args = std::vector<std::string>;

  // Runs pgteal to its end; its output and log are kept for the assertions.
  int Run(const Args& args) {
    process_ = db_.Pgteal(args);
    return process_->WaitExit(seconds(120)).value_or(-1);
  }
  int CaptureTo(const std::string& file, Args args = {"--until-caught-up"}) {
    args.insert(args.begin(), {"capture", "--output", PathOf(file)});
    return Run(args);
  }
  int Replay(const Args& files, const Args& options = {}) {
    Args args = {"replay"};
    for (const auto& file : files) args.push_back(PathOf(file));
    args.insert(args.end(), options.begin(), options.end());
    return Run(args);
  }
  // The slot is there from now on, and what is written is in the next capture.
  void BeginSeries() { ASSERT_EQ(CaptureTo("0"), 0) << Log(); }

  std::string PathOf(const std::string& file) const { return folder_ / file; }
  std::string Log() const { return process_ ? process_->Log() : ""; }
  std::string Out() const { return process_ ? process_->Stdout() : ""; }
  std::string SlotLsn() {
    return blue().Scalar(
        "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'pgteal_capture'");
  }
  std::string Summary(const std::string& file) {
    EXPECT_EQ(Run({"inspect", "--summary", "--json", PathOf(file)}), 0) << Log();
    return Out();
  }

  TempFolder folder_{"pgteal-capture-test"};
  std::unique_ptr<PgtealProcess> process_;
};

constexpr const char* kTable = "CREATE TABLE t(a int PRIMARY KEY, b text)";

TEST_F(Capture, ReplayedEqualsBlueAndASecondReplayChangesNothing) {
  ExecBoth(kTable);
  BeginSeries();
  blue().Exec("INSERT INTO t SELECT g, repeat('x', g) FROM generate_series(1, 500) g");
  blue().Exec("UPDATE t SET b = 'y' WHERE a < 100");
  blue().Exec("DELETE FROM t WHERE a > 400");
  ASSERT_EQ(CaptureTo("1"), 0) << Log();
  ASSERT_EQ(Replay({"1"}, {"--json"}), 0) << Log();
  EXPECT_THAT(Out(), HasSubstr("\"transactions\":3,\"changes\":699"));
  EXPECT_TRUE(db_.Equal());
  ASSERT_EQ(Replay({"1"}, {"--json"}), 0) << Log();
  EXPECT_THAT(Out(), HasSubstr("\"transactions\":0,"));
  EXPECT_TRUE(db_.Equal());
}

TEST_F(Capture, AnInspectionThatCannotBePrintedHasFailed) {
  ExecBoth(kTable);
  BeginSeries();
  blue().Exec("INSERT INTO t VALUES (1, 'x')");
  ASSERT_EQ(CaptureTo("1"), 0) << Log();
  process_ = db_.PgtealIn("exec \"$@\" > /dev/full", {"inspect", "--json", PathOf("1")});
  EXPECT_EQ(process_->WaitExit(), 1);
  EXPECT_THAT(Log(), HasSubstr("cannot write to standard output"));
}

TEST_F(Capture, ConsecutiveFilesLeaveNoGapAndAMissingOneIsRefused) {
  ExecBoth(kTable);
  BeginSeries();
  for (int file = 1; file <= 3; ++file) {
    blue().Exec("INSERT INTO t VALUES (" + std::to_string(file) + ", 'x')");
    ASSERT_EQ(CaptureTo(std::to_string(file)), 0) << Log();
  }
  EXPECT_EQ(Replay({"1", "3"}), 3) << Log();
  EXPECT_THAT(Log(), HasSubstr("is missing"));
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM t"), "0");
  ASSERT_EQ(Replay({"3", "1", "2"}), 0) << Log();
  EXPECT_TRUE(db_.Equal());
}

TEST_F(Capture, ReplayGoesOnFromCaptureToCapture) {
  ExecBoth(kTable);
  BeginSeries();
  for (int file = 1; file <= 3; ++file) {
    blue().Exec("INSERT INTO t VALUES (" + std::to_string(file) + ", 'x')");
    ASSERT_EQ(CaptureTo(std::to_string(file)), 0) << Log();
  }
  ASSERT_EQ(Replay({"1"}), 0) << Log();
  EXPECT_EQ(Replay({"3"}), 3) << Log();
  EXPECT_THAT(Log(), HasSubstr("would be lost"));
  ASSERT_EQ(Replay({"2"}), 0) << Log();
  ASSERT_EQ(Replay({"3"}), 0) << Log();
  EXPECT_TRUE(db_.Equal());
}

TEST_F(Capture, UnpublishedWorkMovesTheSlotAndLeavesNoGap) {
  blue().Exec("CREATE TABLE quiet(a int); CREATE PUBLICATION pgteal FOR TABLE quiet");
  green().Exec("CREATE TABLE quiet(a int)");
  BeginSeries();
  const auto before = SlotLsn();
  blue().Exec("CREATE TABLE loud AS SELECT g FROM generate_series(1, 1000) g");
  ASSERT_EQ(CaptureTo("1"), 0) << Log();
  EXPECT_NE(SlotLsn(), before);
  blue().Exec("INSERT INTO quiet VALUES (1)");
  ASSERT_EQ(CaptureTo("2"), 0) << Log();
  ASSERT_EQ(Replay({"0", "1", "2"}), 0) << Log();
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM quiet"), "1");
}

TEST_F(Capture, ATransactionOnlyPartlyInTheFileIsWholeInTheNext) {
  ExecBoth("CREATE TABLE big(a int PRIMARY KEY, b text)");
  blue().Exec("SET logical_decoding_work_mem = '64kB'");
  const std::string database = db_.name();
  blue().Exec("ALTER DATABASE \"" + database + "\" SET logical_decoding_work_mem = '64kB'");
  BeginSeries();
  auto writer = Sql(db_.BlueInfo());
  writer.Exec("BEGIN; INSERT INTO big SELECT g, repeat('x', 500) FROM generate_series(1, 3000) g");
  blue().Exec("INSERT INTO big VALUES (0, 'small')");
  ASSERT_EQ(CaptureTo("1"), 0) << Log();
  EXPECT_THAT(Summary("1"), HasSubstr("\"transactions\":1,"));
  writer.Exec("COMMIT");
  ASSERT_EQ(CaptureTo("2"), 0) << Log();
  EXPECT_THAT(Summary("2"), HasSubstr("\"transactions\":1,"));
  ASSERT_EQ(Replay({"1", "2"}), 0) << Log();
  EXPECT_TRUE(db_.Equal());
}

TEST_F(Capture, KilledInTheMiddleIsFollowedByACaptureWithoutAGap) {
  ExecBoth(kTable);
  BeginSeries();
  int row = 0;
  std::vector<std::string> files;
  for (int kill = 1; kill <= 4; ++kill) {
    files.push_back("k" + std::to_string(kill));
    auto capture = db_.Pgteal({"capture", "--output", PathOf(files.back())});
    const auto before = SlotLsn();
    // Until at least one part of this capture has been confirmed.
    ASSERT_TRUE(WaitUntil(
        [&] {
          blue().Exec("INSERT INTO t VALUES (" + std::to_string(++row) + ", 'x')");
          return SlotLsn() != before;
        },
        seconds(30)))
        << capture->Log();
    capture->Kill9();
  }
  ASSERT_EQ(CaptureTo("last"), 0) << Log();
  files.emplace_back("last");
  ASSERT_EQ(Replay(files), 0) << Log();
  EXPECT_TRUE(db_.Equal());
}

TEST_F(Capture, AKilledReplayResumesWhereItWas) {
  ExecBoth("CREATE TABLE h(a int, b text)");  // without a key a double apply shows
  blue().Exec("ALTER TABLE h REPLICA IDENTITY FULL");
  BeginSeries();
  blue().Exec(
      "DO $$ BEGIN FOR i IN 1..3000 LOOP INSERT INTO h VALUES (i, 'x'); COMMIT; END LOOP; END $$");
  ASSERT_EQ(CaptureTo("1"), 0) << Log();
  const Args args = {"replay", PathOf("1"), "--batch-rows", "10"};
  const auto count = [this] { return std::stoi(green().Scalar("SELECT count(*) FROM h")); };
  for (int kill = 0; kill < 5; ++kill) {
    const int before = count();
    auto replay = db_.Pgteal(args);
    ASSERT_TRUE(WaitUntil([&] { return count() > before || !replay->IsRunning(); }, seconds(30)));
    replay->Kill9();
  }
  ASSERT_EQ(Run(args), 0) << Log();
  EXPECT_TRUE(db_.Equal());
  EXPECT_EQ(green().Scalar("SELECT transactions FROM pgteal.progress"), "3000");
}

TEST_F(Capture, EndsAtAnLsnAndReplayDoesToo) {
  ExecBoth(kTable);
  BeginSeries();
  std::vector<std::string> ends;
  for (int i = 1; i <= 3; ++i) {
    blue().Exec("INSERT INTO t VALUES (" + std::to_string(i) + ", 'x')");
    ends.push_back(blue().Scalar("SELECT pg_current_wal_insert_lsn()"));
  }
  ASSERT_EQ(CaptureTo("1", {"--until-lsn", ends[1]}), 0) << Log();
  EXPECT_EQ(SlotLsn(), ends[1]);
  ASSERT_EQ(Replay({"1"}, {"--until-lsn", ends[0]}), 0) << Log();
  EXPECT_EQ(green().Scalar("SELECT max(a) FROM t"), "1");
  EXPECT_EQ(green().Scalar("SELECT end_lsn FROM pgteal.progress"), ends[0]);
  ASSERT_EQ(Replay({"1"}), 0) << Log();
  EXPECT_EQ(green().Scalar("SELECT max(a) FROM t"), "2");
}

TEST_F(Capture, EndsAfterADurationAndOnCtrlC) {
  ExecBoth(kTable);
  EXPECT_EQ(CaptureTo("1", {"--duration", "0.2"}), 0) << Log();
  auto capture = db_.Pgteal({"capture", "--output", PathOf("2"), "--json"});
  ASSERT_TRUE(capture->WaitForLog("capturing slot="));
  blue().Exec("INSERT INTO t VALUES (1, 'x')");
  const std::string lsn = blue().Scalar("SELECT pg_current_wal_insert_lsn()");
  ASSERT_TRUE(WaitUntil(
      [&] {
        return blue().Scalar("SELECT confirmed_flush_lsn >= '" + lsn +
                             "' FROM pg_replication_slots WHERE slot_name = 'pgteal_capture'") ==
               "t";
      },
      seconds(30)));
  capture->Signal(SIGINT);
  EXPECT_EQ(capture->WaitExit(), 130) << capture->Log();
  EXPECT_THAT(capture->Stdout(), HasSubstr("\"transactions\":1,"));
}

TEST_F(Capture, ATemporarySlotLeavesNothingBehind) {
  ExecBoth(kTable);
  ASSERT_EQ(CaptureTo("1", {"--temporary", "--until-caught-up"}), 0) << Log();
  // Blue drops it when it has seen that our session is gone.
  const auto is_gone = [this] {
    return blue().Scalar("SELECT count(*) FROM pg_replication_slots WHERE database = '" +
                         db_.name() + "'") == "0";
  };
  EXPECT_TRUE(WaitUntil(is_gone, std::chrono::seconds(20)));
}

TEST_F(Capture, EveryFormOfTheStreamIsReplayed) {
  ExecBoth("CREATE TABLE v(a int PRIMARY KEY, b numeric, c timestamptz, d text)");
  BeginSeries();
  const std::vector<Args> forms = {
      {"--binary", "on"},
      {"--binary", "off", "--streaming", "off", "--proto-version", "1"},
      {"--proto-version", "3", "--streaming", "on"}};
  for (size_t i = 0; i < forms.size(); ++i) {
    const std::string file = std::to_string(i + 1);
    blue().Exec("INSERT INTO v VALUES (" + file + ", 1.5, '2024-02-03 04:05:06.7+01', 'x')");
    Args args = forms[i];
    args.emplace_back("--until-caught-up");
    ASSERT_EQ(CaptureTo(file, args), 0) << Log();
    ASSERT_EQ(Replay({file}), 0) << Log();
    EXPECT_TRUE(db_.Equal()) << file;
  }
  EXPECT_EQ(CaptureTo("x", {"--streaming", "on", "--proto-version", "1"}), 2);
}

TEST_F(Capture, RecordedPaceTakesAsLongAsTheRecording) {
  ExecBoth(kTable);
  BeginSeries();
  auto capture = db_.Pgteal({"capture", "--output", PathOf("1"), "--duration", "2"});
  ASSERT_TRUE(capture->WaitForLog("capturing slot="));
  blue().Exec("INSERT INTO t VALUES (1, 'x')");
  blue().Exec("SELECT pg_sleep(0.7)");
  blue().Exec("INSERT INTO t VALUES (2, 'x')");
  ASSERT_EQ(capture->WaitExit(), 0) << capture->Log();
  const auto began = std::chrono::steady_clock::now();
  ASSERT_EQ(Replay({"1"}, {"--speed", "recorded"}), 0) << Log();
  EXPECT_GE(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(690));
  EXPECT_TRUE(db_.Equal());
}

TEST_F(Capture, NothingIsATargetToo) {
  ExecBoth(kTable);
  BeginSeries();
  blue().Exec("INSERT INTO t SELECT g, 'x' FROM generate_series(1, 100) g");
  ASSERT_EQ(CaptureTo("1"), 0) << Log();
  ASSERT_EQ(Replay({"1"}, {"--null", "--json"}), 0) << Log();
  EXPECT_THAT(Out(), HasSubstr("\"transactions\":1,\"changes\":100"));
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM t"), "0");
}

TEST_F(Capture, AnotherBluesCaptureIsRefused) {
  ExecBoth(kTable);
  BeginSeries();
  blue().Exec("INSERT INTO t VALUES (1, 'x')");
  ASSERT_EQ(CaptureTo("1"), 0) << Log();
  ASSERT_EQ(Replay({"1"}), 0) << Log();
  green().Exec("UPDATE pgteal.deployment SET source_system_identifier = '7'");
  EXPECT_EQ(Replay({"1"}), 3) << Log();
  EXPECT_THAT(Log(), HasSubstr("follows another blue"));
}

TEST_F(Capture, TheDatabaseThatWasCapturedIsNoTarget) {
  blue().Exec(kTable);
  BeginSeries();
  blue().Exec("INSERT INTO t VALUES (1, 'x')");
  ASSERT_EQ(CaptureTo("1"), 0) << Log();
  EXPECT_EQ(Run({"replay", "--target", db_.BlueInfo(), "--on-conflict", "skip", PathOf("1")}), 3);
  EXPECT_THAT(Log(), HasSubstr("the target is the database that was captured"));
  EXPECT_EQ(blue().Scalar("SELECT to_regnamespace('pgteal') IS NULL"), "t");
}

TEST_F(Capture, DamagedTruncatedAndForeignFilesAreNamed) {
  ExecBoth(kTable);
  BeginSeries();
  blue().Exec("INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 2000) g");
  ASSERT_EQ(CaptureTo("good"), 0) << Log();
  const std::string good = ReadFile(PathOf("good"));
  const auto write = [this](const std::string& name, const std::string& bytes) {
    std::ofstream(PathOf(name), std::ios::binary) << bytes;
  };
  std::string damaged = good;
  damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 0x55);
  write("damaged", damaged);
  write("foreign", "this is no capture\n");
  write("empty", "");
  for (const char* name : {"damaged", "foreign", "empty"}) {
    for (const Args& args : {Args{"replay", PathOf(name)}, Args{"replay", "--null", PathOf(name)},
                             Args{"inspect", PathOf(name)}}) {
      EXPECT_EQ(Run(args), 1) << name << Log();
      EXPECT_THAT(Log(), HasSubstr(PathOf(name)));
    }
  }
  EXPECT_EQ(green().Scalar("SELECT count(*) FROM t"), "0");
  EXPECT_EQ(Run({"inspect", PathOf("missing")}), 2) << Log();
  // Cut anywhere it holds less, never something else.
  for (const size_t bytes : {good.size() - 1, good.size() / 2, good.size() / 4}) {
    const std::string name = "cut" + std::to_string(bytes);
    write(name, good.substr(0, bytes));
    EXPECT_EQ(Run({"inspect", "--summary", PathOf(name)}), 0) << Log();
    EXPECT_THAT(Out(), HasSubstr("not complete"));
  }
}

TEST_F(Capture, AFullDiskEndsInItsErrorAndTheNextOneLeavesNoGap) {
  ExecBoth(kTable);
  BeginSeries();
  for (int part = 0; part < 20; ++part) {
    blue().Exec(
        "INSERT INTO t SELECT g, (SELECT string_agg(md5(g || '.' || i), '') FROM"
        " generate_series(1, 100) i) FROM generate_series(" +
        std::to_string(part * 50) + ", " + std::to_string(part * 50 + 49) + ") g");
  }
  process_ = db_.PgtealIn("trap '' XFSZ; ulimit -c 0 -f 1024; exec \"$@\"",
                          {"capture", "--output", PathOf("1"), "--until-caught-up"});
  EXPECT_EQ(process_->WaitExit(), 1) << Log();
  EXPECT_THAT(Log(), testing::AllOf(HasSubstr("File too large"),
                                    HasSubstr("hint: Make room on its file system"),
                                    Not(HasSubstr("holds everything"))));
  EXPECT_THAT(Summary("1"), HasSubstr("\"complete\":false"));
  ASSERT_EQ(CaptureTo("2"), 0) << Log();
  ASSERT_EQ(Replay({"1", "2"}), 0) << Log();
  EXPECT_TRUE(db_.Equal());
}

TEST_F(Capture, ALongWriterIsNamedAndIsNoReasonToGoOn) {
  ExecBoth(kTable);
  Sql writer(db_.BlueInfo() + " application_name=batch_job");
  writer.Exec("BEGIN; INSERT INTO t VALUES (1)");
  const auto capture = db_.Pgteal({"capture", "--output", PathOf("1")});
  EXPECT_TRUE(capture->WaitForLog("batch_job", seconds(10))) << capture->Log();
  capture->Terminate();
  EXPECT_EQ(capture->WaitExit(seconds(5)), 130) << capture->Log();
  EXPECT_EQ(blue().Scalar("SELECT count(*) FROM pg_replication_slots"), "0");
}

TEST_F(Capture, AMissingIdentityIsAnsweredWithWhatTheVerbCanDo) {
  blue().Exec("CREATE TABLE bare (v int)");
  EXPECT_EQ(CaptureTo("1"), 3);
  EXPECT_THAT(Log(), HasSubstr("On blue: ALTER TABLE \"public\".\"bare\" REPLICA IDENTITY FULL;"));
  EXPECT_EQ(Run({"prepare"}), 3);
  EXPECT_THAT(Log(), Not(HasSubstr("--set-replica-identity")));
  EXPECT_EQ(Run({"run"}), 3);
  EXPECT_THAT(Log(), HasSubstr("--set-replica-identity does it"));
}

TEST_F(Capture, WhatCannotBeginLeavesNoSlotBehind) {
  ExecBoth(kTable);
  std::ofstream(PathOf("there")) << "precious";
  EXPECT_EQ(CaptureTo("there"), 2);
  EXPECT_EQ(ReadFile(PathOf("there")), "precious");
  EXPECT_EQ(CaptureTo("no/such/folder"), 2);
  EXPECT_EQ(blue().Scalar("SELECT count(*) FROM pg_replication_slots WHERE database = '" +
                          db_.name() + "'"),
            "0");
}

}  // namespace
}  // namespace pgteal::tests
