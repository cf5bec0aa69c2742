#pragma once

#include <sys/stat.h>

#include <map>
#include <string>

#include "tools/unpack/archive.h"
#include "tools/unpack/file_system.h"

namespace osp::unpack {

// Files made below one folder, and nowhere else: whatever links members make, later ones are put where a program would
// find them whose root the folder is. What is there already gives way, but for directories that become directories.
//
// Owners are given as far as root may; set-id bits only together with them. Device nodes and sockets are left out.
class Tree {
 public:
  // `root` stays the caller's.
  explicit Tree(int root);

  // `path` is clean (clean_name). The error names the member.
  Outcome<void> put(Archive& archive, archive_entry* entry, const std::string& path);
  // Takes away `path`, or what is in that directory; nothing there is no failure.
  Outcome<void> remove(const std::string& path);
  Outcome<void> empty(const std::string& path);
  // Makes a directory, and those above it, if there is none.
  Outcome<void> make_directory(const std::string& path);
  // Gives the directories their modes and times, which had to wait until nothing is put into them any more.
  Outcome<void> finish();

 private:
  struct Place {
    int parent;
    std::string name;
  };
  struct DirectoryEnd {
    mode_t mode;
    timespec times[2];
  };
  // Where a member lies; directories above it are made. The fd is good until the next call.
  Outcome<Place> place_of(const std::string& path);
  Outcome<Fd> open_directory(const std::string& path);
  Outcome<void> put_directory(archive_entry* entry, const std::string& path, const Place& at);
  Outcome<void> put_link(archive_entry* entry, const std::string& path);
  Outcome<void> put_file(Archive& archive, archive_entry* entry, const Place& at);
  Outcome<void> put_symlink(archive_entry* entry, const Place& at);
  Outcome<void> put_fifo(archive_entry* entry, const Place& at);
  Outcome<void> replace(const Place& at, const std::string& path);
  [[nodiscard]] mode_t mode_of(archive_entry* entry) const;
  void own(const Place& at, archive_entry* entry) const;
  void forget_below(const std::string& path);

  int root_;
  bool gives_owners_;
  std::map<std::string, DirectoryEnd> directories_;
  std::string parent_path_;
  Fd parent_;
};

}  // namespace osp::unpack
