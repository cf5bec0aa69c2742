#include "pip/restricted_server.h"

#include "pip/past_path.h"

namespace osp::pip {
namespace {

Walked<void> require(bool allowed) { return allowed ? Walked<void>{} : std::unexpected(WalkError(EACCES)); }

class ReadOnlyFile final : public File {
 public:
  explicit ReadOnlyFile(std::unique_ptr<File> file) : file_(std::move(file)) {}
  Result<size_t> read(uint64_t offset, std::span<std::byte> into) override { return file_->read(offset, into); }
  Result<size_t> write(uint64_t, std::span<const std::byte>) override { return fail(EBADF); }
  Result<std::vector<DirectoryEntry>> read_directory(uint64_t first, size_t count) override {
    return file_->read_directory(first, count);
  }
  Result<Attributes> stat() override { return file_->stat(); }
  Result<void> change(const AttributeChange&) override { return fail(EACCES); }
  Result<void> commit() override { return file_->commit(); }
  Result<void> close() override { return file_->close(); }

 private:
  std::unique_ptr<File> file_;
};

}  // namespace

bool RestrictedServer::may_open(const Access& access, std::string_view path, const OpenMode& mode) {
  if (mode.create && !access.may_name(path)) return false;
  if (mode.write || mode.truncate || mode.append) return access.may_write(path);
  return mode.path_only ? access.may_pass(present_path(path)) : access.may_read(present_path(path));
}

std::unique_ptr<File> RestrictedServer::read_only(std::unique_ptr<File> file) {
  return std::make_unique<ReadOnlyFile>(std::move(file));
}

Walked<Opened> RestrictedServer::open(std::string_view path, const OpenMode& mode) {
  OpenMode allowed = mode;
  // To open what is there needs no right to its name.
  if (mode.create && !mode.exclusive && !access_.may_name(path)) allowed.create = false;
  OSP_TRY(require(may_open(access_, path, allowed)));
  auto found = server_.open(path, allowed);
  if (!found && found.error().code == ENOENT && mode.create && !allowed.create)
    return std::unexpected(WalkError(EACCES));
  OSP_ASSIGN(Opened opened, std::move(found));
  if (!access_.may_write(path)) opened.file = read_only(std::move(opened.file));
  return opened;
}

Walked<Attributes> RestrictedServer::stat(std::string_view path) {
  OSP_TRY(require(access_.may_pass(present_path(path))));
  return server_.stat(path);
}

Walked<std::string> RestrictedServer::read_link(std::string_view path) {
  OSP_TRY(require(access_.may_pass(present_path(path))));
  return server_.read_link(path);
}

Walked<void> RestrictedServer::change(std::string_view path, const AttributeChange& change) {
  OSP_TRY(require(access_.may_write(path)));
  return server_.change(path, change);
}

Walked<void> RestrictedServer::make(std::string_view path, const NewFile& file) {
  OSP_TRY(require(access_.may_name(path)));
  return server_.make(path, file);
}

Walked<void> RestrictedServer::remove(std::string_view path, bool directory) {
  OSP_TRY(require(access_.may_name(path)));
  return server_.remove(path, directory);
}

Walked<void> RestrictedServer::rename(std::string_view from, std::string_view to, unsigned flags) {
  OSP_TRY(require(access_.may_name(from) && access_.may_name(to)));
  return server_.rename(from, to, flags);
}

// The new name could give rights that the old one does not.
Walked<void> RestrictedServer::link(std::string_view from, std::string_view to) {
  OSP_TRY(require(access_.may_write(from) && access_.may_name(to)));
  return server_.link(from, to);
}

Walked<std::string> RestrictedServer::get_attribute(std::string_view path, std::string_view name) {
  OSP_TRY(require(access_.may_read(present_path(path))));
  return server_.get_attribute(path, name);
}

Walked<void> RestrictedServer::set_attribute(std::string_view path, std::string_view name, std::string_view value,
                                             int flags) {
  OSP_TRY(require(access_.may_write(path)));
  return server_.set_attribute(path, name, value, flags);
}

Walked<void> RestrictedServer::remove_attribute(std::string_view path, std::string_view name) {
  OSP_TRY(require(access_.may_write(path)));
  return server_.remove_attribute(path, name);
}

Walked<std::vector<std::string>> RestrictedServer::list_attributes(std::string_view path) {
  OSP_TRY(require(access_.may_read(present_path(path))));
  return server_.list_attributes(path);
}

}  // namespace osp::pip
