#pragma once

#include <cstdint>
#include <vector>

#include "libosp/memory/address_space.h"
#include "libosp/patch/decode.h"

namespace osp::patch {

// Writes to the program's code, whatever its protection, which is as it was when the writer is gone.
class CodeWriter {
 public:
  explicit CodeWriter(const memory::AddressSpace& memory) : memory_(memory) {}
  ~CodeWriter();
  CodeWriter(const CodeWriter&) = delete;
  CodeWriter& operator=(const CodeWriter&) = delete;

  // Where much will be written: all of it is opened with the first write there. Of one area.
  void expect(uintptr_t start, size_t size) { expected_ = {start, start + size, 0}; }
  // From now on it can be written there. False: nothing is mapped, or the host does not let us.
  [[nodiscard]] bool open(uintptr_t at, size_t size);
  // Nothing, where open() says false.
  void write(uintptr_t at, Bytes bytes);

 private:
  struct Opened {
    uintptr_t start = 0, end = 0;
    int protection = 0;
  };
  bool open_pages(Opened pages);
  [[nodiscard]] bool is_open(uintptr_t start, uintptr_t end) const;

  const memory::AddressSpace& memory_;
  Opened expected_;
  std::vector<Opened> opened_;
};

}  // namespace osp::patch
