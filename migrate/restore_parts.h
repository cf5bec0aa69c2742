#pragma once

#include <array>
#include <expected>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libosp/file/files.h"
#include "libosp/task/process.h"
#include "migrate/image_reader.h"
#include "migrate/restore.h"

// What the parts of a restore share. They run in order: check, names, memory, trees, files, process.
namespace osp::migrate {

// An error that a person reads: the process that was to be restored ends with it.
using Restored = std::expected<void, std::string>;

inline std::unexpected<std::string> because(std::string what, long error) {
  return std::unexpected(std::move(what) + ": " + describe(Error(static_cast<int>(error < 0 ? -error : error))));
}

struct Restore {
  Restore(task::Process& into, ImageReader& from, ChangedFiles policy)
      : process(into), image(from), manifest(from.manifest()), changed(policy) {}

  task::Process& process;
  ImageReader& image;
  const Manifest& manifest;
  ChangedFiles changed;
  std::array<int, 3> standard = {-1, -1, -1};  // a core's fd of the door's 0, 1, 2; -1: it was closed
  std::vector<int> objects;                    // a core's fd of each memory object
  std::map<uint32_t, std::shared_ptr<file::Description>> served{};  // made so far, by description

  [[nodiscard]] const migrate::Process& saved() const { return manifest.processes.front(); }
  // The host's CLOCK_MONOTONIC now, as the program reads it.
  [[nodiscard]] int64_t program_now() const;
};

// Whether this host can take it. Creates nothing.
Restored check_restore(const Restore& restore);

// Whether the host has the file; all others are served by the core.
inline bool is_host_file(const FileRef& file) { return file.server == "#U"; }

// The name space and the working directory in it.
Restored restore_names(const Restore& restore);
Restored restore_memory(Restore& restore);
// The memory trees, what the program has open of them, and shared mappings of all files that the core serves, which
// restore_memory() leaves out.
Restored restore_trees(Restore& restore);
Restored restore_files(Restore& restore);
// The rest of them, when restore_process() has made the threads.
Restored restore_files_of_threads(Restore& restore);
// A core's fd, or minus an errno, for one socket; pairs are made by their first end, which leaves the second in
// `others` under the other description's index.
long restore_socket(const Manifest& manifest, uint32_t index, std::map<uint32_t, int>& others);
// When all are made: connects a socket that waited to be accepted by a listening one of the same image. 0, also for all
// others, or minus an errno.
long connect_to_listener(const Manifest& manifest, uint32_t index, int fd);
// All but the threads' fibers; timers run from here on.
Restored restore_process(Restore& restore);

}  // namespace osp::migrate
