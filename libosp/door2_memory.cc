#include "libosp/door2_memory.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>

#include <charconv>

#include "base/raw_syscall.h"
#include "libosp/host/host.h"
#include "libosp/host/window.h"

namespace osp::door2 {
namespace {

using memory::Area;
using memory::Use;

constexpr uintptr_t layout_top = 0x7efe'0000'0000;  // below all that the kernel places
constexpr uint64_t default_stack = 8u << 20, most_stack = 1u << 30;
constexpr uintptr_t stack_guard = 1u << 20;  // mm/mmap.c: stack_guard_gap

Result<std::string> read_maps() {
  OSP_ASSIGN(const int fd, from_raw<int>(raw::syscall(SYS_open, "/proc/self/maps", O_RDONLY | O_CLOEXEC)));
  std::string text;
  char buffer[4096];
  long got = 0;
  while ((got = raw::read(fd, buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(got));
  raw::close(fd);
  return text;
}

// One line of proc(5)'s maps: "start-end perms offset major:minor inode   name".
struct Line {
  Range range;
  std::string_view permissions;
  uint64_t offset = 0, major = 0, minor = 0, inode = 0;
  std::string_view name;
};

uint64_t number(std::string_view& text, int base) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  text.remove_prefix(std::min(text.size(), static_cast<size_t>(end - text.data()) + 1));
  return value;
}

Line parse(std::string_view text) {
  Line line;
  line.range.start = number(text, 16), line.range.end = number(text, 16);
  line.permissions = text.substr(0, 4);
  text.remove_prefix(std::min<size_t>(text.size(), 5));
  line.offset = number(text, 16);
  line.major = number(text, 16), line.minor = number(text, 16);
  line.inode = number(text, 10);
  const size_t name = text.find_first_not_of(' ');
  if (name != std::string_view::npos) line.name = text.substr(name);
  return line;
}

// The kernel writes a newline in a name as \012.
std::string unescape(std::string_view name) {
  std::string out;
  for (size_t at = 0; at < name.size(); ++at) {
    const bool newline = name.substr(at, 4) == "\\012";
    out += newline ? '\n' : name[at];
    if (newline) at += 3;
  }
  return out;
}

class Adopter {
 public:
  Adopter(memory::AddressSpace& memory, uintptr_t stack_pointer) : memory_(memory), stack_pointer_(stack_pointer) {}

  Result<void> take(const Line& line) {
    const auto [start, end] = line.range;
    if (window::overlaps(start, end - start) || line.name == "[vsyscall]") return {};
    if (line.name == "[vdso]") {
      pages_.vdso = line.range;
    } else if (line.name.starts_with("[vvar")) {
      pages_.data.push_back(line.range);
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

  [[nodiscard]] const KernelPages& kernel_pages() const { return pages_; }

 private:
  Area area_of(const Line& line) {
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
  std::shared_ptr<memory::Backing> backing_of(const Line& line) {
    const uint64_t device = makedev(static_cast<unsigned>(line.major), static_cast<unsigned>(line.minor));
    if (last_ == nullptr || last_->device != device || last_->inode != line.inode) {
      last_ = std::make_shared<memory::Backing>();
      last_->path = unescape(line.name), last_->device = device, last_->inode = line.inode;
    }
    return last_;
  }

  // All that the stack may grow to is mapped now, so that the map here and the host's stay the same.
  Result<void> take_stack(const Line& line) {
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
  KernelPages pages_;
  Range heap_;
  uintptr_t previous_end_ = 0;
  std::shared_ptr<memory::Backing> last_;
};

}  // namespace

Result<KernelPages> adopt_memory(memory::AddressSpace& memory, uintptr_t stack_pointer) {
  OSP_ASSIGN(const std::string maps, read_maps());
  Adopter adopter(memory, stack_pointer);
  for (std::string_view rest = maps; !rest.empty();) {
    const size_t end = rest.find('\n');
    OSP_TRY(adopter.take(parse(rest.substr(0, end))));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  adopter.set_layout();
  return adopter.kernel_pages();
}

}  // namespace osp::door2
