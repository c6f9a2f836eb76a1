#ifndef PGTEAL_TESTS_SUPPORT_CLUSTER_PAIR_H_
#define PGTEAL_TESTS_SUPPORT_CLUSTER_PAIR_H_

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/pg_cluster.h"
#include "tests/support/pgteal_process.h"
#include "tests/support/sql.h"

namespace pgteal::tests {

struct Versions {
  int blue = 15;
  int green = 17;
};
// 15 and 17, or what PGTEAL_BLUE and PGTEAL_GREEN say.
Versions DefaultVersions();

// Two running servers.
class ClusterPair {
 public:
  // For tests that need settings of their own, or that kill servers.
  explicit ClusterPair(Versions versions = DefaultVersions(), const Settings& blue = {},
                       const Settings& green = {});

  // The pair that all tests of this program share, started on first use.
  static ClusterPair& Shared(Versions versions = DefaultVersions());

  PgCluster& blue() { return blue_; }
  PgCluster& green() { return green_; }

 private:
  PgCluster blue_;
  PgCluster green_;
};

// A new, empty database of the same name on both sides. The destructor drops it with its slots,
// its prepared transactions and every replication origin of green. One thread.
class DatabasePair {
 public:
  explicit DatabasePair(ClusterPair& clusters);
  ~DatabasePair();
  DatabasePair(const DatabasePair&) = delete;
  DatabasePair& operator=(const DatabasePair&) = delete;

  // Sessions kept for the test; made anew when the server has closed them.
  Sql& blue() { return Live(blue_, BlueInfo()); }
  Sql& green() { return Live(green_, GreenInfo()); }
  void ExecBoth(const std::string& sql);
  // One more session on green that may write: green is read-only for everybody who does not say
  // otherwise, from its bootstrap on.
  Sql GreenWriter() const;

  const std::string& name() const { return name_; }
  std::string BlueInfo() const { return clusters_.blue().ConnInfo(name_); }
  std::string GreenInfo() const { return clusters_.green().ConnInfo(name_); }
  ClusterPair& clusters() { return clusters_; }

  // pgteal VERB …, with both conninfos in its environment.
  std::unique_ptr<PgtealProcess> Pgteal(const std::vector<std::string>& args) const;
  // The same through other addresses (a Gate's); empty: the servers themselves.
  std::unique_ptr<PgtealProcess> PgtealVia(const std::string& blue_info,
                                           const std::string& green_info,
                                           const std::vector<std::string>& args) const;
  // The same within a bash that runs `script`, where it is "$@".
  std::unique_ptr<PgtealProcess> PgtealIn(const std::string& script,
                                          const std::vector<std::string>& args) const;

  // Until green's progress has reached the end of blue's log as it is now.
  testing::AssertionResult WaitCaughtUp(
      std::chrono::milliseconds timeout = std::chrono::seconds(30));
  // Every user table of blue has the same rows on green, by the text of blue's columns. Tables
  // that green alone has, its further columns, sequences and the pgteal schema are not looked at.
  // A partitioned table is compared as a whole.
  testing::AssertionResult Equal();

 private:
  static Sql& Live(std::optional<Sql>& session, const std::string& conninfo);

  ClusterPair& clusters_;
  const std::string name_;
  std::optional<Sql> blue_;
  std::optional<Sql> green_;
};

// A fixture on the shared pair with a database pair per test.
class PairTest : public testing::Test {
 protected:
  explicit PairTest(Versions versions = DefaultVersions()) : db_(ClusterPair::Shared(versions)) {}

  Sql& blue() { return db_.blue(); }
  Sql& green() { return db_.green(); }
  void ExecBoth(const std::string& sql) { db_.ExecBoth(sql); }
  void ExpectCaughtUpAndEqual() {
    ASSERT_TRUE(db_.WaitCaughtUp());
    EXPECT_TRUE(db_.Equal());
  }

  DatabasePair db_;
};

}  // namespace pgteal::tests

#endif  // PGTEAL_TESTS_SUPPORT_CLUSTER_PAIR_H_
