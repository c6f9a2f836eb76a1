#ifndef PGTEAL_PG_COPY_H_
#define PGTEAL_PG_COPY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "pg/connection.h"

namespace pgteal::pg {

// One COPY … FROM STDIN: constructor starts it, Write sends bytes in the chosen format, Finish ends
// it. Not possible in pipeline mode. If it is abandoned, the destructor tells the server so that
// nothing of it is kept; it never throws.
class CopyIn {
 public:
  CopyIn(Connection& connection, const std::string& sql);
  ~CopyIn();
  CopyIn(const CopyIn&) = delete;
  CopyIn& operator=(const CopyIn&) = delete;

  // Does not keep the bytes. Waits when the server is slower than we are.
  void Write(std::string_view bytes);
  // Rows that the server took. Throws ServerError.
  uint64_t Finish();

 private:
  friend class CopyPipe;
  // Takes the bytes into libpq's buffer and waits for nothing.
  void Keep(std::string_view bytes);
  // Sends what the socket takes; true when something is left.
  bool Push();

  Connection& connection_;
  bool is_open_ = true;
};

// One COPY … TO STDOUT.
class CopyOut {
 public:
  CopyOut(Connection& connection, const std::string& sql);
  // The same in two steps: the server begins when it is asked, and whoever constructs waits for it.
  static void Ask(Connection& connection, const std::string& sql);
  explicit CopyOut(Connection& connection);
  ~CopyOut();
  CopyOut(const CopyOut&) = delete;
  CopyOut& operator=(const CopyOut&) = delete;

  // The next chunk (one row, or the header), valid until the next call; none at the end.
  std::optional<std::string_view> Next();
  enum class Step : uint8_t { kChunk, kNothingYet, kEnd };
  // The next chunk(), if it has arrived.
  Step Poll();
  std::string_view chunk() const { return {chunk_, chunk_bytes_}; }
  uint64_t rows() const { return rows_; }  // after the end

 private:
  friend class CopyPipe;
  // What libpq has read already; waits for nothing but the end's own messages.
  Step TryNext();

  Connection& connection_;
  char* chunk_ = nullptr;  // libpq's, freed with PQfreemem
  size_t chunk_bytes_ = 0;
  uint64_t rows_ = 0;
};

// The bytes of one COPY into another, as they come: reads from one server while the other is still
// busy with what it was sent, so that neither waits for us. Holds some hundred kilobytes.
class CopyPipe {
 public:
  // `on_bytes` is told how many have gone on, every now and then. Borrows all.
  CopyPipe(CopyOut& from, CopyIn& to, std::function<void(size_t)> on_bytes);
  // To the end of `from`. Does not finish `to`.
  void Run();

 private:
  CopyOut::Step Fill();
  void Send();
  void Wait(bool reads, bool writes);

  CopyOut& from_;
  CopyIn& to_;
  const std::function<void(size_t)> on_bytes_;
  std::string buffer_;
  bool is_pending_ = false;  // libpq holds bytes for `to` that its socket did not take
};

}  // namespace pgteal::pg

#endif  // PGTEAL_PG_COPY_H_
