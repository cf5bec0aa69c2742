// System V shared memory and POSIX message queues, which are the host's: shmat(2), mq_timedreceive(2)…
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "libosp/file/files.h"
#include "libosp/host/side.h"
#include "libosp/linux/calls.h"
#include "libosp/linux/clock.h"
#include "libosp/patch/site_patcher.h"

namespace osp::linux {
namespace {

int protection_of(int flags) {
  return PROT_READ | ((flags & SHM_RDONLY) == 0 ? PROT_WRITE : 0) | ((flags & SHM_EXEC) != 0 ? PROT_EXEC : 0);
}

// What the segment is mapped as. Its identity is the one that /proc/self/maps shows: the id is the inode.
memory::Area area_of(const shmid_ds& segment, uint64_t id, uintptr_t at, int flags) {
  memory::Area area;
  area.start = at, area.end = at + memory::page_up(segment.shm_segsz);
  area.protection = protection_of(flags), area.flags = MAP_SHARED;
  area.backing = std::make_shared<memory::Backing>();
  area.backing->path = fmt::format("/SYSV{:08x} (deleted)", static_cast<unsigned>(segment.shm_perm.__key));
  area.backing->inode = id;
  return area;
}

// Where the program wants it (SHM_RND: rounded down); 0: anywhere. EINVAL.
Result<uintptr_t> wanted_place(uint64_t address, int flags) {
  const uintptr_t place = (flags & SHM_RND) != 0 ? memory::page_down(address) : address;
  if (place != memory::page_down(place) || (place == 0 && (flags & SHM_REMAP) != 0)) return fail(EINVAL);
  return place;
}

// Takes the address range from the core's map, so that only the segment can be put there. EINVAL: something is there.
Result<uintptr_t> reserve(Call& c, uintptr_t place, size_t size, int flags) {
  int how = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  if (place != 0) how |= (flags & SHM_REMAP) != 0 ? MAP_FIXED : MAP_FIXED_NOREPLACE;
  auto made = c.process.memory.map(place, size, PROT_NONE, how, -1, 0, nullptr);
  if (made && (flags & SHM_REMAP) != 0) c.process.patcher->forget(place, size);
  if (!made && made.error().code == EEXIST) return fail(EINVAL);
  return made;
}

// The area that begins an attached segment at `start`, with all that the program has not unmapped of it.
size_t attached_size(const Call& c, uintptr_t start) {
  const memory::Area* first = c.process.memory.find(start);
  if (first == nullptr || first->backing == nullptr || !first->backing->path.starts_with("/SYSV")) return 0;
  uintptr_t end = first->end;
  for (const memory::Area* next = c.process.memory.find(end); next != nullptr && next->backing == first->backing;
       next = c.process.memory.find(end))
    end = next->end;
  return end - start;
}

long when_queue_ready(Call& c, short events) {
  if (c.process.files->find(static_cast<int>(c.a)) != nullptr) return -EBADF;
  if (c.process.single_threaded()) return forward_blocking(c);
  timespec until = {};
  if (c.e != 0 && !get(c.e, until)) return -EFAULT;
  const uint64_t deadline = c.e == 0 ? 0 : host_deadline(c, CLOCK_REALTIME, until, true);
  if (const long wait = wait_ready(c, static_cast<int>(c.a), events, deadline); wait != 0) return wait;
  return forward_blocking(c);
}

}  // namespace

long forward_once(Call& c) {
  if (host::is_native()) return forward_blocking(c);
  return block_in_host(c.nr, c.a, c.b, c.c, c.d, c.e, c.f, task::restart_nohand);
}

long sys_shmat(Call& c) {
  if (host::is_native()) return -ENOSYS;
  const auto flags = static_cast<int>(c.c);
  shmid_ds segment = {};
  if (const long asked = raw::syscall(SYS_shmctl, c.a, IPC_STAT, &segment); asked < 0) return asked;
  const auto place = wanted_place(c.b, flags);
  if (!place) return -place.error().code;
  const auto at = reserve(c, *place, segment.shm_segsz, flags);
  if (!at) return -at.error().code;
  if (const long attached = raw::syscall(SYS_shmat, c.a, *at, flags | SHM_REMAP); attached < 0) {
    (void)c.process.memory.unmap(*at, segment.shm_segsz);
    return attached;
  }
  c.process.memory.replace(area_of(segment, c.a, *at, flags));
  return static_cast<long>(*at);
}

long sys_shmdt(Call& c) {
  const size_t size = attached_size(c, c.a);
  if (size != 0 && c.process.memory.is_sealed(c.a, size)) return 0;  // it stays, and Linux does not say so
  const long result = forward(c);
  if (result == 0 && size != 0) (void)c.process.memory.unmap(c.a, size);
  if (result == 0 && size != 0) c.process.patcher->forget(c.a, size);
  return result;
}

long sys_mq_timedsend(Call& c) { return when_queue_ready(c, POLLOUT); }
long sys_mq_timedreceive(Call& c) { return when_queue_ready(c, POLLIN); }

}  // namespace osp::linux
