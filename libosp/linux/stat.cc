#include "libosp/linux/stat.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "libosp/linux/calls.h"
#include "libosp/linux/clock.h"

namespace osp::linux {
namespace {

constexpr uint32_t block_size = 65536;

statx_timestamp to_statx(int64_t ns) {
  const timespec t = to_timespec(ns);
  statx_timestamp out = {};
  out.tv_sec = t.tv_sec;
  out.tv_nsec = static_cast<uint32_t>(t.tv_nsec);
  return out;
}

}  // namespace

long put_stat(uint64_t address, const pip::Attributes& a) {
  struct stat st = {};
  st.st_dev = served_device, st.st_ino = a.id, st.st_mode = a.mode, st.st_nlink = a.links;
  st.st_uid = a.uid, st.st_gid = a.gid, st.st_rdev = a.device;
  st.st_size = static_cast<off_t>(a.size), st.st_blksize = block_size, st.st_blocks = static_cast<blkcnt_t>(a.blocks);
  st.st_atim = to_timespec(a.atime_ns), st.st_mtim = to_timespec(a.mtime_ns), st.st_ctim = to_timespec(a.ctime_ns);
  return put(address, st) ? 0 : -EFAULT;
}

long put_statx(uint64_t address, const pip::Attributes& a) {
  struct statx st = {};
  st.stx_mask = STATX_BASIC_STATS;
  st.stx_blksize = block_size, st.stx_nlink = static_cast<uint32_t>(a.links), st.stx_uid = a.uid, st.stx_gid = a.gid;
  st.stx_mode = static_cast<uint16_t>(a.mode), st.stx_ino = a.id, st.stx_size = a.size, st.stx_blocks = a.blocks;
  st.stx_atime = to_statx(a.atime_ns), st.stx_mtime = to_statx(a.mtime_ns), st.stx_ctime = to_statx(a.ctime_ns);
  st.stx_rdev_major = major(a.device), st.stx_rdev_minor = minor(a.device);
  st.stx_dev_major = major(served_device), st.stx_dev_minor = minor(served_device);
  return put(address, st) ? 0 : -EFAULT;
}

}  // namespace osp::linux
