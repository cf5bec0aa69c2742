#include <linux/openat2.h>

#include <utility>

#include "namespace/walker.h"

// The part of the walker that puts a symbolic link's target in the link's place.
namespace osp::ns {
namespace {

constexpr unsigned links_max = 40;  // MAXSYMLINKS of Linux

// Where in the name space path the link ends that a server found after `consumed` bytes of its own path;
// 0: nowhere. What a remote server says is not trusted.
size_t end_of_link(std::string_view full, const Mount& mount, const Member& member, size_t consumed) {
  const size_t member_size = member.path.empty() ? 0 : member.path.size() + 1;
  const size_t start = mount.at.size() <= 1 ? 1 : mount.at.size() + 1;
  if (consumed <= member_size || start + consumed - member_size > full.size()) return 0;
  const size_t end = start + consumed - member_size;
  return end == full.size() || full[end] == '/' ? end : 0;
}

}  // namespace

Result<void> Walker::splice(const pip::WalkError& error, const Mount& mount, const Member& member) {
  if ((request_.resolve & RESOLVE_NO_SYMLINKS) != 0 || ++links_ > links_max) return fail(ELOOP);
  const size_t end = end_of_link(full_, mount, member, error.consumed);
  if (end == 0 || error.target.contains('\0')) return fail(EIO);
  if (error.target.size() > path_size_max) return fail(ENAMETOOLONG);
  const bool at_end = end == full_.size() && pending_.empty();
  if (at_end && !request_.follow && !directory_) return fail(ELOOP);

  std::string rest = error.target;
  rest += std::string_view(full_).substr(end);
  if (!pending_.empty()) rest += '/';
  rest += pending_;
  if (pending_.empty() && directory_) rest += last_ == LastName::normal ? "/" : "/.";
  if (error.target.front() == '/') {
    if ((request_.resolve & RESOLVE_BENEATH) != 0) return fail(EXDEV);
    full_ = scope();
    OSP_TRY(check_device(full_));
  } else {
    full_.resize(parent_of(std::string_view(full_).substr(0, end)).size());
  }
  settled_ = full_.size();
  spliced_ = std::move(rest);
  pending_ = spliced_;
  directory_ = false;
  last_ = LastName::root;
  return {};
}

}  // namespace osp::ns
