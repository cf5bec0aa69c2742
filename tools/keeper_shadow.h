#pragma once

#include <map>
#include <string>
#include <vector>

#include "pip/host_walk.h"
#include "pip/server.h"

namespace osp::keeper {

// A directory of the host in which happens what has happened in another, so that who watches it with inotify(7) is told
// of that. Its files are empty, or nearly; only the names, and what is done to them, mean something.
class ShadowDirectory {
 public:
  // Makes it at `path`, as one with these entries; nobody watches yet. EEXIST, ENOSPC, ENAMETOOLONG.
  static Result<ShadowDirectory> create(std::string path, std::vector<pip::DirectoryEntry> entries);

  // Does what makes these entries of those before: of two whose file is the same, one was renamed; another size or time
  // of change is a write, and anything else that is different a change of attributes.
  void become(std::vector<pip::DirectoryEntry> entries);
  // The directory itself was changed (chmod(2)), or is gone.
  void touch() const;
  void remove();

  [[nodiscard]] bool has(const std::string& name) const { return entries_.contains(name); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  using Entries = std::map<std::string, pip::Attributes, std::less<>>;

  ShadowDirectory(std::string path, pip::HostFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  static Entries by_name(std::vector<pip::DirectoryEntry> entries);
  void rename_moved(const Entries& now);
  void make(const std::string& name, const pip::Attributes& file) const;
  void replace(const std::string& name, const pip::Attributes& file) const;
  void update(const std::string& name, const pip::Attributes& before, const pip::Attributes& now) const;
  void write(const std::string& name) const;
  void unlink(const std::string& name, const pip::Attributes& file) const;

  std::string path_;
  pip::HostFd fd_;
  Entries entries_;
};

}  // namespace osp::keeper
