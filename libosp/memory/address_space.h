#pragma once

#include <sys/mman.h>
#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

// The program's memory map, as the core keeps it: everything that the program mapped, at addresses that
// the core picks. The host's mmap is told the address each time, so this and the host agree.
namespace osp::memory {

inline constexpr uintptr_t page_size = 4096;
constexpr uintptr_t page_down(uintptr_t address) { return address & ~(page_size - 1); }
constexpr uintptr_t page_up(uintptr_t address) { return page_down(address + page_size - 1); }

// What a mapping shows: a file by its path and identity, or nothing.
struct Backing {
  std::string path;  // in the name space; empty for anonymous memory, and for the host's files until it is asked for
  std::string server{};  // pip::Server::name() where the core serves the file; its inode is the file's id there
  uint64_t device = 0, inode = 0;
  uint64_t version = 0;  // of a file of the host's: version_of(); 0: not known
  int kept_fd = -1;      // a core's fd on the contents, for mappings that a restore cannot open again
  // Natively: the memory that it is, known by this address and kept by it, and the kernel's handle of its segment.
  // Null: the process's own memory, with a copy of the file.
  std::shared_ptr<const void> pages{};
  int segment = -1;
  ~Backing();
};
// Of a file of the host's; the version is another when it has been written.
uint64_t version_of(const struct stat& st);
std::shared_ptr<Backing> backing_of(const struct stat& st);

// Kept free for trampolines above the mappings: a hole between mappings is the program's to fill.
inline constexpr uintptr_t trampoline_zone = 64 * 1024 * 1024;

enum class Use : uint8_t { plain, heap, stack, vdso, trampolines };

struct Area {
  uintptr_t start = 0, end = 0;
  int protection = 0;                // PROT_*
  int flags = 0;                     // MAP_SHARED or MAP_PRIVATE, MAP_ANONYMOUS, MAP_GROWSDOWN, MAP_NORESERVE
  std::shared_ptr<Backing> backing;  // null: anonymous
  uint64_t offset = 0;               // of `start` in the backing file
  Use use = Use::plain;
  bool dont_fork = false, dont_dump = false, wipe_on_fork = false;
  bool never_written = false;  // natively: shows a file that was opened for reading, for others to see
  bool sealed = false;         // mseal(2)
};

class AddressSpace {
 public:
  // Addresses for mappings without a fixed place go down from `top`; trampoline_zone bytes above it are
  // for the core's, and the stack lies above those.
  void set_layout(uintptr_t top, uintptr_t brk_start);

  // mmap(2) on the host with an address of ours (or the program's, for MAP_FIXED and honoured hints), and
  // recorded. Natively the fd is a segment's handle. ENOMEM EINVAL EEXIST EACCES EBADF as the host says; EINVAL for the
  // core's window.
  Result<uintptr_t> map(uintptr_t hint, size_t size, int protection, int flags, int fd, uint64_t offset,
                        std::shared_ptr<Backing> backing, Use use = Use::plain);
  Result<void> unmap(uintptr_t start, size_t size);
  Result<void> protect(uintptr_t start, size_t size, int protection);
  // protect() with PROT_WRITE answers EACCES there from now on.
  void never_write(uintptr_t start, size_t size);
  // mseal(2): from now on unmap(), protect(), remap(), a mapping over it and advice that discards it answer EPERM
  // there. ENOMEM: there are holes. The host knows nothing of it, so that execve(2) can take the memory down.
  Result<void> seal(uintptr_t start, size_t size);
  [[nodiscard]] bool is_sealed(uintptr_t start, size_t size) const;
  // mlockall(2) with MCL_CURRENT, of the program's memory alone; `flags` of mlock2(2). Of the stack, which is mapped to
  // its limit, what lies above the stack pointer. ENOMEM, EAGAIN, EPERM.
  Result<void> lock_all(int flags, uintptr_t stack_pointer) const;
  // The host changed the protection already (pkey_mprotect(2)).
  Result<void> record_protection(uintptr_t start, size_t size, int protection);
  Result<uintptr_t> remap(uintptr_t old, size_t old_size, size_t new_size, int flags, uintptr_t fixed);
  Result<void> advise(uintptr_t start, size_t size, int advice);
  // brk(2): the new break, or the old one where it cannot be moved.
  uintptr_t set_break(uintptr_t wanted);

  // Records memory that is mapped already (door 2, a restore); does not touch the host.
  void adopt(const Area& area);
  // The same where something else was recorded, which is mapped no more.
  void replace(Area area);
  // Unmaps everything of the program.
  void clear();
  // The memory has been left.
  void forget() { areas_.clear(); }
  // After a fork in the child: areas with MADV_DONTFORK are gone.
  void forget_unforked();

  // Fills in the paths of mapped files of the host, by /proc/self/maps: nobody reads most of them.
  void name_backings() const;

  [[nodiscard]] const Area* find(uintptr_t address) const;
  [[nodiscard]] const std::map<uintptr_t, Area>& areas() const { return areas_; }
  [[nodiscard]] uintptr_t break_start() const { return break_start_; }
  [[nodiscard]] uintptr_t break_end() const { return break_end_; }
  [[nodiscard]] uintptr_t top() const { return top_; }
  void set_break_range(uintptr_t start, uintptr_t end) { break_start_ = start, break_end_ = end; }

  // A free range of `size` bytes whose every byte is within `reach` of `near`, for trampolines: in the zone,
  // else below a mapping with much room; 0: none.
  [[nodiscard]] uintptr_t free_near(uintptr_t near, size_t size, uintptr_t reach) const;

 private:
  [[nodiscard]] bool is_free(uintptr_t start, size_t size) const;
  [[nodiscard]] Result<uintptr_t> start_of_growing(uintptr_t address) const;
  [[nodiscard]] bool is_never_written(uintptr_t start, size_t size) const;
  [[nodiscard]] bool discards_sealed(uintptr_t start, size_t size, int advice) const;
  [[nodiscard]] uintptr_t choose(size_t size, uintptr_t alignment) const;
  void insert(Area area);
  // Makes `at` a border between areas.
  void split(uintptr_t at);
  void erase(uintptr_t start, uintptr_t end);
  static Result<void> move_natively(const Area& area, uintptr_t old, size_t from, uintptr_t target, size_t to);
  template <class F>
  void for_range(uintptr_t start, uintptr_t end, F&& change);

  std::map<uintptr_t, Area> areas_;  // by start, not overlapping
  uintptr_t top_ = 0;
  uintptr_t break_start_ = 0, break_end_ = 0;
};

}  // namespace osp::memory
