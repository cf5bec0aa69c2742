#include "pip/store/inode.h"

#include <sys/stat.h>

#include <algorithm>

#include "pip/wire.h"

namespace osp::pip::store {
namespace {

constexpr uint8_t form = 1;  // of an inode's record
constexpr uint64_t block = 512;
constexpr uint64_t directory_size = 4096;  // as most file systems say

Result<Inode> checked(Inode inode, bool is_whole) {
  const bool has_sane_sizes = inode.size <= uint64_t{INT64_MAX} && inode.committed.size <= uint64_t{INT64_MAX} &&
                              inode.draft_base_end <= inode.committed.size;
  if (!is_whole || !has_sane_sizes || (inode.mode & S_IFMT) == 0) return fail(EBADMSG);
  return inode;
}

}  // namespace

Attributes Inode::describe(uint64_t id) const {
  Attributes a;
  a.id = id, a.mode = mode, a.uid = uid, a.gid = gid, a.links = links, a.device = device;
  a.size = S_ISDIR(mode) ? directory_size : S_ISLNK(mode) ? target.size() : size;
  a.blocks = (std::min(allocated, size) + block - 1) / block;
  a.atime_ns = atime_ns, a.mtime_ns = mtime_ns, a.ctime_ns = ctime_ns;
  a.version = version;
  return a;
}

Inode Inode::without_draft() const {
  Inode plain = *this;
  if (!is_draft) return plain;
  plain.is_draft = false;
  plain.draft_base_end = 0;
  plain.size = committed.size, plain.allocated = committed.allocated, plain.mtime_ns = committed.mtime_ns;
  return plain;
}

std::string encode(const Inode& inode) {
  std::string record;
  Writer out(record);
  out.u8(form);
  out.u32(inode.mode), out.u32(inode.uid), out.u32(inode.gid);
  out.u64(inode.links), out.u64(inode.device);
  for (const int64_t time : {inode.atime_ns, inode.mtime_ns, inode.ctime_ns}) out.number(time);
  out.u64(inode.size), out.u64(inode.allocated), out.u64(inode.version);
  out.u64(inode.committed.version), out.u64(inode.committed.size), out.u64(inode.committed.allocated);
  out.number(inode.committed.mtime_ns);
  out.u8(inode.is_draft ? 1 : 0), out.u64(inode.draft_base_end);
  out.bytes(inode.target);
  for (const auto& [name, value] : inode.attributes) out.bytes(name), out.bytes(value);
  return record;
}

Result<Inode> decode_inode(std::string_view record) {
  Reader in(record);
  Inode inode;
  if (in.u8() != form) return fail(EBADMSG);
  inode.mode = in.u32(), inode.uid = in.u32(), inode.gid = in.u32();
  inode.links = in.u64(), inode.device = in.u64();
  inode.atime_ns = in.i64(), inode.mtime_ns = in.i64(), inode.ctime_ns = in.i64();
  inode.size = in.u64(), inode.allocated = in.u64(), inode.version = in.u64();
  inode.committed.version = in.u64(), inode.committed.size = in.u64(), inode.committed.allocated = in.u64();
  inode.committed.mtime_ns = in.i64();
  inode.is_draft = in.u8() != 0, inode.draft_base_end = in.u64();
  inode.target = in.bytes();
  while (in.ok() && !in.rest().empty()) {
    const std::string_view name = in.bytes();
    inode.attributes[std::string(name)] = in.bytes();
  }
  return checked(std::move(inode), in.finished());
}

std::string encode(const Version& version) {
  std::string record;
  Writer out(record);
  out.number(version.time_ns), out.number(version.mtime_ns), out.u64(version.size), out.u64(version.allocated);
  return record += version.content;
}

Result<Version> decode_version(std::string_view record) {
  Reader in(record);
  Version version;
  version.time_ns = in.i64(), version.mtime_ns = in.i64(), version.size = in.u64(), version.allocated = in.u64();
  if (!in.ok() || version.size > uint64_t{INT64_MAX}) return fail(EBADMSG);
  version.content = in.rest();
  return version;
}

std::string encode(const Entry& entry) {
  std::string record;
  Writer out(record);
  out.u64(entry.id), out.u32(entry.kind);
  return record;
}

Result<Entry> decode_entry(std::string_view record) {
  Reader in(record);
  Entry entry;
  entry.id = in.u64(), entry.kind = in.u32();
  if (!in.finished()) return fail(EBADMSG);
  return entry;
}

}  // namespace osp::pip::store
