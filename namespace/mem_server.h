#pragma once

#include <memory>
#include <string>

#include "namespace/mem_tree.h"

namespace osp::ns {

// The memory file system, #m: directories, files with holes, links of both kinds, special files, times,
// user.* attributes, files that live on without a name, and a limit. It serves one user, whose
// permissions hold (uid 0: as root on Linux). One address space, no global state, not thread-safe: the
// caller serialises, files included. For several processes the keeper holds it and serves it over πp.
// Without MemOptions::pages, map() answers ENODEV: whoever caches pages (the πp client) maps them.
class MemServer final : public pip::Server {
 public:
  explicit MemServer(MemOptions options = {}) : tree_(std::make_shared<MemTree>(std::move(options))) {}

  pip::Walked<pip::Opened> open(std::string_view path, const pip::OpenMode& mode) override;
  pip::Walked<pip::Attributes> stat(std::string_view path) override;
  pip::Walked<std::string> read_link(std::string_view path) override;
  pip::Walked<void> change(std::string_view path, const pip::AttributeChange& change) override;
  pip::Walked<void> make(std::string_view path, const pip::NewFile& file) override;
  pip::Walked<void> remove(std::string_view path, bool directory) override;
  pip::Walked<void> rename(std::string_view from, std::string_view to, unsigned flags) override;
  pip::Walked<void> link(std::string_view from, std::string_view to) override;

  // user.* of files and directories; EOPNOTSUPP for other names, EPERM to set them on other files.
  pip::Walked<std::string> get_attribute(std::string_view path, std::string_view name) override;
  pip::Walked<void> set_attribute(std::string_view path, std::string_view name, std::string_view value,
                                  int flags) override;
  pip::Walked<void> remove_attribute(std::string_view path, std::string_view name) override;
  pip::Walked<std::vector<std::string>> list_attributes(std::string_view path) override;

  // With a size limit, that many bytes; else as if there were 2^44 of them.
  Result<pip::FileSystemStat> statfs() override;
  [[nodiscard]] std::string name() const override { return tree_->options().name; }
  // For checkpoints.
  [[nodiscard]] MemTree& tree() { return *tree_; }

 private:
  std::shared_ptr<MemTree> tree_;  // shared with the open files
};

}  // namespace osp::ns
