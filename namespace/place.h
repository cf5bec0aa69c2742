#pragma once

#include <memory>
#include <optional>
#include <string>

#include "namespace/mount_table.h"

namespace osp::ns {

// Where a path led: a name in the name space, and the server that has it. Keeps the table, and so the
// server, alive.
class Place {
 public:
  Place() = default;
  Place(std::shared_ptr<const MountTable> table, const Mount& mount, const Member& member, std::string path)
      : path_(std::move(path)), table_(std::move(table)), mount_(&mount), member_(&member) {}

  // The normal path, free of links: for the working directory, /proc/self/fd and reopening.
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] pip::Server& server() const { return *member_->server; }
  [[nodiscard]] std::shared_ptr<pip::Server> shared_server() const { return member_->server; }
  // The path on server().
  [[nodiscard]] std::string server_path() const { return join_relative(member_->path, below(path_, mount_->at)); }
  // EROFS for changes through this name.
  [[nodiscard]] bool read_only() const { return member_->read_only; }
  // Whether this is a mount point itself.
  [[nodiscard]] bool is_mount_point() const { return path_ == mount_->at; }
  // Whether the directory shows more than the server's own entries: a union, or mount points in it.
  [[nodiscard]] bool is_merged() const {
    return (is_mount_point() && mount_->is_union()) || table_->has_below(path_, true);
  }
  // The host's path of this file, if it is one of the host's and calls may be handed to it as they are.
  // For reading a directory check is_merged() first; for changes, read_only().
  [[nodiscard]] std::optional<std::string> host_path() const {
    const std::string* directory = member_->server->host_directory();
    if (directory == nullptr) return std::nullopt;
    std::string host = *directory;
    append(host, server_path());
    return host;
  }

  [[nodiscard]] const MountTable& table() const { return *table_; }
  [[nodiscard]] const Mount& mount() const { return *mount_; }
  [[nodiscard]] const Member& member() const { return *member_; }

 private:
  std::string path_;
  std::shared_ptr<const MountTable> table_;
  const Mount* mount_ = nullptr;
  const Member* member_ = nullptr;
};

}  // namespace osp::ns
