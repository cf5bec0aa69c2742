#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

// Bytes by the hash of what they are. Every call may block on the disk.
namespace osp::pip::store {

// BLAKE2b-256 (RFC 7693, 32 bytes, no key) of a chunk's bytes.
struct ChunkId {
  static constexpr size_t size = 32;
  std::array<unsigned char, size> bytes{};

  static ChunkId of(std::string_view contents);
  [[nodiscard]] std::string_view view() const { return {reinterpret_cast<const char*>(bytes.data()), size}; }
  // "blake2b-256:" and 64 hexadecimal digits.
  [[nodiscard]] std::string text() const;
  // `view` has ChunkId::size bytes.
  static ChunkId from(std::string_view view);
  friend bool operator==(const ChunkId&, const ChunkId&) = default;
  friend auto operator<=>(const ChunkId&, const ChunkId&) = default;
};

using ChunkPtr = std::shared_ptr<const std::string>;

class ChunkStore {
 public:
  static constexpr size_t most = 1U << 20;  // bytes of a chunk

  virtual ~ChunkStore() = default;
  // Keeps `contents`; those that are there already cost nothing. Survives the end of this process as soon as it
  // returns, and the machine's after the next sync(). ENOSPC EIO; EMSGSIZE: over `most`.
  virtual Result<ChunkId> put(std::string_view contents) = 0;
  // Checked against the hash. ENOENT: it is not there; EBADMSG: it is damaged; EIO.
  virtual Result<ChunkPtr> get(const ChunkId& id) = 0;
  virtual Result<bool> has(const ChunkId& id) = 0;
  virtual Result<void> sync() = 0;
  // Whether something was put since the last sync.
  [[nodiscard]] virtual bool is_dirty() const = 0;

  struct Swept {
    uint64_t chunks = 0;  // dropped
    uint64_t bytes = 0;   // given back to the disk
  };
  // Drops what `is_wanted` does not know. Crash-safe: it may be cut short anywhere and run again.
  virtual Result<Swept> sweep(const std::function<bool(const ChunkId&)>& is_wanted) = 0;
  // Reads everything and tells of each chunk that is not what its name says.
  virtual Result<void> verify(const std::function<void(const std::string& what)>& wrong,
                              const std::function<void(uint64_t bytes)>& progress) = 0;
  // What it takes on the disk.
  [[nodiscard]] virtual uint64_t stored_bytes() const = 0;
};

}  // namespace osp::pip::store
