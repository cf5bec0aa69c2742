#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/boot/archive.h"
#include "kernel/memory/space.h"
#include "kernel/task/task.h"

namespace osp::kernel {

inline constexpr size_t max_modules = 64;

// The boot archive as tasks see it: in their windows from window::modules on.
struct BootArchive {
  uint64_t physical = 0, size = 0;  // of its first page; in whole pages
  ArchiveFile files[max_modules] = {};
  size_t count = 0;

  // Where a task sees what is at `pointer` in the archive.
  [[nodiscard]] uint64_t address_of(const char* pointer) const;
};

// Maps the task's image, the archive and the time page into its window, and a stack as a program finds it at its entry
// (System V ABI, AMD64, 3.4.1) with a BootInfo. Its first thread, which does not run yet; null: no memory, or not a
// static-PIE image.
[[nodiscard]] Thread* load_task(Task& task, const ArchiveFile& image, const BootArchive& archive);

}  // namespace osp::kernel
