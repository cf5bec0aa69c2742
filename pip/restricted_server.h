#pragma once

#include "pip/access.h"
#include "pip/server.h"

namespace osp::pip {

// A server as somebody sees it who may not do everything there: what `access` does not allow is EACCES.
class RestrictedServer final : public Server {
 public:
  // `server` is the caller's and must live longer.
  RestrictedServer(Server& server, Access access) : server_(server), access_(std::move(access)) {}

  Walked<Opened> open(std::string_view path, const OpenMode& mode) override;
  Walked<Attributes> stat(std::string_view path) override;
  Walked<std::string> read_link(std::string_view path) override;
  Walked<void> change(std::string_view path, const AttributeChange& change) override;
  Walked<void> make(std::string_view path, const NewFile& file) override;
  Walked<void> remove(std::string_view path, bool directory) override;
  Walked<void> rename(std::string_view from, std::string_view to, unsigned flags) override;
  Walked<void> link(std::string_view from, std::string_view to) override;
  Walked<std::string> get_attribute(std::string_view path, std::string_view name) override;
  Walked<void> set_attribute(std::string_view path, std::string_view name, std::string_view value, int flags) override;
  Walked<void> remove_attribute(std::string_view path, std::string_view name) override;
  Walked<std::vector<std::string>> list_attributes(std::string_view path) override;
  Result<FileSystemStat> statfs() override { return server_.statfs(); }
  [[nodiscard]] std::string name() const override { return server_.name(); }

  // Whether a file may be (or stay) open so.
  static bool may_open(const Access& access, std::string_view path, const OpenMode& mode);
  // A file that may only be read, be it by calls that need no mode of an fd (chmod, utimens).
  static std::unique_ptr<File> read_only(std::unique_ptr<File> file);

 private:
  Server& server_;
  Access access_;
};

}  // namespace osp::pip
