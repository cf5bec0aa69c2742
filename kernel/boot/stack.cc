#include "kernel/boot/stack.h"

#include <elf.h>

#include <new>

#include "kernel/cpu/processor.h"
#include "kernel/cpu/random.h"
#include "kernel/cpu/registers.h"
#include "libosp/host/native.h"
#include "libosp/host/window.h"

namespace osp::kernel {
namespace {

constexpr uint32_t boot_info_version = 1;

// glibc's vector variants of mem* and str* would destroy the program's upper vector state, and rseq belongs to the
// program (as libosp/host/boot.cc has it).
constexpr const char* tunables =
    "GLIBC_TUNABLES=glibc.pthread.rseq=0:glibc.malloc.arena_max=1:glibc.cpu.hwcaps="
    "-AVX512F,-AVX512VL,-AVX512BW,-AVX512CD,-AVX512DQ,-AVX2,-AVX,-FMA,-FMA4,-BMI2,-MOVBE,-RTM,"
    "-AVX2_Usable,-AVX_Fast_Unaligned_Load,-Prefer_No_VZEROUPPER,-XSAVEC,-XSAVE";

// What lies at the top of the stack: the words that the entry finds, and what they point to.
struct StackTop {
  uint64_t words[48];
  native::BootInfo info;
  native::Module modules[max_modules];
  native::Service services[max_tasks];
  char names[max_tasks][32];  // of services; longer ones are cut
  char random[16];
  char name[32];
  char platform[16];
  char tunables[512];
};
constexpr uint64_t top_pages = page_up(sizeof(StackTop)) / page_size;
constexpr uint64_t place = window::boot_stack + window::boot_stack_size - top_pages * page_size;

// The address in the task of a member of `top`.
uint64_t address_of(const StackTop& top, const void* member) {
  return place + static_cast<uint64_t>(static_cast<const char*>(member) - reinterpret_cast<const char*>(&top));
}

template <typename T>
T* in_task(const StackTop& top, const void* member) {
  return reinterpret_cast<T*>(address_of(top, member));
}

void copy_text(char* to, size_t size, const char* from) {
  Text text(to, size - 1);
  text << from;
  to[text.length()] = '\0';
}

void fill_modules(StackTop& top, const BootArchive& archive) {
  for (size_t i = 0; i < archive.count; ++i) {
    const ArchiveFile& file = archive.files[i];
    top.modules[i] = {reinterpret_cast<const char*>(archive.address_of(file.name)),
                      reinterpret_cast<const char*>(archive.address_of(file.data)), file.size};
  }
  top.info.modules = in_task<native::Module>(top, top.modules);
  top.info.module_count = archive.count;
}

bool fill_services(StackTop& top, Task& task) {
  size_t count = 0;
  for (uint32_t i = 0; i < task_count(); ++i) {
    Task& other = task_at(i);
    if (&other == &task) continue;
    other.queue().hold();
    const long handle = task.handles().add(&other.queue());
    if (handle < 0) return false;
    copy_text(top.names[count], sizeof top.names[count], other.name());
    top.services[count] = {in_task<const char>(top, top.names[count]), static_cast<uint32_t>(handle)};
    ++count;
  }
  top.info.services = in_task<native::Service>(top, top.services);
  top.info.service_count = count;
  return true;
}

void fill_words(StackTop& top, const ImageAddresses& image) {
  constexpr uint64_t fsgsbase = 2, ticks = 100, signal_frame_without_vectors = 1600;
  uint64_t* at = top.words;
  const auto pair = [&at](uint64_t type, uint64_t value) { *at++ = type, *at++ = value; };
  *at++ = 1;
  *at++ = address_of(top, top.name);
  *at++ = 0;
  *at++ = address_of(top, top.tunables);
  *at++ = 0;
  pair(AT_PHDR, image.headers), pair(AT_PHENT, sizeof(Elf64_Phdr)), pair(AT_PHNUM, image.header_count);
  pair(AT_ENTRY, image.entry), pair(AT_PAGESZ, page_size), pair(AT_CLKTCK, ticks);
  pair(AT_HWCAP, cpu::cpuid(1).d), pair(AT_HWCAP2, fsgsbase), pair(AT_SECURE, 0);
  pair(AT_UID, 0), pair(AT_EUID, 0), pair(AT_GID, 0), pair(AT_EGID, 0);
  pair(AT_RANDOM, address_of(top, top.random)), pair(AT_PLATFORM, address_of(top, top.platform));
  pair(AT_MINSIGSTKSZ, signal_frame_without_vectors + cpu::cpuid(13).b);
  pair(native::auxv_boot_info, address_of(top, &top.info));
  pair(AT_NULL, 0);
}

bool fill(StackTop& top, Task& task, const ImageAddresses& image, const BootArchive& archive) {
  top.info.version = boot_info_version;
  top.info.processors = processor_count();
  top.info.memory = total_page_count() * page_size;
  copy_text(top.name, sizeof top.name, task.name());
  copy_text(top.platform, sizeof top.platform, "x86_64");
  copy_text(top.tunables, sizeof top.tunables, tunables);
  fill_random(top.random, sizeof top.random);
  fill_modules(top, archive);
  fill_words(top, image);
  return fill_services(top, task);
}

}  // namespace

uint64_t write_stack(Task& task, const ImageAddresses& image, const BootArchive& archive) {
  static constinit StackTop top = {};  // one task after the other
  static_assert(offsetof(StackTop, words) == 0 && place % 16 == 0);
  memset(&top, 0, sizeof top);
  if (!fill(top, task, image, archive)) return 0;
  for (uint64_t i = 0; i < top_pages; ++i) {
    uint64_t page = 0;
    if (task.window().touch(place + i * page_size, page) != 0) return 0;
    const uint64_t left = sizeof top - i * page_size;
    memcpy(physical_pointer(page), reinterpret_cast<const char*>(&top) + i * page_size,
           left < page_size ? left : page_size);
  }
  return place;
}

}  // namespace osp::kernel
