#ifndef PGTEAL_DECODER_ARENA_H_
#define PGTEAL_DECODER_ARENA_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace pgteal::decoder {

// Append-only bytes owned by one ChangeBlock. Nothing is freed before the whole arena is; addresses
// are stable. Alignment of every allocation is 8. One thread at a time.
class Arena {
 public:
  Arena() = default;
  // What was moved from is empty: it must not go on writing into memory that it gave away.
  Arena(Arena&& other) noexcept { *this = std::move(other); }
  Arena& operator=(Arena&& other) noexcept {
    chunks_ = std::exchange(other.chunks_, {});
    next_ = std::exchange(other.next_, nullptr);
    left_ = std::exchange(other.left_, 0);
    capacity_bytes_ = std::exchange(other.capacity_bytes_, 0);
    return *this;
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() = default;

  char* Allocate(size_t bytes) {
    const size_t rounded = (bytes + kAlignment - 1) & ~(kAlignment - 1);
    if (rounded > left_) [[unlikely]]
      AddChunk(rounded);
    char* result = next_;
    next_ += rounded;
    left_ -= rounded;
    return result;
  }

  template <typename T>
  T* AllocateArray(size_t count) {
    static_assert(alignof(T) <= kAlignment && std::is_trivially_destructible_v<T>);
    return reinterpret_cast<T*>(Allocate(count * sizeof(T)));
  }

  std::string_view Copy(std::string_view bytes);

  // Memory taken from the system, not only the part in use: what queue limits count.
  size_t capacity_bytes() const { return capacity_bytes_; }

 private:
  static constexpr size_t kAlignment = 8;
  // Small first, since most transactions are; then doubling, so that few chunks hold much.
  static constexpr size_t kFirstChunkBytes = 1024;
  // Below the size from which malloc maps pages of its own: giving those back and touching new ones
  // costs more than decoding.
  static constexpr size_t kChunkBytesMax = 64 * 1024;

  void AddChunk(size_t bytes_min);

  std::vector<std::unique_ptr<char[]>> chunks_;
  char* next_ = nullptr;
  size_t left_ = 0;
  size_t capacity_bytes_ = 0;
};

}  // namespace pgteal::decoder

#endif  // PGTEAL_DECODER_ARENA_H_
