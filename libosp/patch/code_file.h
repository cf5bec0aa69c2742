#pragma once

#include <cstddef>
#include <cstdint>

// The memory file that holds what is known of files' call sites, and patched copies of code. All environments of a user
// share one, from the machine's start on: it lies in /dev/shm, and only the user may open it. Where that cannot be
// (there is no /dev/shm, nothing there may be executed, its name is another user's), and root's environments, which
// would trust services that run as root but confined, have one of their own.
namespace osp::patch {

class CodeFile {
 public:
  // In the environment's first process, before it has a child: all have it or none.
  static void open();
  // The same when the one that is open is worn out: others keep it.
  static void open_anew();
  // This process is another user's from now on, or confined: it could write there what others execute.
  static void close();
  // -1: there is none.
  static int fd() { return fd_; }

  // Its beginning, all 0 at first: what may be written at any time, then what may be written while there is a Writing.
  // Null: there is none.
  static std::byte* head() { return head_; }
  static constexpr size_t counters_size = 4096;
  static constexpr uint32_t head_pages = 64;
  static constexpr size_t head_size = head_pages * size_t{4096};
  // In its last pages are the programs' vDSO's (vdso::image()), for all to map.
  static constexpr size_t vdso_offset = head_size - 2 * 4096;

  // From page head_pages on it is for the copies. Takes the room for such a part: false, the host has none.
  static constexpr uint32_t most_pages = 1 << 14;
  static bool make_room(uint32_t first_page, size_t pages);

  // The head of a file that other environments have too is for reading only but while a process has one of these, so
  // that a program that writes where it should not spoils nothing for them. Two system calls for the outermost.
  class Writing {
   public:
    Writing();
    ~Writing();
    Writing(const Writing&) = delete;
    Writing& operator=(const Writing&) = delete;
  };

 private:
  static void open_file(bool anew);
  static int fd_;
  static std::byte* head_;
};

}  // namespace osp::patch
