#pragma once

#include <string>

#include "pip/server.h"

namespace osp::ns {

// A server whose root is an empty directory that nothing can be put in: what leads to a mount point that
// is made up. Its mount points are listed by UnionDirectory.
class EmptyDirectory final : public pip::Server {
 public:
  pip::Walked<pip::Opened> open(std::string_view path, const pip::OpenMode& mode) override;
  pip::Walked<pip::Attributes> stat(std::string_view path) override;
  pip::Walked<std::string> read_link(std::string_view path) override;
  pip::Walked<void> change(std::string_view path, const pip::AttributeChange& change) override;
  pip::Walked<void> make(std::string_view path, const pip::NewFile& file) override;
  pip::Walked<void> remove(std::string_view path, bool directory) override;
  pip::Walked<void> rename(std::string_view from, std::string_view to, unsigned flags) override;
  pip::Walked<void> link(std::string_view from, std::string_view to) override;
  Result<pip::FileSystemStat> statfs() override;
  [[nodiscard]] std::string name() const override { return "#empty"; }
};

}  // namespace osp::ns
