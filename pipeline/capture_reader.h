#ifndef PGTEAL_PIPELINE_CAPTURE_READER_H_
#define PGTEAL_PIPELINE_CAPTURE_READER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "decoder/assembler.h"
#include "pipeline/frame_reader.h"

namespace pgteal::pipeline {

// Reads consecutive captures of one blue as one sequence of whole transactions, each once: what a
// capture repeats of its predecessor is left out, and so is a transaction that a capture holds only
// in part. One thread.
class CaptureReader {
 public:
  // Files may come in any order. Throws ConfigError and ProtocolError as FrameReader does, and
  // Refused when they are captures of different databases or leave a gap between them. Borrows
  // `logs`.
  CaptureReader(const std::vector<std::string>& paths, size_t memory_bytes_max,
                decoder::MessageLogs& logs);

  // Of the first capture.
  const proto::FrameFileHeader& header() const { return files_.front().reader->header(); }
  pg::Lsn start_lsn() const { return {header().start_lsn()}; }
  // Every capture was ended in order.
  bool is_complete() const;

  // The next transaction, by commit order; null at the end. Throws ProtocolError, with the file, on
  // damage, and Refused when a gap shows only now.
  std::unique_ptr<decoder::Transaction> Next();
  // Everything committed before it has been returned.
  pg::Lsn complete() const { return complete_; }
  // When the last message of that transaction was received.
  pg::Timestamp receive_time() const { return receive_time_; }
  // Which of the captures it came from, from 0.
  size_t file_number() const { return file_; }
  // Raw messages read so far.
  uint64_t message_bytes() const { return message_bytes_; }

 private:
  struct File {
    std::string path;
    std::unique_ptr<FrameReader> reader;
  };

  void RequireOneSource() const;
  void RequireNoGap(size_t file, pg::Lsn complete) const;
  // False when there is no further file.
  bool OpenNext();
  std::unique_ptr<decoder::Transaction> Feed(const Frame& frame);

  const size_t memory_bytes_max_;
  decoder::MessageLogs& logs_;
  std::vector<File> files_;
  size_t file_ = 0;
  std::optional<decoder::Assembler> assembler_;  // one for each START_REPLICATION
  pg::Lsn complete_;
  pg::Timestamp receive_time_;
  uint64_t message_bytes_ = 0;
};

}  // namespace pgteal::pipeline

#endif  // PGTEAL_PIPELINE_CAPTURE_READER_H_
