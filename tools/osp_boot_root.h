#pragma once

#include <sys/stat.h>

#include <map>
#include <string>
#include <string_view>

#include "tools/osp_boot_cpio.h"

namespace osp::tools {

// The files of a root archive, before they are written. Files of the host keep their owners, modes and times.
class RootPlan {
 public:
  // The file or link at `path` of the host (absolute), with all directories and symbolic links that lead to it; where
  // links end, by a path without any. Of a directory, nothing that is in it.
  BootResult<std::string> add_path(const std::string& path);
  // The same and, if it leads to a directory, all that is below it on the host. Sockets are left out.
  BootResult<std::string> add_tree(const std::string& path);
  // All that is below the directory `path` of the host, as the root itself.
  BootResult<void> take_root(const std::string& path);

  // A directory or a file with `contents`, if there is no other of that name.
  void add_directory(const std::string& path, mode_t mode);
  void add_text(const std::string& path, std::string contents, mode_t mode = 0644);

  [[nodiscard]] bool has(const std::string& path) const { return files_.contains(path); }
  [[nodiscard]] size_t count() const { return files_.size(); }
  // Bytes of contents.
  [[nodiscard]] uint64_t size() const;
  // Writes them as an archive from offset `begin` of `fd` on; where it ends.
  BootResult<uint64_t> write(int fd, uint64_t begin) const;
  // The same, compressed in frames that are unpacked when they are read. `unpacked` is set to the size before.
  BootResult<uint64_t> write_compressed(int fd, uint64_t begin, uint64_t& unpacked) const;

 private:
  struct File {
    struct stat status {};
    std::string source{};  // the host's path; else `text` is what is in it, or where the link leads
    std::string text{};
  };
  BootResult<void> put(const std::string& path, const std::string& source, const struct stat& status);
  BootResult<uint64_t> write(CpioWriter& writer) const;
  BootResult<void> walk(const std::string& source, const std::string& path);

  std::map<std::string, File> files_;  // by the path in the root, absolute; directories come before what is in them
};

}  // namespace osp::tools
