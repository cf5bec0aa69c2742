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

bool CodeWriter::open_pages(Opened pages) {
  pages.start = memory::page_down(pages.start), pages.end = memory::page_up(pages.end);
  if (raw::syscall(SYS_mprotect, pages.start, pages.end - pages.start, pages.protection | PROT_WRITE) != 0)
    return false;
  opened_.push_back(pages);
  return true;
}

// Much at once may be more than the process may have (RLIMIT_DATA).
bool CodeWriter::open(uintptr_t at, size_t size) {
  const memory::Area* area = memory_.find(at);
  const uintptr_t end = at + size;
  if (area == nullptr) return false;
  if ((area->protection & PROT_WRITE) != 0 || is_open(at, end)) return true;
  const bool is_expected = at >= expected_.start && end <= expected_.end;
  if (is_expected && open_pages({expected_.start, expected_.end, area->protection})) return true;
  return open_pages({at, end, area->protection});
}

void CodeWriter::write(uintptr_t at, Bytes bytes) {
  if (open(at, bytes.size())) std::memcpy(reinterpret_cast<void*>(at), bytes.data(), bytes.size());
}

}  // namespace osp::patch
