#include <benchmark/benchmark.h>
#include <malloc.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "decoder/assembler.h"
#include "decoder/pgoutput.h"
#include "tests/support/memory_logs.h"
#include "tests/support/pgoutput_writer.h"

// Decoding of changes in blocks of about the size that a pipeline passes on, per message kind, and
// assembling of whole pgbench transactions. Items are changes (transactions in the last part),
// bytes are bytes of messages.

namespace pgteal::decoder {
namespace {

using tests::Binary;
using tests::Key;
using tests::Null;
using tests::Text;

constexpr uint32_t kTable = 16385;
constexpr size_t kBlockBytes = 1 << 20;

// A process that runs for long keeps the memory it works with; one that has just begun gives it
// back to the system after each block and then measures page faults.
const bool kKeepsMemory =
    mallopt(M_MMAP_THRESHOLD, 32 << 20) == 1 && mallopt(M_TRIM_THRESHOLD, 64 << 20) == 1;
const tests::PgoutputWriter kWriter;

Relation TableOf(uint32_t oid, size_t columns) {
  Relation relation;
  relation.oid = {oid};
  relation.schema = "public";
  relation.name = "table_" + std::to_string(oid);
  for (size_t i = 0; i < columns; ++i) {
    Column column;
    column.name = "column_" + std::to_string(i);
    column.type = {25};
    column.is_key = i == 0;
    relation.columns.push_back(column);
  }
  relation.key_columns = {0};
  return relation;
}

// Different lengths in turn, as in real rows, so that no branch is learnt by heart.
std::vector<std::string> Messages(const std::function<std::string(int)>& write) {
  std::vector<std::string> messages;
  for (int i = 0; i < 1000; ++i) messages.push_back(write(i * 7919 % 100'003));
  return messages;
}

void RunDecode(benchmark::State& state, size_t columns, const std::vector<std::string>& messages) {
  if (!kKeepsMemory) state.SkipWithError("malloc refused its settings");
  RelationCache relations;
  relations.Apply(TableOf(kTable, columns), 1);
  const DecodeState decode_state{.protocol_version = 1, .relations = &relations};
  ChangeBlock block;
  int64_t bytes = 0;
  int64_t changes = 0;
  for (auto _ : state) {
    for (const std::string& message : messages) {
      block.changes.push_back(DecodeChange(message, decode_state, &block).change);
      bytes += static_cast<int64_t>(message.size());
    }
    changes += static_cast<int64_t>(messages.size());
    if (block.memory_bytes() > kBlockBytes) block = ChangeBlock();
  }
  state.SetItemsProcessed(changes);
  state.SetBytesProcessed(bytes);
}

// pgbench_history: five short columns and a null.
tests::Row SmallRow(int i) {
  return {Text(std::to_string(i % 10)), Text("1"),
          Text(std::to_string(i)),      Text(std::to_string(i % 5000)),
          Text("2026-01-01 00:00:00"),  Null()};
}

void DecodeInsertSmall(benchmark::State& state) {
  RunDecode(state, 6, Messages([](int i) { return kWriter.Insert(kTable, SmallRow(i)); }));
}
BENCHMARK(DecodeInsertSmall);

void DecodeInsertTwoColumns(benchmark::State& state) {
  RunDecode(state, 2, Messages([](int i) {
              return kWriter.Insert(kTable, {Text(std::to_string(i)), Text("value")});
            }));
}
BENCHMARK(DecodeInsertTwoColumns);

void DecodeInsertBinary(benchmark::State& state) {
  RunDecode(state, 4, Messages([](int) {
              return kWriter.Insert(kTable, {Binary(std::string(4, '\1')), Null(),
                                             Binary(std::string(8, '\2')), Binary("some text")});
            }));
}
BENCHMARK(DecodeInsertBinary);

void DecodeInsertWide(benchmark::State& state) {
  RunDecode(state, 60, Messages([](int i) {
              tests::Row row;
              for (int column = 0; column < 60; ++column) {
                const auto size = static_cast<size_t>((i + column) % 30);
                row.push_back(column % 7 == 3 ? Null() : Text(std::string(size, 'x')));
              }
              return kWriter.Insert(kTable, row);
            }));
}
BENCHMARK(DecodeInsertWide);

void DecodeInsertLargeText(benchmark::State& state) {
  RunDecode(state, 2, Messages([](int i) {
              const auto size = static_cast<size_t>(1000 + i % 2000);
              return kWriter.Insert(kTable, {Text("1"), Text(std::string(size, 'x'))});
            }));
}
BENCHMARK(DecodeInsertLargeText);

void DecodeUpdate(benchmark::State& state) {
  RunDecode(state, 4, Messages([](int i) {
              return kWriter.Update(kTable, {},
                                    {Text(std::to_string(i)), Text("1"),
                                     Text(std::to_string(i * 3)), tests::Unchanged()});
            }));
}
BENCHMARK(DecodeUpdate);

void DecodeUpdateWithKey(benchmark::State& state) {
  RunDecode(state, 4, Messages([](int i) {
              return kWriter.Update(
                  kTable, Key({Text(std::to_string(i)), Null(), Null(), Null()}),
                  {Text(std::to_string(i + 1)), Text("1"), Text(std::to_string(i * 3)), Null()});
            }));
}
BENCHMARK(DecodeUpdateWithKey);

void DecodeDelete(benchmark::State& state) {
  RunDecode(state, 4, Messages([](int i) {
              return kWriter.Delete(kTable, Key({Text(std::to_string(i)), Null(), Null(), Null()}));
            }));
}
BENCHMARK(DecodeDelete);

void DecodeBeginAndCommit(benchmark::State& state) {
  const std::string begin = kWriter.Begin({1}, {2}, 3);
  const std::string commit = kWriter.Commit({1}, {2}, {3});
  const DecodeState decode_state;
  for (auto _ : state) {
    benchmark::DoNotOptimize(Decode(begin, decode_state, nullptr));
    benchmark::DoNotOptimize(Decode(commit, decode_state, nullptr));
  }
  state.SetItemsProcessed(state.iterations() * 2);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(begin.size() + commit.size()));
}
BENCHMARK(DecodeBeginAndCommit);

// The messages of one pgbench transaction: three updates and an insert.
std::vector<std::string> PgbenchTransaction() {
  const auto update = [](uint32_t oid, const tests::Row& row) {
    return kWriter.Update(oid, {}, row);
  };
  return {kWriter.Begin({1000}, {2}, 3),
          update(1, {Text("83421"), Text("1"), Text("-4711"), Text(std::string(84, ' '))}),
          update(2, {Text("7"), Text("1"), Text("12345"), Null()}),
          update(3, {Text("1"), Text("-99999"), Null()}),
          kWriter.Insert(4, SmallRow(4711)),
          kWriter.Commit({1000}, {1001}, {2})};
}

void AssemblePgbench(benchmark::State& state) {
  tests::MemoryLogs logs;
  Assembler assembler({.protocol_version = 1}, logs);
  assembler.Feed(kWriter.Begin({1}, {2}, 3), {1});
  const size_t columns[] = {4, 4, 3, 6};
  for (uint32_t i = 0; i < 4; ++i)
    assembler.Feed(kWriter.Relation(TableOf(i + 1, columns[i])), {1});
  assembler.Feed(kWriter.Commit({1}, {1}, {2}), {1});

  const std::vector<std::string> messages = PgbenchTransaction();
  int64_t bytes = 0;
  for (const std::string& message : messages) bytes += static_cast<int64_t>(message.size());
  int64_t changes = 0;
  for (auto _ : state) {
    for (const std::string& message : messages) {
      const auto transaction = assembler.Feed(message, {1000});
      if (transaction != nullptr) changes += static_cast<int64_t>(transaction->change_count);
    }
  }
  if (changes != state.iterations() * 4) state.SkipWithError("wrong number of changes");
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * bytes);
  state.counters["changes"] =
      benchmark::Counter(static_cast<double>(changes), benchmark::Counter::kIsRate);
}
BENCHMARK(AssemblePgbench);

// One transaction of a hundred thousand inserts: in memory (0) and read back from a log (1).
void AssembleBulk(benchmark::State& state) {
  constexpr int kChanges = 100'000;
  const bool is_spooled = state.range(0) == 1;
  const auto messages = Messages([](int i) { return kWriter.Insert(kTable, SmallRow(i)); });
  int64_t bytes = 0;
  for (auto _ : state) {
    tests::MemoryLogs logs;
    const size_t memory_bytes_max = is_spooled ? 0 : size_t{1} << 30;
    Assembler assembler({.protocol_version = 1, .memory_bytes_max = memory_bytes_max}, logs);
    assembler.Feed(kWriter.Begin({1}, {2}, 3), {1});
    assembler.Feed(kWriter.Relation(TableOf(kTable, 6)), {1});
    for (int i = 0; i < kChanges; ++i) {
      const std::string& message = messages[static_cast<size_t>(i) % messages.size()];
      assembler.Feed(message, {1});
      bytes += static_cast<int64_t>(message.size());
    }
    const auto transaction = assembler.Feed(kWriter.Commit({1}, {1}, {2}), {1});
    size_t seen = transaction->block.changes.size();
    ChangeBlock block;
    while (is_spooled && transaction->source->Next(kBlockBytes, &block))
      seen += block.changes.size();
    if (seen != kChanges) state.SkipWithError("wrong number of changes");
  }
  state.SetItemsProcessed(state.iterations() * kChanges);
  state.SetBytesProcessed(bytes);
}
BENCHMARK(AssembleBulk)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace pgteal::decoder
