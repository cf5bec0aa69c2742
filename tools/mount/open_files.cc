#include "tools/mount/open_files.h"

namespace osp::fuse {

uint64_t OpenFiles::add(OpenFilePtr file) {
  by_node_[file->node.get()].insert(file);
  files_[++last_] = std::move(file);
  return last_;
}

OpenFilePtr OpenFiles::find(uint64_t number) const {
  const auto found = files_.find(number);
  return found != files_.end() ? found->second : nullptr;
}

OpenFilePtr OpenFiles::take(uint64_t number) {
  const auto found = files_.find(number);
  if (found == files_.end()) return nullptr;
  OpenFilePtr file = std::move(found->second);
  files_.erase(found);
  const auto same = by_node_.find(file->node.get());
  same->second.erase(file);
  if (same->second.empty()) by_node_.erase(same);
  return file;
}

OpenFilePtr OpenFiles::of(const Node& node, const SessionPtr& session) const {
  const auto found = by_node_.find(&node);
  if (found == by_node_.end()) return nullptr;
  OpenFilePtr best;
  for (const OpenFilePtr& file : found->second)
    if (file->session == session && (best == nullptr || file->can_write)) best = file;
  return best;
}

std::vector<NodePtr> OpenFiles::nodes() const {
  std::vector<NodePtr> nodes;
  for (const auto& [node, files] : by_node_) nodes.push_back((*files.begin())->node);
  return nodes;
}

std::vector<uint64_t> OpenFiles::numbers() const {
  std::vector<uint64_t> numbers;
  for (const auto& [number, file] : files_) numbers.push_back(number);
  return numbers;
}

}  // namespace osp::fuse
