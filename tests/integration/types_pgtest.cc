#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/integration/stream_test.h"

namespace pgteal::tests {
namespace {

// A column type, and SQL expressions of it. `keyed`: it has a btree equality and can be a key.
struct TypeCase {
  std::string name;
  std::string type;
  std::vector<std::string> values;
  bool keyed = true;
};

std::vector<std::string> Quoted(const std::vector<std::string>& values) {
  std::vector<std::string> quoted;
  for (const auto& value : values) quoted.push_back("'" + value + "'");
  return quoted;
}

const std::vector<TypeCase>& NumberCases() {
  static const std::vector<TypeCase> cases = {
      {"bool", "bool", {"true", "false"}},
      {"int2", "int2", {"-32768", "0", "32767"}},
      {"int4", "int4", {"-2147483648", "0", "2147483647"}},
      {"int8", "int8", {"-9223372036854775808", "0", "9223372036854775807"}},
      {"float4", "float4",
       Quoted({"NaN", "Infinity", "-Infinity", "-0", "1.1e-45", "0.1", "3.4028235e38"})},
      {"float8", "float8",
       Quoted({"NaN", "Infinity", "-Infinity", "-0", "4.9e-324", "0.1", "0.30000000000000004",
               "1.7976931348623157e308"})},
      {"numeric", "numeric",
       Quoted({"NaN", "Infinity", "-Infinity", "0", "1.00", "-1e-40", "2.5000",
               "123456789012345678901234567890.123456789"})},
      {"numeric_mod", "numeric(12,3)", Quoted({"NaN", "1", "-999999999.999", "0.001"})},
      {"money", "money", Quoted({"-92233720368547758.08", "12.34", "0"})},
      {"oid", "oid", {"0", "4294967295", "23"}},
      {"xid8", "xid8", Quoted({"0", "18446744073709551615"})},
      {"xid", "xid", Quoted({"0", "4294967295"}), false},
      {"cid", "cid", Quoted({"1", "4294967295"}), false},
      {"tid", "tid", Quoted({"(0,1)", "(4294967295,65535)"})},
      {"pg_lsn", "pg_lsn", Quoted({"0/0", "FFFFFFFF/FFFFFFFF", "16/B374D848"})},
  };
  return cases;
}

const std::vector<TypeCase>& TimeCases() {
  static const std::vector<TypeCase> cases = {
      {"date", "date",
       Quoted({"infinity", "-infinity", "4713-01-01 BC", "5874897-12-31", "2024-02-03"})},
      {"time", "time", Quoted({"00:00", "24:00:00", "23:59:59.999999"})},
      {"timetz", "timetz", Quoted({"24:00:00+15:59:59", "00:00-15:59:59", "11:12:13.5+00"})},
      {"timestamp", "timestamp",
       Quoted({"infinity", "-infinity", "4713-01-01 00:00 BC", "294276-12-31 23:59:59.999999",
               "2024-02-03 04:05:06.789"})},
      {"timestamptz", "timestamptz",
       Quoted({"infinity", "-infinity", "4713-01-01 00:00+00 BC", "294276-12-31 23:59:59+00",
               "2024-02-03 04:05:06.789+05:30"})},
      {"timestamp_mod", "timestamp(0)", Quoted({"2024-02-03 04:05:06.789"})},
      {"interval", "interval",
       Quoted({"178000000 years", "-178000000 years", "1 mon -1 day 00:00:00.000001",
               "1 year 2 mons -3 days 04:05:06", "0"})},
      {"interval_mod", "interval day to second(2)", Quoted({"3 days 04:05:06.78"})},
  };
  return cases;
}

const std::vector<TypeCase>& TextCases() {
  static const std::vector<TypeCase> cases = {
      {"text",
       "text",
       {"''", "'x'", "E'a\\tb\\nc\\\\d\\r\\x01'", "'\\N'", "'\\.'", "'NULL'", "'\"{},'",
        "'b\xc4\xb1g\xc4\xb1nt \xf0\x9f\x90\x98'", "repeat('long', 3000)"}},
      {"varchar", "varchar(20)", Quoted({"", "  padded  ", "12345678901234567890"})},
      {"bpchar", "char(8)", Quoted({"", "a", "a  b", "12345678"})},
      {"bpchar_free", "bpchar", Quoted({"a", "b   "})},
      {"name", "name",
       Quoted({"", "n", "a name of sixty-three bytes: 12345678901234567890123456789"})},
      {"char", "\"char\"", {"''", "'a'", "'\\'", "127::\"char\""}},
      {"bytea",
       "bytea",
       {"''", "'\\x00'", "'\\x5c4e0a09ff'", "decode(repeat('00ff', 5000), 'hex')"}},
      {"bit", "bit(5)", {"B'00000'", "B'10101'"}},
      {"varbit", "bit varying", {"B''", "B'1'", "B'101010101010101010101'"}},
      {"varbit_mod", "bit varying(4)", {"B''", "B'1'", "B'1010'"}},
      {"uuid", "uuid",
       Quoted({"00000000-0000-0000-0000-000000000000", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"})},
      {"inet", "inet", Quoted({"10.1.2.3/8", "::ffff:1.2.3.4/128", "2001:db8::/32"})},
      {"cidr", "cidr", Quoted({"10.0.0.0/8", "2001:db8::/32"})},
      {"macaddr", "macaddr", Quoted({"08:00:2b:01:02:03"})},
      {"macaddr8", "macaddr8", Quoted({"08:00:2b:01:02:03:04:05"})},
      {"json", "json", Quoted({"null", "{ \"a\": 1,\n  \"a\": 2 }", "\"\\u00e4\"", "1e400"}),
       false},
      {"jsonb", "jsonb",
       Quoted(
           {"null", "{\"b\": 12345678901234567890123456789.10, \"a\": [1e-30, \"\\\\\"]}", "[]"})},
      {"jsonpath", "jsonpath", Quoted({"$.a[*] ? (@ > 1)"}), false},
      {"xml", "xml", Quoted({"<a>1</a>", "content <b/> only", "<?xml version=\"1.0\"?><c/>"}),
       false},
      {"tsvector", "tsvector", Quoted({"", "a:1A fat:2B,4C", "''it''''s'':3"})},
      {"tsquery", "tsquery", Quoted({"a & !b", "fat <2> rat:AB | !cat"})},
  };
  return cases;
}

const std::vector<TypeCase>& ShapeCases() {
  static const std::vector<TypeCase> cases = {
      {"point", "point", Quoted({"(0,0)", "(1e-300,Infinity)", "(-0,NaN)"}), false},
      {"line", "line", Quoted({"{1,-1,0.5}"}), false},
      {"lseg", "lseg", Quoted({"[(0,0),(1,2.5)]"}), false},
      {"box", "box", Quoted({"(3,4),(1,2)"}), false},
      {"path", "path", Quoted({"[(0,0),(1,1)]", "((0,0),(1,1),(2,0))"}), false},
      {"polygon", "polygon", Quoted({"((0,0),(1,1),(2,0))"}), false},
      {"circle", "circle", Quoted({"<(1,2),3>"}), false},
      {"int4range", "int4range", Quoted({"empty", "[1,5)", "(,)", "[7,)"})},
      {"numrange", "numrange", Quoted({"empty", "(1.50,2.5]", "(,0]"})},
      {"tstzrange", "tstzrange", Quoted({"[\"2024-02-03 04:05:06+00\",infinity)", "(,)"})},
      {"int8multirange", "int8multirange", Quoted({"{}", "{[1,3),[5,9)}"})},
      {"datemultirange", "datemultirange", Quoted({"{[2024-01-01,2024-02-03)}"})},
      {"int_array", "int[]",
       Quoted({"{}", "{1,NULL,3}", "{{1,2},{3,4}}", "[2:3]={7,8}", "[0:1][-1:0]={{1,2},{3,4}}"})},
      {"text_array", "text[]", {"'{}'", "ARRAY['', 'NULL', NULL, 'a\"b\\c', '{},;']"}},
      {"bytea_array", "bytea[]", {"ARRAY['\\x00'::bytea, '\\x5c']"}},
      {"box_array", "box[]", Quoted({"{(1,1),(0,0);(3,3),(2,2)}"}), false},
      {"date_array", "date[]", Quoted({"{infinity,\"0044-03-15 BC\"}"})},
      {"bpchar_array", "char(3)[]", Quoted({"{a,bcd}"})},
      {"range_array", "int4range[]", Quoted({"{\"[1,2)\",empty}"})},
      {"oidvector", "oidvector", Quoted({"", "1 2 3"})},
      {"int2vector", "int2vector", Quoted({"", "1 -2 3"}), false},
      {"txid_snapshot", "txid_snapshot", Quoted({"10:20:10,14,15"}), false},
      {"pg_snapshot", "pg_snapshot", Quoted({"10:20:10,14,15"}), false},
      {"aclitem", "aclitem", Quoted({"postgres=r*w/postgres"}), false},
      {"refcursor", "refcursor", Quoted({"a cursor"}), false},
  };
  return cases;
}

// Made in another order on green, so that no OID agrees.
constexpr const char* kExtensions[] = {"hstore", "ltree", "citext"};
const std::vector<std::string>& UserTypes() {
  static const std::vector<std::string> statements = {
      "CREATE TYPE mood AS ENUM ('sad', 'o''k', 'quite \"happy\", {really}')",
      "CREATE TYPE shade AS ENUM ('red', 'dark red', '')",
      "CREATE DOMAIN positive AS int CHECK (VALUE > 0)",
      "CREATE DOMAIN short AS varchar(5) NOT NULL",
      "CREATE DOMAIN exact AS numeric(10,2)",
      "CREATE DOMAIN ids AS int[] CHECK (array_ndims(VALUE) = 1)",
      "CREATE TYPE pair AS (a int, b text)",
      "CREATE TYPE span AS RANGE (subtype = float8)",
  };
  return statements;
}
constexpr const char* kDependentTypes =
    "CREATE TYPE tone AS (m mood, s shade[], p pair);"
    "CREATE DOMAIN happy AS mood CHECK (VALUE <> 'sad');"
    "CREATE TYPE moods AS RANGE (subtype = mood);"
    "CREATE DOMAIN positives AS positive CHECK (VALUE < 100)";

const std::vector<TypeCase>& UserCases() {
  static const std::vector<TypeCase> cases = {
      {"mood", "mood", {"'sad'", "'o''k'", "'quite \"happy\", {really}'"}},
      {"mood_array", "mood[]", {"'{}'", "ARRAY['sad', NULL, 'o''k']::mood[]"}},
      {"shade", "shade", {"''", "'dark red'"}},
      {"positive", "positive", {"1", "2147483647"}},
      {"positive_array", "positive[]", {"'{1,2}'"}},
      {"positives", "positives", {"5", "99"}},
      {"short", "short", {"''", "'12345'"}},
      {"exact", "exact", {"1.50", "-99999999.99"}},
      {"ids", "ids", {"'{1,2,3}'", "'[2:3]={4,5}'"}},
      {"happy", "happy", {"'o''k'"}},
      {"pair", "pair", {"ROW(1, NULL)", "ROW(NULL, 'a,\"(b)\\')", "ROW(3, '')"}},
      {"pair_array", "pair[]", {"ARRAY[ROW(1, 'x, y'), NULL]::pair[]"}, false},
      {"tone", "tone", {"ROW('sad', '{red,\"dark red\"}', ROW(1, 'x'))"}, false},
      {"span", "span", {"'[0.5,1e300)'", "'empty'"}},
      {"spans", "span_multirange", {"'{[0.5,1),[2,3)}'"}},
      {"moods", "moods", {"'[sad,o''k]'"}},
      {"hstore", "hstore", {"''", "'a=>NULL, \"b c\"=>\"=>,\"'"}},
      {"ltree", "ltree", {"'Top.Science'", "''"}},
      {"lquery", "lquery", {"'*.Sci*{1,2}'"}, false},
      {"citext", "citext", {"'MiXed'", "'other'"}},
      {"citext_array", "citext[]", {"'{A,b}'"}, false},
  };
  return cases;
}

const char* const kModes[] = {"off", "on", "auto"};

class Types : public StreamTest, public testing::WithParamInterface<const char*> {
 protected:
  // v_: the value beside a key; k_: the value is the key; f_: found by the whole row.
  void CreateTables(const std::vector<TypeCase>& cases) {
    std::string sql;
    for (const auto& c : cases) {
      sql += "CREATE TABLE v_" + c.name + "(id int PRIMARY KEY, v " + c.type + ");";
      sql += "CREATE TABLE f_" + c.name + "(v " + c.type + ", n int);";
      sql += "ALTER TABLE f_" + c.name + " REPLICA IDENTITY FULL;";
      if (c.keyed) sql += "CREATE TABLE k_" + c.name + "(v " + c.type + " PRIMARY KEY, n int);";
    }
    ExecBoth(sql);
  }
  void Insert(const TypeCase& c) {
    std::string all;
    for (size_t i = 0; i < c.values.size(); ++i) {
      const std::string value = "(" + c.values[i] + ")::" + c.type;
      all += (i == 0 ? "SELECT " : " UNION ALL SELECT ") + value;
    }
    blue().Exec("INSERT INTO v_" + c.name + " SELECT row_number() OVER (), v FROM (" + all +
                ") AS a(v)");
    blue().Exec("INSERT INTO v_" + c.name + " SELECT 1000 + row_number() OVER (), v FROM (" + all +
                ") AS a(v), generate_series(1, 250)");
    blue().Exec("INSERT INTO f_" + c.name + " SELECT v, n FROM (" + all +
                ") AS a(v), generate_series(1, 3) AS n");
    if (!c.keyed) return;
    blue().Exec("INSERT INTO k_" + c.name + " SELECT DISTINCT ON (v) v, 0 FROM (" + all +
                ") AS a(v)");
  }
  void Change(const TypeCase& c) {
    // Every row gets its neighbour's value, the first one's neighbour is NULL where that may be.
    blue().Exec("UPDATE v_" + c.name + " AS t SET v = o.v FROM v_" + c.name +
                " AS o WHERE o.id = t.id + 1");
    blue().Exec("DELETE FROM v_" + c.name + " WHERE id % 7 = 0");
    blue().Exec("UPDATE f_" + c.name + " SET n = n + 10 WHERE n <> 2");
    blue().Exec("DELETE FROM f_" + c.name + " WHERE n = 13");
    if (!c.keyed) return;
    blue().Exec("UPDATE k_" + c.name + " SET n = 1");
    blue().Exec("DELETE FROM k_" + c.name + " WHERE v::text = (SELECT max(v::text) FROM k_" +
                c.name + ")");
  }
  // Inserts alone, then one change of each kind in batches of their own.
  void ExpectArrives(const std::vector<TypeCase>& cases) {
    CreateTables(cases);
    ASSERT_NO_FATAL_FAILURE(Bootstrap());
    const Args mode = {"--binary", GetParam()};
    for (const auto& c : cases) Insert(c);
    ASSERT_NO_FATAL_FAILURE(ExpectApplied(mode));
    for (const auto& c : cases) Change(c);
    ExpectApplied(mode);
  }
};

TEST_P(Types, Numbers) { ExpectArrives(NumberCases()); }
TEST_P(Types, Times) { ExpectArrives(TimeCases()); }
TEST_P(Types, Texts) { ExpectArrives(TextCases()); }
TEST_P(Types, Shapes) { ExpectArrives(ShapeCases()); }

TEST_P(Types, OfUsersAndExtensionsWhoseOidsDiffer) {
  for (const char* name : kExtensions) blue().Exec(std::string("CREATE EXTENSION ") + name);
  for (const auto& statement : UserTypes()) blue().Exec(statement);
  for (auto it = UserTypes().rbegin(); it != UserTypes().rend(); ++it) green().Exec(*it);
  for (const char* name : {"citext", "ltree", "hstore"}) {
    green().Exec(std::string("CREATE EXTENSION ") + name);
  }
  ExecBoth(kDependentTypes);
  ExpectArrives(UserCases());
}

// One value that has no binary form on green must not stop the others, nor the stream.
TEST_P(Types, AllInOneTable) {
  std::string columns = "id int PRIMARY KEY";
  std::string values = "g";
  for (const auto* cases : {&NumberCases(), &TimeCases(), &TextCases(), &ShapeCases()}) {
    for (const auto& c : *cases) {
      columns += ", c_" + c.name + " " + c.type;
      values += ", (" + c.values.back() + ")::" + c.type;
    }
  }
  ExecBoth("CREATE TABLE wide(" + columns + ")");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  blue().Exec("INSERT INTO wide SELECT " + values + " FROM generate_series(1, 300) AS g");
  blue().Exec("INSERT INTO wide(id) VALUES (1000)");
  ASSERT_NO_FATAL_FAILURE(ExpectApplied({"--binary", GetParam()}));
  blue().Exec("UPDATE wide SET c_bool = NOT c_bool, c_text = c_text || '!' WHERE id < 100");
  blue().Exec("DELETE FROM wide WHERE id = 5");
  ExpectApplied({"--binary", GetParam()});
}

// The number of an object is another one on green: only its name means the same.
TEST_P(Types, NamesOfObjectsAreCarriedAsNames) {
  green().Exec("CREATE TABLE shifts_oids(a int)");
  ExecBoth(
      "CREATE TABLE other(a int PRIMARY KEY);"
      "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1';"
      "CREATE TABLE t(id int PRIMARY KEY, c regclass, p regprocedure, y regtype, n regnamespace)");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  blue().Exec(
      "INSERT INTO t SELECT g, 'other', 'f(int)', 'other', 'public'"
      " FROM generate_series(1, 300) AS g");
  blue().Exec("INSERT INTO t VALUES (1000, 'other', 'f(int)', 'other[]', 'public')");
  ASSERT_NO_FATAL_FAILURE(Apply({"--binary", GetParam()}));
  const char* question = "SELECT string_agg(DISTINCT c::text || p || y || n, ' ') FROM t";
  EXPECT_EQ(green().Scalar(question), blue().Scalar(question));
}

// PostgreSQL 15 prints the byte raw, later ones print \ooo; the value is the same.
TEST_P(Types, ACharWithItsHighBitSet) {
  ExecBoth("CREATE TABLE t(id int PRIMARY KEY, c \"char\")");
  ASSERT_NO_FATAL_FAILURE(Bootstrap());
  blue().Exec("INSERT INTO t SELECT g, (-g)::\"char\" FROM generate_series(1, 128) AS g");
  blue().Exec(
      "INSERT INTO t SELECT 200 + g, (-g)::\"char\" FROM generate_series(1, 128) AS g,"
      " generate_series(1, 2) AS h WHERE h = 1");
  ASSERT_NO_FATAL_FAILURE(Apply({"--binary", GetParam()}));
  const char* question = "SELECT string_agg(id || ':' || c::int, ' ' ORDER BY id) FROM t";
  EXPECT_EQ(green().Scalar(question), blue().Scalar(question));
}

INSTANTIATE_TEST_SUITE_P(Binary, Types, testing::ValuesIn(kModes),
                         [](const auto& mode) { return std::string(mode.param); });

}  // namespace
}  // namespace pgteal::tests
