#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "pip/change_watch.h"
#include "pip/host_walk.h"

namespace osp::pip {

// Watches directories below one of the host by inotify(7), which does not tell of writes through mappings, nor of what
// another machine does to a network file system.
class HostWatch final : public ChangeWatch {
 public:
  // ENOENT, ENOTDIR, EACCES; EMFILE.
  static Result<std::unique_ptr<HostWatch>> create(const std::string& directory);

  bool watch(const std::string& path) override;
  void unwatch(const std::string& path) override;
  std::vector<TreeChange> take() override;
  // To be waited for: readable when take() has something. Ours.
  [[nodiscard]] int fd() const { return inotify_.get(); }

 private:
  // A directory that is watched: for itself, or as one above such.
  struct Watched {
    int wd = -1;
    size_t own = 0, below = 0;  // how often
  };

  HostWatch(HostFd root, HostFd inotify) : root_(std::move(root)), walk_(root_.get()), inotify_(std::move(inotify)) {}
  bool add(const std::string& path, bool is_own);
  void remove(const std::string& path, bool is_own);
  void forget_below(const std::string& path);
  void forget_wd(int wd, const std::string& path);
  void note(int wd, uint32_t mask, const char* name, std::vector<TreeChange>& changes);

  HostFd root_;
  HostWalk walk_;
  HostFd inotify_;
  std::map<std::string, Watched> watched_;
  std::map<int, std::set<std::string>> paths_;  // by wd: a directory may have several
};

}  // namespace osp::pip
