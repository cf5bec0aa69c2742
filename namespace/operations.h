#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "namespace/resolver.h"

// The file operations of the system calls, by name: each resolves its path (resolver.h) and acts, with
// what Linux says about trailing slashes, "." and ".." at the end, links, mount points and read-only
// trees. Their errors are the system call's. All may block; none is for signal handlers.
namespace osp::ns {

struct OpenedPlace {
  pip::Opened opened;  // of a union, or a directory with mount points in it: a file that lists them all
  Place place;
};

struct FoundPlace {
  pip::Attributes attributes;
  Place place;
};

// open(2). request.follow is the absence of O_NOFOLLOW. EBUSY EISDIR ENOTDIR ELOOP EEXIST EROFS EPERM.
Result<OpenedPlace> open(const Table& table, const Request& request, const pip::OpenMode& mode);
// stat(2); lstat(2) without request.follow.
Result<FoundPlace> stat(const Table& table, const Request& request);
// readlink(2). EINVAL: not a link.
Result<std::string> read_link(const Table& table, const Request& request);
// chmod, chown, truncate, utimensat.
Result<Place> change(const Table& table, const Request& request, const pip::AttributeChange& change);
// mkdir, symlink, mknod. EEXIST; EPERM: a union without a member for new files.
Result<Place> make(const Table& table, const Request& request, const pip::NewFile& file);
// unlink, or with `directory` rmdir. EBUSY: a mount point, or one lies below.
Result<Place> remove(const Table& table, const Request& request, bool directory);
// renameat2. EBUSY as remove; EXDEV between servers.
Result<Pair> rename(const Table& table, const Request& from, const Request& to, unsigned flags);
// linkat; with from.follow as AT_SYMLINK_FOLLOW.
Result<Pair> link(const Table& table, const Request& from, const Request& to);

// pip::Server::watch(). EOPNOTSUPP: its server has none.
Result<std::string> watch(const Table& table, const Request& request);

// getxattr and its family; the l… forms without request.follow.
Result<std::string> get_attribute(const Table& table, const Request& request, std::string_view name);
Result<void> set_attribute(const Table& table, const Request& request, std::string_view name, std::string_view value,
                           int flags);
Result<void> remove_attribute(const Table& table, const Request& request, std::string_view name);
Result<std::vector<std::string>> list_attributes(const Table& table, const Request& request);

// statfs(2).
Result<pip::FileSystemStat> statfs(const Table& table, const Request& request);

}  // namespace osp::ns
