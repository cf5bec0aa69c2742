#include "libosp/patch/code_writer.h"

#include <algorithm>
#include <cstring>

#include "base/raw_syscall.h"

namespace osp::patch {

CodeWriter::~CodeWriter() {
  for (const Opened& o : opened_) raw::syscall(SYS_mprotect, o.start, o.end - o.start, o.protection);
}

bool CodeWriter::is_open(uintptr_t start, uintptr_t end) const {
  return std::ranges::any_of(opened_, [&](const Opened& o) { return start >= o.start && end <= o.end; });
}

void CodeWriter::open(uintptr_t start, uintptr_t end) {
  const memory::Area* area = memory_.find(start);
  if ((area->protection & PROT_WRITE) != 0 || is_open(start, end)) return;
  if (start >= expected_.start && end <= expected_.end) start = expected_.start, end = expected_.end;
  const Opened pages{memory::page_down(start), memory::page_up(end), area->protection};
  raw::syscall(SYS_mprotect, pages.start, pages.end - pages.start, pages.protection | PROT_WRITE);
  opened_.push_back(pages);
}

void CodeWriter::write(uintptr_t at, Bytes bytes) {
  if (memory_.find(at) == nullptr) return;
  open(at, at + bytes.size());
  std::memcpy(reinterpret_cast<void*>(at), bytes.data(), bytes.size());
}

}  // namespace osp::patch
