#include "tools/mount/call.h"

#include <sys/statvfs.h>

#include "base/log.h"
#include "tools/mount/wishes.h"

namespace osp::fuse {
namespace {

timespec to_time(int64_t ns) {
  constexpr int64_t second = 1'000'000'000;
  const int64_t rest = ((ns % second) + second) % second;
  return {.tv_sec = (ns - rest) / second, .tv_nsec = rest};
}

fuse_entry_param to_entry(const Node& node) {
  fuse_entry_param entry = {};
  entry.ino = node.number();
  entry.attr = to_stat(node.attributes);
  return entry;
}

}  // namespace

struct stat to_stat(const pip::Attributes& a) {
  struct stat st = {};
  st.st_ino = a.id, st.st_mode = a.mode, st.st_nlink = a.links, st.st_uid = a.uid, st.st_gid = a.gid;
  st.st_rdev = a.device, st.st_size = static_cast<off_t>(a.size), st.st_blksize = 4096;
  st.st_blocks = static_cast<blkcnt_t>(a.blocks);
  st.st_atim = to_time(a.atime_ns), st.st_mtim = to_time(a.mtime_ns), st.st_ctim = to_time(a.ctime_ns);
  return st;
}

Call::Call(Calls& calls, fuse_req_t request) : calls_(calls), request_(request) {
  const fuse_ctx* const context = fuse_req_ctx(request);
  thread_ = context->pid, uid_ = context->uid, gid_ = context->gid;
  place_ = calls_.all_.insert(calls_.all_.end(), this);
  fuse_req_interrupt_func(
      request, [](fuse_req_t, void* call) { static_cast<Call*>(call)->interrupted_ = true; }, this);
}

Call::~Call() {
  calls_.all_.erase(place_);
  if (!answered_) log::error("mount", "a request was not answered");
}

void Calls::look_for_signals() {
  for (Call* const call : all_)
    if (call->interrupted_ && !call->answered_ && wants_to_leave(call->thread_)) call->fail(EINTR);
}

bool Call::fail(int code) { return take() && fuse_reply_err(request_, code) == 0; }

bool Call::done(const Result<void>& result) { return fail(result ? 0 : result.error().code); }

bool Call::entry(const Node& node) {
  const fuse_entry_param entry = to_entry(node);
  return take() && fuse_reply_entry(request_, &entry) == 0;
}

bool Call::created(const Node& node, const fuse_file_info& file) {
  const fuse_entry_param entry = to_entry(node);
  return take() && fuse_reply_create(request_, &entry, &file) == 0;
}

bool Call::opened(const fuse_file_info& file) { return take() && fuse_reply_open(request_, &file) == 0; }

bool Call::attributes(const pip::Attributes& attributes) {
  const struct stat st = to_stat(attributes);
  return take() && fuse_reply_attr(request_, &st, 0) == 0;
}

bool Call::data(std::string_view bytes) { return take() && fuse_reply_buf(request_, bytes.data(), bytes.size()) == 0; }

bool Call::size(size_t size) { return take() && fuse_reply_write(request_, size) == 0; }

bool Call::attribute_size(size_t size) { return take() && fuse_reply_xattr(request_, size) == 0; }

bool Call::link_target(const std::string& target) {
  return take() && fuse_reply_readlink(request_, target.c_str()) == 0;
}

bool Call::file_system(const pip::FileSystemStat& stat) {
  struct statvfs st = {};
  st.f_bsize = st.f_frsize = stat.block_size;
  st.f_blocks = stat.blocks, st.f_bfree = stat.free, st.f_bavail = stat.available;
  st.f_files = stat.files, st.f_ffree = st.f_favail = stat.files_free, st.f_namemax = stat.name_max;
  return take() && fuse_reply_statfs(request_, &st) == 0;
}

}  // namespace osp::fuse
