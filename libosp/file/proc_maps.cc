#include "libosp/file/proc_maps.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cstddef>

#include "libosp/linux/call.h"
#include "libosp/task/process.h"

namespace osp::file {
namespace {

using task::Process;

struct Query {  // struct procmap_query
  uint64_t size, flags, address;
  uint64_t start, end, area_flags, page_size, offset, inode;
  uint32_t major, minor, name_size, build_id_size;
  uint64_t name, build_id;
};
constexpr uint64_t query_request = _IOWR('f', 17, Query);
constexpr size_t least_size = offsetof(Query, address) + sizeof(uint64_t);

constexpr uint64_t readable = 1, writable = 2, executable = 4, shared = 8, or_next = 16, of_file = 32, known = 63;

std::string_view label(const memory::Area& area) {
  switch (area.use) {
    case memory::Use::heap:
      return "[heap]";
    case memory::Use::stack:
      return "[stack]";
    case memory::Use::vdso:
      return "[vdso]";
    default:
      return area.backing != nullptr ? std::string_view(area.backing->path) : std::string_view();
  }
}

uint64_t flags_of(const memory::Area& area) {
  return ((area.protection & PROT_READ) != 0 ? readable : 0) | ((area.protection & PROT_WRITE) != 0 ? writable : 0) |
         ((area.protection & PROT_EXEC) != 0 ? executable : 0) | ((area.flags & MAP_SHARED) != 0 ? shared : 0);
}

bool is_wanted(const memory::Area& area, uint64_t flags) {
  if ((flags & of_file) != 0 && area.backing == nullptr) return false;
  const uint64_t rights = flags & (readable | writable | executable | shared);
  return (flags_of(area) & rights) == rights;
}

// The area at the address, or with `or_next` the first behind it that will do; null: none.
const memory::Area* matching(const Process& p, const Query& query) {
  const auto& areas = p.memory.areas();
  auto it = areas.upper_bound(query.address);
  if (it != areas.begin() && std::prev(it)->second.end > query.address) --it;
  if ((query.flags & or_next) == 0) {
    const bool there = it != areas.end() && it->first <= query.address && is_wanted(it->second, query.flags);
    return there ? &it->second : nullptr;
  }
  while (it != areas.end() && !is_wanted(it->second, query.flags)) ++it;
  return it == areas.end() ? nullptr : &it->second;
}

// The name with its NUL goes where the program wants it.
long put_name(const memory::Area& area, Query& query) {
  const std::string name(label(area));
  if (query.name_size == 0) return 0;
  if (!name.empty() && name.size() + 1 > query.name_size) return -ENAMETOOLONG;
  query.name_size = name.empty() ? 0 : static_cast<uint32_t>(name.size() + 1);
  return osp_user_copy(reinterpret_cast<void*>(query.name), name.c_str(), query.name_size);
}

long get_query(uint64_t argument, Query& query) {
  uint64_t size = 0;
  if (!linux::get(argument, size)) return -EFAULT;
  if (size > memory::page_size) return -E2BIG;
  if (size < least_size) return -EINVAL;
  for (uint64_t at = sizeof query; at < size; ++at) {
    char rest = 0;
    if (!linux::get(argument + at, rest)) return -EFAULT;
    if (rest != 0) return -E2BIG;
  }
  if (osp_user_copy(&query, reinterpret_cast<void*>(argument), std::min<uint64_t>(size, sizeof query)) != 0)
    return -EFAULT;
  const bool name_is_whole = (query.name_size != 0) == (query.name != 0);
  const bool id_is_whole = (query.build_id_size != 0) == (query.build_id != 0);
  return (query.flags & ~known) != 0 || !name_is_whole || !id_is_whole ? -EINVAL : 0;
}

}  // namespace

std::string maps_text(const Process& p) {
  p.memory.name_backings();
  std::string out;
  for (const auto& [start, area] : p.memory.areas()) {
    const auto flag = [&](int bit, char name) { return (area.protection & bit) != 0 ? name : '-'; };
    const dev_t device = area.backing != nullptr ? area.backing->device : 0;
    std::string line =
        fmt::format("{:08x}-{:08x} {}{}{}{} {:08x} {:02x}:{:02x} {} ", area.start, area.end, flag(PROT_READ, 'r'),
                    flag(PROT_WRITE, 'w'), flag(PROT_EXEC, 'x'), (area.flags & MAP_SHARED) != 0 ? 's' : 'p',
                    area.backing != nullptr ? area.offset : 0, major(device), minor(device),
                    area.backing != nullptr ? area.backing->inode : 0);
    if (const auto name = label(area); !name.empty()) {
      line.resize(std::max<size_t>(line.size(), 73), ' ');
      line += name;
    }
    out += line + "\n";
  }
  return out;
}

// The identity of a build is looked for in no file: there is none, as of files without one.
long MapsFile::control(task::Thread& thread, uint64_t request, uint64_t argument) {
  if (request != query_request) return -ENOTTY;
  Query query = {};
  if (const long error = get_query(argument, query); error != 0) return error;
  const Process& p = thread.process;
  const memory::Area* found = matching(p, query);
  if (found == nullptr) return -ENOENT;
  p.memory.name_backings();
  const memory::Area& area = *found;
  query.start = area.start, query.end = area.end, query.area_flags = flags_of(area);
  query.page_size = memory::page_size, query.build_id_size = 0;
  query.offset = query.inode = query.major = query.minor = 0;
  if (area.backing != nullptr) {
    query.offset = area.offset, query.inode = area.backing->inode;
    query.major = major(area.backing->device), query.minor = minor(area.backing->device);
  }
  if (const long error = put_name(area, query); error != 0) return error;
  const size_t size = std::min<uint64_t>(query.size, sizeof query);
  return osp_user_copy(reinterpret_cast<void*>(argument), &query, size);
}

}  // namespace osp::file
