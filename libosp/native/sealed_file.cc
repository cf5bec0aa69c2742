#include "libosp/native/sealed_file.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "libosp/native/processes.h"

namespace osp::native {
namespace {

constexpr unsigned no_writes = F_SEAL_WRITE | F_SEAL_FUTURE_WRITE;
constexpr unsigned known = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | no_writes;

}  // namespace

Result<void> SealedFile::check_write(uint64_t end) const {
  if ((seals_ & no_writes) != 0) return fail(EPERM);
  if ((seals_ & F_SEAL_GROW) == 0) return {};
  OSP_ASSIGN(const pip::Attributes now, file_->stat());
  return end > now.size ? Result<void>(fail(EPERM)) : Result<void>();
}

Result<size_t> SealedFile::write(uint64_t offset, std::span<const std::byte> from) {
  OSP_TRY(check_write(offset + from.size()));
  return file_->write(offset, from);
}

Result<uint64_t> SealedFile::append(std::span<const std::byte> from) {
  OSP_TRY(check_write(UINT64_MAX));
  return file_->append(from);
}

Result<void> SealedFile::change(const pip::AttributeChange& change) {
  if (change.has_size) {
    OSP_ASSIGN(const pip::Attributes now, file_->stat());
    if (change.size < now.size && (seals_ & F_SEAL_SHRINK) != 0) return fail(EPERM);
    if (change.size > now.size && (seals_ & F_SEAL_GROW) != 0) return fail(EPERM);
  }
  return file_->change(change);
}

Result<pip::PageRange> SealedFile::map(uint64_t offset, uint64_t size, bool writable) {
  if (writable && (seals_ & no_writes) != 0) return fail(EPERM);
  return file_->map(offset, size, writable);
}

Result<bool> SealedFile::is_mapped_for_writing() {
  OSP_ASSIGN(const pip::PageRange pages, file_->map(0, 0, false));
  bool mapped = false;
  task::process().environment->each_process([&](const task::Process& process) {
    for (const auto& [start, area] : process.memory.areas()) {
      const bool is_it = area.backing != nullptr && area.backing->pages == pages.keep;
      mapped |= is_it && (area.flags & MAP_SHARED) != 0 && !area.never_written;
    }
  });
  return mapped;
}

Result<void> SealedFile::add_seals(unsigned seals) {
  if ((seals & ~known) != 0) return fail(EINVAL);
  if ((seals_ & F_SEAL_SEAL) != 0) return fail(EPERM);
  if ((seals & ~seals_ & F_SEAL_WRITE) != 0) {
    OSP_ASSIGN(const bool mapped, is_mapped_for_writing());
    if (mapped) return fail(EBUSY);
  }
  seals_ |= seals;
  return {};
}

}  // namespace osp::native
