#include "libosp/door2_memory.h"

#include <sys/resource.h>
#include <sys/sysmacros.h>

#include "base/raw_syscall.h"
#include "libosp/host/host.h"
#include "libosp/host/maps.h"
#include "libosp/host/window.h"

namespace osp::door2 {
namespace {

using host::MapsLine;
using memory::Area;
using memory::Use;

constexpr uintptr_t layout_top = 0x7efe'0000'0000;  // below all that the kernel places
constexpr uint64_t default_stack = 8u << 20, most_stack = 1u << 30;
constexpr uintptr_t stack_guard = 1u << 20;  // mm/mmap.c: stack_guard_gap

class Adopter {
 public:
  Adopter(memory::AddressSpace& memory, uintptr_t stack_pointer) : memory_(memory), stack_pointer_(stack_pointer) {}

  Result<void> take(const MapsLine& line) {
    const auto [start, end] = line.range;
    if (window::overlaps(start, end - start) || line.name == "[vsyscall]") return {};
    if (line.name == "[vdso]" || line.name.starts_with("[vvar")) {
      pages_.take(line);
    } else if (stack_pointer_ >= start && stack_pointer_ < end) {
      OSP_TRY(take_stack(line));
    } else {
      memory_.adopt(area_of(line));
    }
    if (line.name == "[heap]") heap_ = line.range;
    previous_end_ = end;
    return {};
  }

  void set_layout() {
    uint64_t random = 0;
    host::random(&random, sizeof random);
    const auto limit = static_cast<uintptr_t>(raw::syscall(SYS_brk, 0));
    memory_.set_layout(layout_top - memory::trampoline_zone - (random & 0x3f'ffff) * memory::page_size, limit);
    memory_.set_break_range(heap_.start != 0 ? heap_.start : limit, limit);
  }

  [[nodiscard]] const host::KernelPages& kernel_pages() const { return pages_; }

 private:
  Area area_of(const MapsLine& line) {
    Area area;
    area.start = line.range.start, area.end = line.range.end;
    const auto allowed = [&](size_t index, char letter, int bit) {
      return line.permissions[index] == letter ? bit : 0;
    };
    area.protection = allowed(0, 'r', PROT_READ) | allowed(1, 'w', PROT_WRITE) | allowed(2, 'x', PROT_EXEC);
    area.flags = line.permissions[3] == 's' ? MAP_SHARED : MAP_PRIVATE;
    area.use = line.name == "[heap]" ? Use::heap : Use::plain;
    if (line.inode == 0 && !line.name.starts_with('/')) {
      area.flags |= MAP_ANONYMOUS;
    } else {
      area.backing = backing_of(line);
      area.offset = line.offset;
    }
    return area;
  }

  // Parts of one file share their backing.
  std::shared_ptr<memory::Backing> backing_of(const MapsLine& line) {
    const uint64_t device = makedev(static_cast<unsigned>(line.major), static_cast<unsigned>(line.minor));
    if (last_ == nullptr || last_->device != device || last_->inode != line.inode) {
      last_ = std::make_shared<memory::Backing>();
      last_->path = host::unescape_name(line.name), last_->device = device, last_->inode = line.inode;
    }
    return last_;
  }

  // All that the stack may grow to is mapped now, so that the map here and the host's stay the same.
  Result<void> take_stack(const MapsLine& line) {
    rlimit limit = {};
    raw::syscall(SYS_prlimit64, 0, RLIMIT_STACK, 0, &limit);
    const uint64_t size =
        limit.rlim_cur == RLIM_INFINITY ? default_stack : std::min<uint64_t>(limit.rlim_cur, most_stack);
    Area area = area_of(line);
    area.use = Use::stack;
    const uintptr_t lowest = std::max(previous_end_ + stack_guard, memory::page_up(area.end - size));
    if (lowest < area.start) {
      OSP_TRY(memory_.map(lowest, area.start - lowest, area.protection,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0, nullptr,
                          Use::stack));
      area.flags |= MAP_NORESERVE;
    }
    memory_.adopt(area);
    return {};
  }

  memory::AddressSpace& memory_;
  uintptr_t stack_pointer_;
  host::KernelPages pages_;
  host::Range heap_;
  uintptr_t previous_end_ = 0;
  std::shared_ptr<memory::Backing> last_;
};

}  // namespace

Result<host::KernelPages> adopt_memory(memory::AddressSpace& memory, uintptr_t stack_pointer) {
  Adopter adopter(memory, stack_pointer);
  Result<void> taken;
  OSP_TRY(host::each_mapping([&](const MapsLine& line) {
    if (taken) taken = adopter.take(line);
  }));
  OSP_TRY(taken);
  adopter.set_layout();
  return adopter.kernel_pages();
}

}  // namespace osp::door2
