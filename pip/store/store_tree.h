#pragma once

#include <unordered_map>

#include "pip/store/history.h"
#include "pip/store/node.h"
#include "pip/store/tree_view.h"

namespace osp::pip::store {

class Edit;

// The tree of a store as it is now. What is written to a file is its draft, which all who have it open see; close and
// commit of a file that may be written make it the next version. Names and attributes change at once. Everything
// survives the end of this process, and the machine's once it was synced: commit() of any file syncs all.
//
// The past is below history_directory, which no listing shows and nothing changes (history.h).
class StoreTree final : public Server {
 public:
  // `store` must live longer. `name`: what name() says.
  StoreTree(Store& store, std::string name) : store_(store), view_(store), history_(store), name_(std::move(name)) {}
  ~StoreTree() override;

  Walked<Opened> open(std::string_view path, const OpenMode& mode) override;
  Walked<Attributes> stat(std::string_view path) override;
  Walked<std::string> read_link(std::string_view path) override;
  Walked<void> change(std::string_view path, const AttributeChange& change) override;
  Walked<void> make(std::string_view path, const NewFile& file) override;
  Walked<void> remove(std::string_view path, bool directory) override;
  Walked<void> rename(std::string_view from, std::string_view to, unsigned flags) override;
  Walked<void> link(std::string_view from, std::string_view to) override;
  // Also "osp.versions", "osp.versions:NUMBER" and, to set, "osp.restore" (history.h).
  Walked<std::string> get_attribute(std::string_view path, std::string_view name) override;
  Walked<void> set_attribute(std::string_view path, std::string_view name, std::string_view value, int flags) override;
  Walked<void> remove_attribute(std::string_view path, std::string_view name) override;
  Walked<std::vector<std::string>> list_attributes(std::string_view path) override;
  Result<FileSystemStat> statfs() override;
  [[nodiscard]] std::string name() const override { return name_; }

  // A read-only tree as it was at the end of a second that is over. It refers to the store.
  [[nodiscard]] std::unique_ptr<Server> as_of(uint64_t time_s) { return history_.as_of(time_s); }
  // Drops drafts that nobody can write to any more: their sessions are over. Call it now and then, between operations.
  Result<void> abandon_ownerless();
  // Makes durable what was not yet.
  Result<void> sync() { return store_.is_dirty() ? store_.sync() : Result<void>(); }

 private:
  friend class StoreFile;
  friend class Edit;

  Result<NodePtr> node(uint64_t id);
  // The file's node; it or its error.
  Walked<NodePtr> walk_node(std::string_view path);
  Walked<Opened> open_node(const Entry& entry, const OpenMode& mode, bool created);
  Walked<Entry> create(const TreeView::Parent& at, const NewFile& file);
  // The directory as something that may get or lose names. EACCES ENOENT.
  Walked<NodePtr> changing(uint64_t directory);
  Result<void> apply(const NodePtr& node, const AttributeChange& change, bool may_write);
  Result<void> may_change(const Inode& inode, const AttributeChange& change) const;
  // A name of the file is gone.
  static void unname(Edit& edit, const NodePtr& node);
  void closed(const NodePtr& node, bool may_write);
  Walked<void> check_replace(const Entry& source, const Entry& target);
  Walked<void> exchange(const TreeView::Parent& from, const TreeView::Parent& to, const Entry& source,
                        const Entry& target);
  Walked<void> move(const TreeView::Parent& from, const TreeView::Parent& to, const Entry& source,
                    const std::optional<Entry>& target);
  Walked<void> may_set(const Inode& inode, std::string_view name, bool is_change) const;

  Store& store_;
  TreeView view_;
  History history_;
  std::string name_;
  std::unordered_map<uint64_t, std::weak_ptr<Node>> nodes_;
  size_t purge_above_ = 1024;  // nodes
};

}  // namespace osp::pip::store
