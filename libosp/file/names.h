#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "libosp/host/boot.h"
#include "namespace/namespace.h"
#include "namespace/ns_apply.h"
#include "namespace/ns_file.h"
#include "namespace/operations.h"

namespace osp::file {

// Where the process stands in its name space: the table, the working directory and the root. With nothing
// but the host at "/" paths go to the host untouched, and the host knows the working directory; else it is
// kept here. Forked children begin with a copy.
class Names {
 public:
  Names();
  // In a name space without the host.
  explicit Names(std::shared_ptr<ns::Namespace> space) : space_(std::move(space)), cwd_("/") {}

  [[nodiscard]] ns::Namespace& space() const { return *space_; }
  [[nodiscard]] ns::Table table() const { return space_->table(); }
  // Whether the host may be given this path as it is: nothing is mounted, and it is none of the files
  // under /proc that the core answers.
  [[nodiscard]] bool is_plain(std::string_view path) const;
  [[nodiscard]] bool only_host() const { return space_->only_host() && root_ == "/"; }

  // What to resolve: `path` from the directory that `directory_fd` (or AT_FDCWD) names. The request borrows
  // both strings. EBADF, ENOTDIR.
  struct Held {
    std::string base, path;
    [[nodiscard]] ns::Request request(bool follow, uint64_t resolve = 0) const;
    std::string root;
  };
  Result<Held> hold(int directory_fd, std::string path) const;

  // The working directory in the name space.
  [[nodiscard]] std::string cwd() const;
  // chdir(2), of what the request names. The host stands in the same directory where it has it, so that what it shows
  // of us is right. ENOTDIR ENOENT EACCES and what resolving gives.
  Result<void> change_directory(ns::Request where);
  void set_cwd(std::string path) { cwd_ = std::move(path); }  // as it is known; nothing is looked up
  // What the program is to be told of a file that the host calls `path`: the name space's name, where it has one.
  [[nodiscard]] std::string name_of(std::string path) const;
  [[nodiscard]] const std::string& root() const { return root_; }
  void set_root(std::string path) { root_ = std::move(path); }

  // Reads the doors' options: files, -m and -b, in order, with servers from `servers`. The error is for a person.
  ns::NsResult<void> apply(const host::BootBlock& boot, const std::vector<std::string>& environment,
                           ns::ServerFactory& servers);

 private:
  std::shared_ptr<ns::Namespace> space_;
  std::string cwd_;
  std::string root_ = "/";
};

}  // namespace osp::file
