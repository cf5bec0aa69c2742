#pragma once

#include <memory>
#include <string>

#include "pip/host_walk.h"
#include "pip/known_directories.h"
#include "pip/server.h"

namespace osp::pip {

// A plain directory of the host as a server: raw system calls relative to one fd. It never leaves that directory:
// symbolic links are reported, not followed. Versions are derived from the change time; writes go straight through.
// The process's umask must be 0, or it is taken from new files' permissions once more.
class HostTree final : public Server {
 public:
  struct Options {
    bool read_only = false;     // everything that would change the tree: EROFS
    bool special_files = true;  // false: opening a fifo or device for its contents is ENXIO (it could block)
    std::string name = "#U";    // what name() says
    // Given each fd that stays open, to move out of a program's way: returns the new one, or minus an errno.
    int (*keep)(int fd) = nullptr;
    void (*drop)(int fd) = nullptr;  // closes what keep returned
    // Links of proc(5) to files that have no name are followed: for a tree of the process's own use.
    bool follows_unnamed = false;
    HostWalk::LinkTarget link_target = nullptr;
    // A number that stays the same while the tree's user cannot have learnt of a change by others: so long, what was
    // found to be a directory is taken to be one. Null: it is looked up each time.
    uint64_t (*moment)() = nullptr;
  };

  // Opens `directory`, an absolute path of the host. ENOENT, ENOTDIR, EACCES.
  static Result<std::unique_ptr<HostTree>> create(std::string directory, Options options);

  Walked<Opened> open(std::string_view path, const OpenMode& mode) override;
  Walked<Attributes> stat(std::string_view path) override;
  Walked<std::string> read_link(std::string_view path) override { return walk_.read_link(path); }
  Walked<Attributes> follow(std::string_view path) override;
  Walked<void> change(std::string_view path, const AttributeChange& change) override;
  Walked<void> make(std::string_view path, const NewFile& file) override;
  Walked<void> remove(std::string_view path, bool directory) override;
  Walked<void> rename(std::string_view from, std::string_view to, unsigned flags) override;
  Walked<void> link(std::string_view from, std::string_view to) override;
  Walked<std::string> get_attribute(std::string_view path, std::string_view name) override;
  Walked<void> set_attribute(std::string_view path, std::string_view name, std::string_view value, int flags) override;
  Walked<void> remove_attribute(std::string_view path, std::string_view name) override;
  Walked<std::vector<std::string>> list_attributes(std::string_view path) override;
  Result<FileSystemStat> statfs() override;
  [[nodiscard]] const std::string* host_directory() const override { return &directory_; }
  bool parents_are_plain(std::string_view path) override;
  [[nodiscard]] std::string name() const override { return options_.name; }

 private:
  HostTree(HostFd root, std::string directory, uint64_t root_device, Options options)
      : root_(std::move(root)),
        walk_(root_.get(), options.link_target),
        directory_(std::move(directory)),
        root_device_(root_device),
        options_(std::move(options)) {}

  [[nodiscard]] Walked<void> may_write() const;
  // Opens (O_PATH) what an operation by name acts on.
  Walked<HostFd> open_named(std::string_view path);
  Walked<HostFd> open_or_create(std::string_view path, const OpenMode& mode, bool& created);
  Walked<void> refuse_special(std::string_view path);

  HostFd root_;
  HostWalk walk_;
  std::string directory_;
  uint64_t root_device_;
  Options options_;
  KnownDirectories known_;
};

}  // namespace osp::pip
