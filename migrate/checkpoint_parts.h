#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "libosp/task/process.h"
#include "migrate/manifest.h"

// What the parts of a checkpoint share. They run in order: trees, files, process, memory.
namespace osp::migrate {

// A part of the core's window that is given back at the end: contents that had to be mapped or copied.
class Held {
 public:
  static Result<Held> map_fd(int fd, uint64_t size);  // shared, readable
  static Result<Held> make(uint64_t size);            // anonymous
  Held(Held&& other) noexcept : start_(std::exchange(other.start_, 0)), size_(other.size_) {}
  Held& operator=(Held&&) = delete;
  ~Held();
  [[nodiscard]] std::byte* data() const { return reinterpret_cast<std::byte*>(start_); }

 private:
  Held(uintptr_t start, uint64_t size) : start_(start), size_(size) {}
  uintptr_t start_;
  uint64_t size_;
};

// Pages for the image: `at` is readable while Capture lives, but for `locked` ones, which the writer unlocks.
struct PageSpan {
  uint32_t space = 0;
  uint64_t offset = 0;
  uintptr_t at = 0;
  uint64_t size = 0;
  int protection = 0;  // of the memory there
};

// What must be told of one open file.
struct Note {
  int fd = -1;
  std::string text;
  bool fatal = false;  // it cannot come back
};

inline constexpr uint32_t process_space = 1;

struct Capture {
  explicit Capture(task::Process& captured) : process(captured) {}

  task::Process& process;
  Manifest manifest;
  std::vector<PageSpan> pages;  // of the process's space, then of objects
  std::vector<PageSpan> object_pages;
  std::vector<Note> notes;
  std::vector<Held> held;
  std::map<std::pair<uint64_t, uint64_t>, uint32_t> objects;   // memory objects by device and inode
  std::map<std::pair<std::string, uint64_t>, uint32_t> files;  // FileRefs of the host by path and inode

  [[nodiscard]] Process& image() { return manifest.processes.front(); }
  [[nodiscard]] int64_t program_now() const;  // CLOCK_MONOTONIC as the program reads it
  void note(int fd, std::string text, bool fatal) { notes.push_back({fd, std::move(text), fatal}); }

  // The FileRef of a host file that can be opened by `path` now and is device/inode; `none`: it cannot.
  uint32_t file_ref(const std::string& path, uint64_t device, uint64_t inode);
  // The FileRef of a file that the core serves: `path` in the name space, file `id` of `server`.
  uint32_t served_ref(const std::string& server, const std::string& path, uint64_t id, uint32_t mode);
  // The object with the contents of the host's `fd` (readable), made when first asked for.
  Result<uint32_t> object_of(int fd, ObjectKind kind, const std::string& name);
  MemoryObject& new_object(ObjectKind kind, const std::string& name, uint64_t size, uint32_t& index);
};

// Memory trees first, since their files are described by what they have there.
Result<void> capture_trees(Capture& capture);
Result<void> capture_files(Capture& capture);
Result<void> capture_process(Capture& capture);
Result<void> capture_memory(Capture& capture);

// One socket of the program.
Result<void> capture_socket(Capture& capture, int fd, Description& description);
// Which unix sockets are each other's ends (by inode), as far as the host tells.
// The peer of one that waits to be accepted is the listening socket.
std::map<uint64_t, uint64_t> unix_peers();

// "/proc/self/…" as text; empty where it cannot be read.
std::string host_text(const std::string& path);
// What stands behind `key` in lines of "key value"; empty: no such line. Blanks around it are taken off.
std::string value_of(const std::string& text, std::string_view key);
std::string link_target(const std::string& path);
int64_t to_number(std::string_view text, int base = 10);

}  // namespace osp::migrate
