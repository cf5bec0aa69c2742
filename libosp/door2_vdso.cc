#include "libosp/door2_vdso.h"

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "base/raw_syscall.h"
#include "libosp/host/kernel_vdso.h"
#include "libosp/task/exec.h"
#include "libosp/vdso/vdso.h"

namespace osp::door2 {
namespace {

using Bytes = std::vector<std::byte>;

constexpr size_t jump_size = 12, call_size = 8;

// movabs $target, %rax; jmp *%rax
void write_jump(std::byte* code, uint64_t target) {
  static constexpr unsigned char mov[] = {0x48, 0xb8}, jmp[] = {0xff, 0xe0};
  std::memcpy(code, mov, 2);
  std::memcpy(code + 2, &target, 8);
  std::memcpy(code + 10, jmp, 2);
}

// mov $nr, %eax; syscall; ret
void write_call(std::byte* code, uint32_t nr) {
  static constexpr unsigned char mov[] = {0xb8}, rest[] = {0x0f, 0x05, 0xc3};
  std::memcpy(code, mov, 1);
  std::memcpy(code + 1, &nr, 4);
  std::memcpy(code + 5, rest, 3);
}

// Functions that ours lacks become the system call of the same first arguments, or one that there is not.
void redirect(Bytes& image, uintptr_t ours) {
  constexpr uint32_t no_such_call = 0xffff;
  for (const host::VdsoFunction& function : host::vdso_functions(image)) {
    if (function.offset > image.size() || image.size() - function.offset < std::max(jump_size, call_size)) continue;
    std::byte* code = image.data() + function.offset;
    if (const auto offset = vdso::symbol_offset(function.name)) {
      write_jump(code, ours + *offset);
    } else {
      write_call(code, function.name.ends_with("getrandom") ? SYS_getrandom : no_such_call);
    }
  }
}

}  // namespace

Result<void> replace_vdso(task::Process& process, const host::KernelPages& pages) {
  OSP_ASSIGN(process.program.vdso, task::map_vdso(process));
  const auto [start, end] = pages.vdso;
  if (start == end) return {};
  const auto* code = reinterpret_cast<const std::byte*>(start);
  Bytes image(code, code + (end - start));
  redirect(image, process.program.vdso);
  if (const auto kept = host::keep_kernel_vdso(pages); !kept) {
    log::debug("core", "the kernel's vDSO cannot be moved: {}", describe(kept.error()));
    for (const host::Range& data : pages.data) raw::syscall(SYS_munmap, data.start, data.end - data.start);
  }
  const auto mapped = process.memory.map(start, image.size(), PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0, nullptr);
  if (!mapped) {
    log::warn("core", "the kernel's vDSO at {:#x} cannot be replaced: {}", start, describe(mapped.error()));
    return {};
  }
  std::memcpy(reinterpret_cast<void*>(start), image.data(), image.size());
  return process.memory.protect(start, image.size(), PROT_READ | PROT_EXEC);
}

}  // namespace osp::door2
