#include "pip/store/edit.h"

#include "pip/store/keys.h"

namespace osp::pip::store {

void Edit::end(const NodePtr& node) {
  Inode& inode = of(node);
  inode.links = 0;
  inode.ctime_ns = now_ns_;
  ended_.push_back(node);
}

Result<void> Edit::apply() {
  for (const auto& [node, inode] : changed_) store_.put_inode(batch_, node->id(), inode);
  std::vector<uint64_t> to_forget;
  for (const NodePtr& node : ended_) {
    if (node->opens == 0 && !node->inode().is_draft) {
      batch_.erase(key::inode(node->id()));
      continue;
    }
    batch_.put(key::nameless(node->id()), {});
    if (node->opens == 0) to_forget.push_back(node->id());
  }
  OSP_TRY(store_.write(std::move(batch_)));
  for (auto& [node, inode] : changed_) node->set(std::move(inode));
  for (const uint64_t id : to_forget) OSP_TRY(store_.forget(id));
  return {};
}

}  // namespace osp::pip::store
