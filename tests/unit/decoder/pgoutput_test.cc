#include "decoder/pgoutput.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "pg/error.h"
#include "tests/support/change_text.h"
#include "tests/support/pgoutput_writer.h"
#include "tests/unit/decoder/sample_relations.h"

namespace pgteal::decoder {
namespace {

using namespace std::string_literals;
using ::testing::HasSubstr;
using tests::Binary;
using tests::ChangeText;
using tests::Full;
using tests::Key;
using tests::Null;
using tests::SampleRelation;
using tests::Text;
using tests::Unchanged;

constexpr uint32_t kTable = 16385;
constexpr uint32_t kOther = 16390;
const tests::PgoutputWriter kWriter;
const tests::PgoutputWriter::Prepared kPrepared{{10}, {11}, {12}, 13, "gid 1"};

RelationCache SampleCache() {
  RelationCache cache;
  cache.Apply(SampleRelation(kTable, "t"), 1);
  cache.Apply(SampleRelation(kOther, "o"), 2);
  return cache;
}

// Decodes one message against the sample relations.
class Decoded {
 public:
  explicit Decoded(const std::string& bytes, int protocol_version = 1, bool in_stream = false)
      : message_(Decode(bytes, {protocol_version, in_stream, &cache_}, &block_)) {}

  template <typename T>
  const T& As() const {
    return std::get<T>(message_);
  }
  const Change& change() const { return As<ChangeMessage>().change; }
  const ChangeBlock& block() const { return block_; }

 private:
  RelationCache cache_ = SampleCache();
  ChangeBlock block_;
  Message message_;
};

std::string ErrorOf(const std::string& bytes, int protocol_version = 1, bool in_stream = false) {
  try {
    const Decoded decoded(bytes, protocol_version, in_stream);
  } catch (const pg::ProtocolError& error) {
    return error.what();
  }
  return "no error";
}

// Every message that is one change, in and out of a stream.
struct ChangeCase {
  std::string name;
  std::function<std::string(const tests::PgoutputWriter&)> write;
  std::string expected;
};

const std::vector<ChangeCase>& ChangeCases() {
  static const std::string kT = "public.t[*id:23 note:25 ]";
  static const std::string kO = "public.o[*id:23 note:25 ]";
  using Writer = tests::PgoutputWriter;
  static const std::vector<ChangeCase> kCases = {
      {"InsertOfText",
       [](const Writer& w) {
         return w.Insert(kTable, {Text("1"), Text("it's")});
       },
       "insert " + kT + " N(t'1' t'it's' ) @0/0"},
      {"InsertOfBinary",
       [](const Writer& w) {
         return w.Insert(kTable, {Binary("\0\0\0\1"s), Binary("x\0y"s)});
       },
       "insert "s + kT + " N(b'\0\0\0\1' b'x\0y' ) @0/0"s},
      {"InsertOfNullAndEmptyText",
       [](const Writer& w) {
         return w.Insert(kTable, {Null(), Text("")});
       },
       "insert " + kT + " N(n'' t'' ) @0/0"},
      {"UpdateWithoutOldRow",
       [](const Writer& w) {
         return w.Update(kTable, {}, {Text("1"), Text("b")});
       },
       "update " + kT + " N(t'1' t'b' ) @0/0"},
      {"UpdateWithOldKey",
       [](const Writer& w) {
         return w.Update(kTable, Key({Text("1"), Null()}), {Text("2"), Text("b")});
       },
       "update " + kT + " K(t'1' n'' ) N(t'2' t'b' ) @0/0"},
      {"UpdateWithFullOldRow",
       [](const Writer& w) {
         return w.Update(kTable, Full({Text("1"), Text("a")}), {Text("1"), Text("b")});
       },
       "update " + kT + " O(t'1' t'a' ) N(t'1' t'b' ) @0/0"},
      {"UpdateWithUnchangedToast",
       [](const Writer& w) {
         return w.Update(kTable, {}, {Binary("1"), Unchanged()});
       },
       "update " + kT + " N(b'1' u'' ) @0/0"},
      {"DeleteByKey",
       [](const Writer& w) {
         return w.Delete(kTable, Key({Text("1"), Null()}));
       },
       "delete " + kT + " K(t'1' n'' ) @0/0"},
      {"DeleteOfFullRow",
       [](const Writer& w) {
         return w.Delete(kTable, Full({Text("1"), Text("a")}));
       },
       "delete " + kT + " O(t'1' t'a' ) @0/0"},
      {"TruncateOfOne", [](const Writer& w) { return w.Truncate({kTable}, {}); },
       "truncate " + kT + " @0/0"},
      {"TruncateOfSeveralWithOptions",
       [](const Writer& w) {
         return w.Truncate({kOther, kTable}, {.cascade = true, .restart_identity = true});
       },
       "truncate " + kO + " " + kT + " cascade restart identity @0/0"},
      {"TransactionalMessage",
       [](const Writer& w) {
         return w.Message({true, {0xAB}, "prefix", "con\0tent"s});
       },
       "message transactional 0/AB 'prefix' 'con\0tent' @0/0"s},
      {"NonTransactionalMessage",
       [](const Writer& w) {
         return w.Message({false, {0xAB}, "", ""});
       },
       "message 0/AB '' '' @0/0"},
  };
  return kCases;
}

TEST(DecodeChange, ReadsEachKindOfChange) {
  for (const ChangeCase& c : ChangeCases()) {
    const Decoded decoded(c.write(kWriter));
    EXPECT_EQ(ChangeText(decoded.change()), c.expected) << c.name;
    EXPECT_FALSE(decoded.As<ChangeMessage>().xid.has_value()) << c.name;
    EXPECT_EQ(decoded.As<ChangeMessage>().raw, c.write(kWriter)) << c.name;
  }
}

TEST(DecodeChange, KeepsTheXidThatLeadsWithinAStream) {
  for (const ChangeCase& c : ChangeCases()) {
    const std::string bytes = c.write(kWriter.In(4711));
    const Decoded decoded(bytes, 2, true);
    EXPECT_EQ(ChangeText(decoded.change()), c.expected) << c.name;
    EXPECT_EQ(decoded.As<ChangeMessage>().xid, pg::Xid{4711}) << c.name;
    EXPECT_EQ(StreamedXid(bytes), pg::Xid{4711}) << c.name;
  }
}

TEST(DecodeChange, RefusesAMessageCutAtAnyByteOrWithAByteTooMany) {
  for (const ChangeCase& c : ChangeCases()) {
    const std::string bytes = c.write(kWriter);
    for (size_t size = 0; size < bytes.size(); ++size)
      EXPECT_NE(ErrorOf(bytes.substr(0, size)), "no error") << c.name << " cut at " << size;
    EXPECT_THAT(ErrorOf(bytes + "x"), HasSubstr("after its last field")) << c.name;
    const std::string streamed = c.write(kWriter.In(7));
    for (size_t size = 0; size < streamed.size(); ++size)
      EXPECT_NE(ErrorOf(streamed.substr(0, size), 2, true), "no error") << c.name << size;
  }
}

TEST(DecodeChange, TheChangeOutlivesTheBytesItCameIn) {
  RelationCache cache = SampleCache();
  ChangeBlock block;
  std::string bytes = kWriter.Insert(kTable, {Text("1"), Text("a")});
  const ChangeMessage message = DecodeChange(bytes, {1, false, &cache}, &block);
  bytes.assign(bytes.size(), '?');
  cache = RelationCache();
  EXPECT_THAT(ChangeText(message.change), HasSubstr("N(t'1' t'a' )"));
  EXPECT_EQ(block.relations.size(), 1U);
}

TEST(DecodeChange, ATableWithoutColumnsHasTuplesWithoutValues) {
  Relation relation;
  relation.oid = {1};
  RelationCache cache;
  cache.Apply(relation, 1);
  ChangeBlock block;
  const ChangeMessage message = DecodeChange(kWriter.Insert(1, {}), {1, false, &cache}, &block);
  EXPECT_FALSE(message.change.new_tuple.empty());
  EXPECT_EQ(message.change.new_tuple.count, 0U);
}

TEST(DecodeChange, RefusesAnUnknownRelation) {
  const std::string expected = "change of relation oid 999";
  EXPECT_THAT(ErrorOf(kWriter.Insert(999, {Text("1")})), HasSubstr(expected));
  EXPECT_THAT(ErrorOf(kWriter.Truncate({kTable, 999}, {})), HasSubstr(expected));
}

TEST(DecodeChange, RefusesATupleOfAnotherWidthThanItsRelation) {
  const std::string expected = "tuple of 3 columns for relation public.t, which has 2";
  EXPECT_THAT(ErrorOf(kWriter.Insert(kTable, {Null(), Null(), Null()})), HasSubstr(expected));
  EXPECT_THAT(ErrorOf(kWriter.Delete(kTable, Key({Null(), Null(), Null()}))), HasSubstr(expected));
  EXPECT_THAT(ErrorOf(kWriter.Insert(kTable, {Null()})), HasSubstr("tuple of 1 columns"));
}

TEST(DecodeChange, ATruncateClaimingMoreTablesThanItNamesTakesNoMemory) {
  std::string bytes = kWriter.Truncate({kTable}, {});
  bytes.replace(1, 4, "\xFF\xFF\xFF\xFF");
  RelationCache cache = SampleCache();
  ChangeBlock block;
  EXPECT_THROW(DecodeChange(bytes, {1, false, &cache}, &block), pg::ProtocolError);
  EXPECT_LE(block.arena.capacity_bytes(), 1024U);
}

TEST(DecodeChange, RefusesUnknownMarksAndFlags) {
  const auto with_byte = [](std::string bytes, size_t at, char byte) {
    bytes[at] = byte;
    return bytes;
  };
  const std::string insert = kWriter.Insert(kTable, {Null(), Null()});
  EXPECT_THAT(ErrorOf(with_byte(insert, 5, 'K')), HasSubstr("unknown tuple mark: byte 0x4B"));
  EXPECT_THAT(ErrorOf(with_byte(insert, 8, 'x')), HasSubstr("unknown kind of column value"));
  const std::string update = kWriter.Update(kTable, {}, {Null(), Null()});
  EXPECT_THAT(ErrorOf(with_byte(update, 5, 'x')), HasSubstr("unknown tuple mark"));
  const std::string erase = kWriter.Delete(kTable, Key({Null(), Null()}));
  EXPECT_THAT(ErrorOf(with_byte(erase, 5, 'N')), HasSubstr("unknown tuple mark"));
  const std::string truncate = kWriter.Truncate({kTable}, {});
  EXPECT_THAT(ErrorOf(with_byte(truncate, 5, 4)), HasSubstr("unknown TRUNCATE option"));
  const std::string message = kWriter.Message({true, {1}, "", ""});
  EXPECT_THAT(ErrorOf(with_byte(message, 1, 2)), HasSubstr("unknown flag of a logical message"));
}

TEST(DecodeChange, ErrorsNameTheMessage) {
  EXPECT_THAT(ErrorOf("I"), HasSubstr("message Insert"));
  EXPECT_THAT(ErrorOf("B"), HasSubstr("message Begin"));
}

TEST(Decode, ReadsBegin) {
  const Decoded decoded(kWriter.Begin({0x1234567890}, {-42}, 4'000'000'000));
  EXPECT_EQ(decoded.As<Begin>().final_lsn, pg::Lsn{0x1234567890});
  EXPECT_EQ(decoded.As<Begin>().commit_time, pg::Timestamp{-42});
  EXPECT_EQ(decoded.As<Begin>().xid, pg::Xid{4'000'000'000});
}

TEST(Decode, ReadsCommit) {
  const Decoded decoded(kWriter.Commit({1}, {2}, {3}));
  EXPECT_EQ(decoded.As<Commit>().commit_lsn, pg::Lsn{1});
  EXPECT_EQ(decoded.As<Commit>().end_lsn, pg::Lsn{2});
  EXPECT_EQ(decoded.As<Commit>().commit_time, pg::Timestamp{3});
}

TEST(Decode, ReadsOrigin) {
  const std::string bytes = kWriter.Origin({5}, "elsewhere");
  const Decoded decoded(bytes);
  EXPECT_EQ(decoded.As<Origin>().commit_lsn, pg::Lsn{5});
  EXPECT_EQ(decoded.As<Origin>().name, "elsewhere");
}

TEST(Decode, ReadsRelationWithEachIdentity) {
  for (const auto identity : {ReplicaIdentity::kDefault, ReplicaIdentity::kNothing,
                              ReplicaIdentity::kFull, ReplicaIdentity::kIndex}) {
    Relation relation = SampleRelation(5, "quoted \" name");
    relation.identity = identity;
    relation.columns[1].typmod = 104;
    EXPECT_EQ(Decoded(kWriter.Relation(relation)).As<RelationMessage>().relation, relation);
    const Decoded streamed(kWriter.In(9).Relation(relation), 2, true);
    EXPECT_EQ(streamed.As<RelationMessage>().relation, relation);
    EXPECT_EQ(streamed.As<RelationMessage>().xid, pg::Xid{9});
  }
}

TEST(Decode, ReadsRelationKeysOfSeveralColumns) {
  Relation relation = tests::WiderRelation(5, "t");
  relation.columns[2].is_key = true;
  relation.key_columns = {0, 2};
  EXPECT_EQ(Decoded(kWriter.Relation(relation)).As<RelationMessage>().relation, relation);
}

TEST(Decode, AnEmptySchemaIsPgCatalog) {
  Relation relation = SampleRelation(5, "t");
  relation.schema = "pg_catalog";
  EXPECT_THAT(kWriter.Relation(relation), testing::Not(HasSubstr("pg_catalog")));
  EXPECT_EQ(Decoded(kWriter.Relation(relation)).As<RelationMessage>().relation.schema,
            "pg_catalog");
}

TEST(Decode, ReadsType) {
  const Decoded decoded(kWriter.In(8).Type(16400, "app", "mood"), 2, true);
  EXPECT_EQ(decoded.As<TypeMessage>().xid, pg::Xid{8});
  EXPECT_EQ(decoded.As<TypeMessage>().oid, pg::Oid{16400});
  EXPECT_EQ(decoded.As<TypeMessage>().schema, "app");
  EXPECT_EQ(decoded.As<TypeMessage>().name, "mood");
}

TEST(Decode, ReadsStreamMessages) {
  const Decoded start(kWriter.StreamStart(6, true), 2);
  EXPECT_EQ(start.As<StreamStart>().xid, pg::Xid{6});
  EXPECT_TRUE(start.As<StreamStart>().first_segment);
  EXPECT_FALSE(Decoded(kWriter.StreamStart(6, false), 2).As<StreamStart>().first_segment);
  EXPECT_NO_THROW(Decoded(kWriter.StreamStop(), 2, true).As<StreamStop>());
  const Decoded commit(kWriter.StreamCommit(6, {1}, {2}, {3}), 2);
  EXPECT_EQ(commit.As<StreamCommit>().xid, pg::Xid{6});
  EXPECT_EQ(commit.As<StreamCommit>().commit_lsn, pg::Lsn{1});
  EXPECT_EQ(commit.As<StreamCommit>().end_lsn, pg::Lsn{2});
  EXPECT_EQ(commit.As<StreamCommit>().commit_time, pg::Timestamp{3});
}

TEST(Decode, ReadsBothFormsOfStreamAbort) {
  for (const int version : {1, 2, 3, 4}) {
    const Decoded plain(kWriter.StreamAbort(6, 7), version);
    EXPECT_EQ(plain.As<StreamAbort>().xid, pg::Xid{6});
    EXPECT_EQ(plain.As<StreamAbort>().subxid, pg::Xid{7});
    EXPECT_FALSE(plain.As<StreamAbort>().abort_lsn.has_value());
  }
  const std::string parallel = kWriter.StreamAbortAt(6, 7, {8}, {9});
  const Decoded decoded(parallel, 4);
  EXPECT_EQ(decoded.As<StreamAbort>().abort_lsn, pg::Lsn{8});
  EXPECT_EQ(decoded.As<StreamAbort>().abort_time, pg::Timestamp{9});
  EXPECT_THAT(ErrorOf(parallel, 3), HasSubstr("after its last field"));
  // Nine bytes are the short form.
  for (size_t size = 10; size < parallel.size(); ++size)
    EXPECT_NE(ErrorOf(parallel.substr(0, size), 4), "no error") << size;
}

template <typename T>
void ExpectPrepared(const std::string& bytes) {
  const Decoded decoded(bytes, 3);
  const PreparedFields& fields = decoded.As<T>();
  EXPECT_EQ(fields.lsn, pg::Lsn{10});
  EXPECT_EQ(fields.end_lsn, pg::Lsn{11});
  EXPECT_EQ(fields.time, pg::Timestamp{12});
  EXPECT_EQ(fields.xid, pg::Xid{13});
  EXPECT_EQ(fields.gid, "gid 1");
}

TEST(Decode, ReadsTwoPhaseMessages) {
  const std::vector<std::string> bytes = {
      kWriter.BeginPrepare(kPrepared), kWriter.Prepare(kPrepared),
      kWriter.CommitPrepared(kPrepared), kWriter.StreamPrepare(kPrepared)};
  ExpectPrepared<BeginPrepare>(bytes[0]);
  ExpectPrepared<Prepare>(bytes[1]);
  ExpectPrepared<CommitPrepared>(bytes[2]);
  ExpectPrepared<StreamPrepare>(bytes[3]);
  const std::string rollback = kWriter.RollbackPrepared(kPrepared, {20}, {21});
  const Decoded decoded(rollback, 3);
  EXPECT_EQ(decoded.As<RollbackPrepared>().prepare_end_lsn, pg::Lsn{11});
  EXPECT_EQ(decoded.As<RollbackPrepared>().rollback_end_lsn, pg::Lsn{20});
  EXPECT_EQ(decoded.As<RollbackPrepared>().prepare_time, pg::Timestamp{12});
  EXPECT_EQ(decoded.As<RollbackPrepared>().rollback_time, pg::Timestamp{21});
  EXPECT_EQ(decoded.As<RollbackPrepared>().xid, pg::Xid{13});
  EXPECT_EQ(decoded.As<RollbackPrepared>().gid, "gid 1");
}

TEST(Decode, RefusesAControlMessageCutAtAnyByteOrWithAByteTooMany) {
  const std::vector<std::string> messages = {
      kWriter.Begin({1}, {2}, 3),
      kWriter.Commit({1}, {2}, {3}),
      kWriter.Origin({1}, "o"),
      kWriter.Relation(SampleRelation(5, "t")),
      kWriter.Type(16400, "app", "mood"),
      kWriter.StreamStart(6, true),
      kWriter.StreamStop(),
      kWriter.StreamCommit(6, {1}, {2}, {3}),
      kWriter.StreamAbort(6, 7),
      kWriter.BeginPrepare(kPrepared),
      kWriter.Prepare(kPrepared),
      kWriter.CommitPrepared(kPrepared),
      kWriter.StreamPrepare(kPrepared),
      kWriter.RollbackPrepared(kPrepared, {20}, {21}),
  };
  for (const std::string& bytes : messages) {
    for (size_t size = 0; size < bytes.size(); ++size)
      EXPECT_NE(ErrorOf(bytes.substr(0, size), 3), "no error") << bytes[0] << " cut at " << size;
    EXPECT_THAT(ErrorOf(bytes + "x", 3), HasSubstr("after its last field")) << bytes[0];
  }
}

TEST(Decode, RefusesUnknownTypesIdentitiesAndFlags) {
  EXPECT_EQ(ErrorOf("Z"), "unknown message type: byte 0x5A");
  EXPECT_EQ(ErrorOf("\xFF"), "unknown message type: byte 0xFF");
  std::string commit = kWriter.Commit({1}, {2}, {3});
  commit[1] = 1;
  EXPECT_THAT(ErrorOf(commit), HasSubstr("unknown flags: byte 0x01, message Commit"));
  Relation relation = SampleRelation(5, "t");
  relation.identity = static_cast<ReplicaIdentity>('x');
  EXPECT_THAT(ErrorOf(kWriter.Relation(relation)), HasSubstr("unknown replica identity"));
}

}  // namespace
}  // namespace pgteal::decoder
