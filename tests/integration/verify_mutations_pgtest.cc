#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/verify_test.h"

namespace pgteal::tests {
namespace {

// A column of type `type` holds `blue` on blue; on green `sql` plants the difference in row 3.
struct Planted {
  const char* name;
  const char* type;
  const char* blue;   // SQL of the value of every row
  const char* green;  // SQL of the value that row 3 has on green
};

// Values that look alike, compare as equal, or are lost by a careless comparison.
constexpr Planted kValues[] = {
    {"bytea_bit", "bytea", R"('\x00ff10')", R"('\x00ff11')"},
    {"bytea_empty", "bytea", R"('\x')", "NULL"},
    {"bytea_zero", "bytea", R"('\x00')", R"('\x0000')"},
    {"timestamptz_micro", "timestamptz", "'2024-02-29 12:00:00.000001+00'",
     "'2024-02-29 12:00:00.000002+00'"},
    {"timestamp_micro", "timestamp", "'2024-02-29 12:00:00'", "'2024-02-29 12:00:00.000001'"},
    {"timestamp_infinity", "timestamp", "'infinity'", "'-infinity'"},
    {"timestamp_bc", "timestamp", "'0044-03-15 00:00:00 BC'", "'0044-03-15 00:00:00'"},
    {"date_day", "date", "'2024-02-29'", "'2024-03-01'"},
    {"time_24", "time", "'24:00:00'", "'00:00:00'"},
    {"timetz_zone", "timetz", "'12:00:00+01'", "'11:00:00+00'"},
    {"interval_month", "interval", "'1 month'", "'30 days'"},
    {"interval_day", "interval", "'1 day'", "'24 hours'"},
    {"varchar_space", "varchar(20)", "'a'", "'a '"},
    {"char_length", "char(4)", "'ab'", "'ac'"},
    {"text_null", "text", "''", "NULL"},
    {"text_null_word", "text", "NULL", "'NULL'"},
    {"text_case", "text", "'Straße'", "'STRASSE'"},
    {"text_composed", "text", R"(U&'\00e9')", R"(U&'e\0301')"},
    {"text_newline", "text", "E'a\\nb'", "E'a\\r\\nb'"},
    {"text_quote", "text", R"('"')", R"('""')"},
    {"text_backslash", "text", R"('\')", R"('\\')"},
    {"text_separator", "text", "E'a\\x01'", "E'a'"},
    {"text_zero_width", "text", R"('ab')", R"(U&'a\200bb')"},
    {"text_long", "text", "repeat('x', 20000)", "repeat('x', 19999) || 'y'"},
    {"text_toast", "text", "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 400) i)",
     "(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 399) i)"},
    {"float8_digit", "float8", "0.1", "0.10000000000000002"},
    {"float8_zero", "float8", "'0'", "'-0'"},
    {"float8_nan", "float8", "'NaN'", "'Infinity'"},
    {"float8_denormal", "float8", "'5e-324'", "'0'"},
    {"float4_digit", "float4", "'0.1'", "'0.10000001'"},
    {"numeric_scale", "numeric", "1.0", "1.00"},
    {"numeric_nan", "numeric", "'NaN'", "NULL"},
    {"numeric_infinity", "numeric", "'Infinity'", "'-Infinity'"},
    {"numeric_digit", "numeric", "12345678901234567890.123456789",
     "12345678901234567890.123456788"},
    {"money_cent", "money", "'1.00'", "'1.01'"},
    {"int_one", "int", "7", "8"},
    {"bigint_edge", "bigint", "9223372036854775807", "9223372036854775806"},
    {"smallint_sign", "smallint", "1", "-1"},
    {"bool_flip", "bool", "true", "false"},
    {"bool_null", "bool", "false", "NULL"},
    {"uuid_bit", "uuid", "'00000000-0000-0000-0000-000000000000'",
     "'00000000-0000-0000-0000-000000000001'"},
    {"json_space", "json", R"('{"a":1}')", R"('{"a": 1}')"},
    {"jsonb_value", "jsonb", R"('{"a": 1}')", R"('{"a": 1.0}')"},
    {"jsonb_null", "jsonb", "'null'", "NULL"},
    {"array_bounds", "int[]", "'[2:3]={1,2}'", "'{1,2}'"},
    {"array_null", "text[]", "ARRAY['NULL']", "ARRAY[NULL]::text[]"},
    {"array_nesting", "int[]", "'{{1,2}}'", "'{{1},{2}}'"},
    {"array_empty", "int[]", "'{}'", "NULL"},
    {"range_bound", "numrange", "'[1,2]'", "'[1,2)'"},
    {"range_empty", "int4range", "'empty'", "NULL"},
    {"multirange_part", "int4multirange", "'{[1,3),[5,7)}'", "'{[1,7)}'"},
    {"enum_label", "mood", "'sad'", "'glad'"},
    {"composite_null", "pair", "'(1,)'", R"('(1,"")')"},
    {"composite_whole", "pair", "'(,)'", "NULL"},
    {"domain_value", "positive", "5", "6"},
    {"inet_mask", "inet", "'10.0.0.1/32'", "'10.0.0.1/24'"},
    {"cidr_mask", "cidr", "'10.0.0.0/8'", "'10.0.0.0/9'"},
    {"macaddr_bit", "macaddr", "'08:00:2b:01:02:03'", "'08:00:2b:01:02:02'"},
    {"bit_bit", "bit(8)", "B'10101010'", "B'10101011'"},
    {"varbit_length", "varbit", "B'1'", "B'10'"},
    {"point_digit", "point", "'(1,2)'", "'(1,2.0000000000000004)'"},
    {"polygon_order", "polygon", "'((0,0),(1,1),(2,0))'", "'((2,0),(0,0),(1,1))'"},
    {"tsvector_position", "tsvector", "'a:1 b:2'", "'a:1 b:3'"},
    {"xml_space", "xml", "'<a/>'", "'<a></a>'"},
    {"oid_one", "oid", "1", "2"},
    {"regclass_name", "regclass", "'pg_class'", "'pg_type'"},
    {"pg_lsn_byte", "pg_lsn", "'0/10'", "'0/11'"},
    {"char_byte", "\"char\"", "'a'", "'b'"},
    {"name_value", "name", "'a'", "'b'"},
};

// Differences of a kind that no single value shows. `blue` and `green` run on their sides, before
// the stream and behind its back.
struct PlantedRows {
  const char* name;
  const char* table;  // SQL that makes it on both sides; %s is its name
  const char* green;
  const char* kinds;  // what is to be found, in the order of the report
};

constexpr PlantedRows kRows[] = {
    {"row_missing", "(id int PRIMARY KEY, v int)", "DELETE FROM %s WHERE id = 7", "missing"},
    {"row_extra", "(id int PRIMARY KEY, v int)", "INSERT INTO %s VALUES (1000, 1)", "extra"},
    {"rows_swapped", "(id int PRIMARY KEY, v int)",
     "UPDATE %s SET v = CASE id WHEN 3 THEN 4 ELSE 3 END WHERE id IN (3, 4)",
     "different different"},
    {"key_moved", "(id int PRIMARY KEY, v int)", "UPDATE %s SET id = 2000 WHERE id = 9",
     "extra missing"},
    {"doubled_without_key", "(id int, v int)", "INSERT INTO %s SELECT * FROM %s WHERE id = 5",
     "extra"},
    {"lost_without_key", "(id int, v int)", "DELETE FROM %s WHERE id = 5", "missing"},
    {"changed_without_key", "(id int, v int)", "UPDATE %s SET v = -1 WHERE id = 5",
     "missing extra"},
    {"partition_emptied", "(id int, v int, PRIMARY KEY (id)) PARTITION BY RANGE (id)",
     "TRUNCATE %s_low", "missing missing missing missing missing missing missing missing missing"},
    {"column_default", "(id int PRIMARY KEY, v int DEFAULT 42)",
     "UPDATE %s SET v = DEFAULT WHERE id = 3", "different"},
    {"composite_key", "(id int, v int, PRIMARY KEY (v, id))", "DELETE FROM %s WHERE id = 11",
     "missing"},
    {"emptied", "(id int PRIMARY KEY, v int)", "DELETE FROM %s WHERE id < 4",
     "missing missing missing"},
};

std::string Replace(std::string text, const std::string& name) {
  for (size_t at = 0; (at = text.find("%s", at)) != std::string::npos; at += name.size()) {
    text.replace(at, 2, name);
  }
  return text;
}

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// A thousand rows a second on blue, in tables that no difference is planted in, but for one where a
// row beside it changes.
constexpr double kRowsPerSecond = 1000;

class Traffic {
 public:
  explicit Traffic(const std::string& conninfo) : thread_([this, conninfo] { Write(conninfo); }) {}
  ~Traffic() { Stop(); }
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;

  void Stop() {
    stops_ = true;
    if (thread_.joinable()) thread_.join();
  }
  int written() const { return written_; }

 private:
  void Write(const std::string& conninfo) {
    Sql sql(conninfo);
    const auto began = Clock::now();
    while (!stops_) {
      written_ += std::stoi(sql.Scalar(
          "WITH i AS (INSERT INTO traffic (v) SELECT random()::text FROM generate_series(1, 8)"
          " RETURNING 1), u AS (UPDATE traffic SET v = v || '.' WHERE id IN (SELECT m.id -"
          " (random() * 500)::int FROM (SELECT max(id) AS id FROM traffic) AS m,"
          " generate_series(1, 8)) RETURNING 1), d AS (DELETE FROM traffic WHERE id ="
          " (SELECT min(id) FROM traffic) RETURNING 1), m AS (UPDATE moving"
          " SET n = n + 1 WHERE id = 5 RETURNING 1) SELECT (SELECT count(*) FROM i) +"
          " (SELECT count(*) FROM u) + (SELECT count(*) FROM d) + (SELECT count(*) FROM m)"));
      static_cast<void>(
          WaitUntil([&] { return stops_ || SecondsSince(began) >= written_ / kRowsPerSecond; },
                    std::chrono::seconds(5)));
    }
  }

  std::atomic<bool> stops_ = false;
  std::atomic<int> written_ = 0;
  std::thread thread_;
};

class VerifyMutations : public VerifyTest, public testing::WithParamInterface<Versions> {
 protected:
  VerifyMutations() : VerifyTest(GetParam()) {}

  void CreateTables() {
    ExecBoth(
        "CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE TYPE pair AS (a int, b text);"
        "CREATE DOMAIN positive AS int CHECK (VALUE > 0);"
        "CREATE TABLE traffic (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, v text);"
        "CREATE TABLE moving (id int PRIMARY KEY, n int, v text);"
        "INSERT INTO moving SELECT g, 0, 'same' FROM generate_series(1, 10) AS g");
    for (const auto& planted : kValues) {
      const std::string name = planted.name;
      ExecBoth("CREATE TABLE " + name + " (id int PRIMARY KEY, v " + planted.type +
               "); INSERT INTO " + name + " SELECT g, " + planted.blue +
               " FROM generate_series(1, 5) AS g");
    }
    for (const auto& planted : kRows) {
      const std::string name = planted.name;
      ExecBoth("CREATE TABLE " + name + " " + planted.table);
      if (std::string(planted.table).find("PARTITION BY") != std::string::npos) {
        ExecBoth("CREATE TABLE " + name + "_low PARTITION OF " + name +
                 " FOR VALUES FROM (0) TO (10); CREATE TABLE " + name + "_high PARTITION OF " +
                 name + " FOR VALUES FROM (10) TO (100000)");
      }
      if (std::string(planted.table).find("KEY") == std::string::npos) {
        ExecBoth("ALTER TABLE " + name + " REPLICA IDENTITY FULL");
      }
      ExecBoth("INSERT INTO " + name + " SELECT g, g FROM generate_series(1, 50) AS g");
    }
    // Must not differ: the order of jsonb's keys, TOAST compressed otherwise, physical order.
    ExecBoth(
        "CREATE TABLE alike (id int PRIMARY KEY, j jsonb, t text);"
        "INSERT INTO alike SELECT g, '{\"a\": 1, \"b\": 2}', repeat('toast', 4000)"
        " FROM generate_series(1, 20) AS g");
  }

  void PlantAll() {
    for (const auto& planted : kValues) {
      green().Exec(std::string("UPDATE ") + planted.name + " SET v = " + planted.green +
                   " WHERE id = 3");
    }
    for (const auto& planted : kRows) green().Exec(Replace(planted.green, planted.name));
    green().Exec(
        "ALTER TABLE alike ALTER COLUMN t SET STORAGE EXTERNAL;"
        "UPDATE alike SET j = '{\"b\": 2, \"a\": 1}', t = repeat('toast', 4000) WHERE id < 10");
    green().Exec("UPDATE moving SET v = 'planted' WHERE id = 6");
  }

  void ExpectFound(const Json& report) {
    for (const auto& planted : kValues) {
      EXPECT_THAT(Differences(report, planted.name),
                  testing::ElementsAre(R"(different{"id":"3"}["v"])"))
          << planted.name;
    }
    for (const auto& planted : kRows) {
      std::string kinds;
      const std::string name = planted.name;
      // Without publish_via_partition_root the partitions are the tables.
      const std::string table = name == "partition_emptied" ? name + "_low" : name;
      for (const auto& difference : Table(report, table).at("differences")) {
        kinds += (kinds.empty() ? "" : " ") + difference.at("kind").get<std::string>();
      }
      EXPECT_EQ(kinds, planted.kinds) << planted.name;
    }
  }
};

TEST_P(VerifyMutations, AreAllFoundUnderLoadAndNothingElse) {
  CreateTables();
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  Start();
  Traffic traffic(db_.BlueInfo());
  ASSERT_TRUE(WaitUntil([&] { return traffic.written() > 500; }, std::chrono::seconds(30)));
  EXPECT_EQ(Verify(0).at("differences"), 0);
  PlantAll();
  const int before = traffic.written();
  const auto began = Clock::now();
  for (int i = 0; i < 3; ++i) {
    const Json report = Verify(4, {"--jobs", i == 0 ? "1" : "4"});
    ExpectFound(report);
    EXPECT_THAT(Differences(report, "moving"), testing::ElementsAre(R"(different{"id":"6"}["v"])"));
    std::set<std::string> different;
    for (const auto& table : report.at("tables")) {
      if (!table.at("equal").get<bool>()) different.insert(table.at("table"));
    }
    EXPECT_EQ(different.size(), std::size(kValues) + std::size(kRows) + 1);
    EXPECT_FALSE(different.contains("alike"));
    EXPECT_FALSE(different.contains("traffic"));
  }
  // Our share of the machine may be small, but this was no idle system.
  const double rows_per_second = (traffic.written() - before) / SecondsSince(began);
  std::printf("rows a second %.0f\n", rows_per_second);
  EXPECT_GE(rows_per_second, kRowsPerSecond / 2);
  // Each is repaired, and then there is none.
  const Json repaired = Verify(4, {"--repair"});
  EXPECT_EQ(repaired.at("repair").at("failures"), Json::array()) << repaired.at("repair").dump(2);
  EXPECT_EQ(repaired.at("repair").at("touched"), 0);
  EXPECT_EQ(repaired.at("repair").at("repaired"), repaired.at("differences"));
  EXPECT_EQ(Verify(0).at("differences"), 0);
  traffic.Stop();
  ASSERT_TRUE(db_.WaitCaughtUp());
  EXPECT_TRUE(db_.Equal());
}

INSTANTIATE_TEST_SUITE_P(Pairs, VerifyMutations,
                         testing::Values(Versions{15, 17}, Versions{14, 18}, Versions{17, 17}),
                         [](const auto& pair) {
                           return "From" + std::to_string(pair.param.blue) + "To" +
                                  std::to_string(pair.param.green);
                         });

// WITHOUT OVERLAPS came with 18.
class VerifyNewest : public VerifyTest {
 protected:
  VerifyNewest() : VerifyTest({.blue = 14, .green = 18}) {}
};

TEST_F(VerifyNewest, PeriodsThatMustNotOverlapAreTested) {
  ExecBoth(
      "CREATE TABLE stays (id int PRIMARY KEY, room int, days daterange);"
      "INSERT INTO stays VALUES (1, 1, '[2026-01-01,2026-01-05)'),"
      " (2, 1, '[2026-01-05,2026-01-09)'), (3, 2, '[2026-01-04,2026-01-06)')");
  green().Exec(
      "CREATE EXTENSION btree_gist; ALTER TABLE stays ADD CONSTRAINT one_guest"
      " UNIQUE (room, days WITHOUT OVERLAPS) DEFERRABLE INITIALLY DEFERRED");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  EXPECT_EQ(Verify(0).at("notes"), Json::array());
  ExecBoth("SET session_replication_role = replica; UPDATE stays SET room = 1 WHERE id = 3");
  EXPECT_THAT(Verify(4).at("faults"),
              testing::ElementsAre("constraint one_guest of public.stays does not hold on green"));
}

}  // namespace
}  // namespace pgteal::tests
