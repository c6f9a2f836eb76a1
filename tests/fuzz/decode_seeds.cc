#include "tests/fuzz/decode_seeds.h"

#include <utility>

#include "tests/fuzz/feed_stream.h"
#include "tests/support/pgoutput_writer.h"
#include "tests/unit/decoder/sample_relations.h"

namespace pgteal::tests {
namespace {

constexpr uint8_t kVersion1 = 0;
constexpr uint8_t kVersion2 = 1;
constexpr uint8_t kVersion3 = 2;
constexpr uint8_t kVersion4 = 3;
constexpr uint8_t kSmallMemory = 4;
constexpr uint32_t kTable = 5;
const PgoutputWriter kWriter;

using Messages = std::vector<std::string>;

std::string Table() { return kWriter.Relation(SampleRelation(kTable, "t")); }
Row OneRow() { return {Text("1"), Text("a")}; }

// Begin, the relation, the messages, Commit.
Messages InTransaction(const Messages& messages) {
  Messages all = {kWriter.Begin({16}, {1}, 7), Table()};
  all.insert(all.end(), messages.begin(), messages.end());
  all.push_back(kWriter.Commit({16}, {32}, {1}));
  return all;
}

Messages Rows() {
  return {kWriter.Insert(kTable, OneRow()),
          kWriter.Insert(kTable, {Binary("1234"), Null()}),
          kWriter.Update(kTable, {}, {Text("1"), Unchanged()}),
          kWriter.Update(kTable, Key({Text("1"), Null()}), OneRow()),
          kWriter.Update(kTable, Full(OneRow()), OneRow()),
          kWriter.Delete(kTable, Key({Text("1"), Null()})),
          kWriter.Delete(kTable, Full(OneRow())),
          kWriter.Truncate({kTable}, {.cascade = true, .restart_identity = true}),
          kWriter.Message({true, {3}, "prefix", "content"})};
}

Messages ManyRows() {
  Messages messages;
  for (int i = 0; i < 40; ++i) messages.push_back(kWriter.Insert(kTable, OneRow()));
  messages.push_back(kWriter.Relation(WiderRelation(kTable, "t")));
  for (int i = 0; i < 10; ++i)
    messages.push_back(kWriter.Insert(kTable, {Text("1"), Null(), Null()}));
  return messages;
}

// Two streamed transactions with a savepoint each, one of which is rolled back.
Messages Interleaved() {
  const auto first = kWriter.In(10);
  const auto sub = kWriter.In(11);
  const auto second = kWriter.In(20);
  const decoder::Relation relation = SampleRelation(kTable, "t");
  return {kWriter.StreamStart(10, true),
          kWriter.Origin({1}, "o"),
          first.Relation(relation),
          first.Insert(kTable, OneRow()),
          sub.Insert(kTable, OneRow()),
          kWriter.StreamStop(),
          kWriter.StreamStart(20, true),
          second.Type(16400, "app", "mood"),
          second.Relation(relation),
          second.Delete(kTable, Full(OneRow())),
          second.Truncate({kTable}, {}),
          second.Message({true, {3}, "p", "c"}),
          kWriter.StreamStop(),
          kWriter.StreamAbort(10, 11),
          kWriter.StreamStart(10, false),
          first.Relation(relation),
          first.Update(kTable, {}, OneRow()),
          kWriter.StreamStop(),
          kWriter.StreamCommit(20, {8}, {9}, {1}),
          kWriter.StreamCommit(10, {18}, {19}, {1})};
}

}  // namespace

std::vector<DecodeSeed> DecodeSeeds() {
  const PgoutputWriter::Prepared prepared{{10}, {11}, {12}, 13, "gid"};
  std::vector<DecodeSeed> seeds;
  const auto add = [&seeds](std::string name, uint8_t options, const Messages& messages) {
    seeds.push_back({std::move(name), WriteStream(options, messages), false});
  };
  const auto add_refused = [&seeds](std::string name, uint8_t options, const Messages& messages) {
    seeds.push_back({std::move(name), WriteStream(options, messages), true});
  };
  add("empty_transaction", kVersion1, InTransaction({}));
  for (size_t i = 0; i < Rows().size(); ++i)
    add("change_" + std::to_string(i), kVersion1, InTransaction({Rows()[i]}));
  add("all_changes", kVersion1, InTransaction(Rows()));
  add("spooled", kVersion1 | kSmallMemory, InTransaction(ManyRows()));
  add("origin", kVersion1, InTransaction({kWriter.Origin({3}, "origin")}));
  add("type", kVersion1, InTransaction({kWriter.Type(16400, "app", "mood"), Table()}));
  add("message_outside", kVersion1, {kWriter.Message({false, {3}, "p", "c"})});
  add("interleaved", kVersion2, Interleaved());
  add("interleaved_parallel", kVersion4, Interleaved());
  add("stream_rolled_back", kVersion4,
      {kWriter.StreamStart(10, true), kWriter.StreamStop(),
       kWriter.StreamAbortAt(10, 10, {5}, {6})});
  add("abort_of_unknown", kVersion1, {kWriter.StreamAbort(10, 11)});
  add_refused("begin_prepare", kVersion3, {kWriter.BeginPrepare(prepared)});
  add_refused("prepare", kVersion3, {kWriter.Prepare(prepared)});
  add_refused("commit_prepared", kVersion3, {kWriter.CommitPrepared(prepared)});
  add_refused("stream_prepare", kVersion3, {kWriter.StreamPrepare(prepared)});
  add_refused("rollback_prepared", kVersion3, {kWriter.RollbackPrepared(prepared, {1}, {2})});
  add_refused("unknown_type", kVersion1, {"Z"});
  add_refused("insert_outside", kVersion1, {Rows()[0]});
  return seeds;
}

}  // namespace pgteal::tests
