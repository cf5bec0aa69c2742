// memfd_create(2) natively, and what asks a file for nothing that the core's would have to do.
#include <fcntl.h>
#include <sys/mman.h>

#include "libosp/file/served_file.h"
#include "libosp/memory/file_pages.h"
#include "libosp/native/calls.h"
#include "libosp/native/sealed_file.h"
#include "namespace/mem_server.h"

namespace osp::native {
namespace {

constexpr size_t name_limit = 249;

// Files without names; each has lost its own before the program sees it.
pip::Server& nameless() {
  static ns::MemServer server({.name = "#memfd", .pages = memory::make_file_pages});
  return server;
}

}  // namespace

long sys_memfd_create(Call& c) {
  constexpr unsigned known = MFD_CLOEXEC | MFD_ALLOW_SEALING | 0x18;  // MFD_NOEXEC_SEAL, MFD_EXEC
  const auto name = linux::get_string(c.a, name_limit + 1);
  if (!name) return name.error().code == ENAMETOOLONG ? -EINVAL : -name.error().code;
  if ((c.b & ~uint64_t{known}) != 0) return -EINVAL;
  pip::OpenMode mode;
  mode.read = mode.write = mode.create = mode.exclusive = true;
  mode.permissions = 0777;
  auto opened = nameless().open("file", mode);
  if (!opened) return -opened.error().code;
  if (const auto removed = nameless().remove("file", false); !removed) return -removed.error().code;
  const unsigned seals = (c.b & MFD_ALLOW_SEALING) != 0 ? 0 : F_SEAL_SEAL;
  auto sealed = std::make_unique<SealedFile>(std::move(opened->file), seals);
  auto file = std::make_shared<file::ServedFile>(std::move(sealed));
  file->set_server("#memfd");
  file->flags = O_RDWR | 0100000;  // O_LARGEFILE
  return c.process.files->install(std::move(file), (c.b & MFD_CLOEXEC) != 0);
}

long sys_advice(Call& c) {
  const auto* file = c.process.files->find(static_cast<int>(c.a));
  return file == nullptr || file->is_name_only() ? -EBADF : 0;
}

long sys_sync(Call&) { return 0; }

}  // namespace osp::native
