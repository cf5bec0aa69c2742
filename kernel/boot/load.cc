#include "kernel/boot/load.h"

#include <elf.h>

#include "kernel/boot/image.h"
#include "kernel/boot/stack.h"
#include "kernel/cpu/clock.h"
#include "kernel/device/console.h"
#include "libosp/host/native.h"
#include "libosp/host/window.h"

namespace osp::kernel {
namespace {

bool map_pages(Map& window, uint64_t address, uint64_t physical, uint64_t size) {
  Area* area = make_area(address, address + size, PROT_READ);
  if (area == nullptr) return false;
  area->backing = Area::Backing::physical;
  area->source = physical;
  return window.insert(area) == 0;
}

bool map_stack(Map& window) {
  Area* area = make_area(window::boot_stack, window::boot_stack + window::boot_stack_size, PROT_READ | PROT_WRITE);
  return area != nullptr && window.insert(area) == 0;
}

TrapFrame frame_at(uint64_t entry, uint64_t stack) {
  TrapFrame frame = {};
  frame.rip = frame.rcx = entry;
  frame.flags = frame.r11 = user_flags(0);
  frame.rsp = stack;
  frame.cs = OSP_USER_CODE;
  frame.ss = OSP_USER_DATA;
  return frame;
}

}  // namespace

uint64_t BootArchive::address_of(const char* pointer) const {
  return window::modules + (physical_address(pointer) - physical);
}

Thread* load_task(Task& task, const ArchiveFile& image, const BootArchive& archive) {
  Held<Space> space(Space::create(task));
  ImageAddresses addresses = {};
  if (!space || map_image(task.window(), image, addresses) != 0 || !map_stack(task.window()) ||
      !map_pages(task.window(), window::modules, archive.physical, archive.size) ||
      !map_pages(task.window(), window::time_page, time_page(), page_size))
    return nullptr;
  const uint64_t stack = write_stack(task, addresses, archive);
  return stack == 0 ? nullptr : make_thread(task, *space, frame_at(addresses.entry, stack));
}

}  // namespace osp::kernel
