#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "tools/keeper_shadow.h"
#include "tools/keeper_tree.h"

namespace osp::keeper {

// inotify(7) for the files of one server: for each directory that is watched there is one of the host, in which happens
// what is seen to have happened in the other. That is seen by listing it anew when something has changed: by this
// environment, by others (a lease was taken back), or now and then.
class TreeWatches {
 public:
  using StartJob = std::function<void(std::function<void()>)>;

  TreeWatches(Tree& tree, StartJob start_job) : tree_(tree), start_job_(std::move(start_job)) {}
  // Removes what it made.
  ~TreeWatches();
  TreeWatches(const TreeWatches&) = delete;
  TreeWatches& operator=(const TreeWatches&) = delete;

  // In a job: the path of the host to watch in the place of this one. ENOSPC: too many; ENOENT, EACCES…
  Result<std::string> watch(std::string_view path);
  // Something in the tree has changed.
  void changed();
  // Now and then.
  void tick();

 private:
  struct Watched {
    ShadowDirectory shadow;
    pip::Attributes attributes;  // its own
  };
  struct Listing {
    pip::Attributes attributes;
    std::vector<pip::DirectoryEntry> entries;
  };

  Result<void> attach();
  Result<std::string> shadow_of(const std::string& directory);
  Result<pip::Attributes> look(std::string_view path);
  Result<Listing> list(const std::string& directory);
  Result<std::vector<pip::DirectoryEntry>> entries(const Fid& fid);
  void refresh();
  void refresh(const std::string& directory);

  static constexpr size_t most = 4096;

  Tree& tree_;
  StartJob start_job_;
  FidPtr root_;
  std::string base_;  // the folder of all shadows; empty: none yet
  uint64_t made_ = 0;
  std::map<std::string, Watched, std::less<>> watched_;  // by path
  bool is_stale_ = false, is_refreshing_ = false;
  int64_t refreshed_ms_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace osp::keeper
