#include "libosp/native/console.h"

#include <sys/stat.h>

#include <array>

#include "libosp/file/files.h"
#include "libosp/host/host.h"

namespace osp::native {
namespace {

// What the kernel's console takes: standard error, and what the core says.
class KernelConsole final : public file::Description {
 public:
  long read(task::Thread&, void*, size_t) override { return 0; }
  long write(task::Thread&, const void* from, size_t size) override {
    std::array<char, 1024> buffer;
    size_t done = 0;
    while (done < size) {
      const size_t part = std::min(size - done, buffer.size());
      if (osp_user_copy(buffer.data(), static_cast<const char*>(from) + done, part) != 0)
        return done > 0 ? static_cast<long>(done) : -EFAULT;
      host::write_console(buffer.data(), part);
      done += part;
    }
    return static_cast<long>(done);
  }
  Result<pip::Attributes> stat() override {
    pip::Attributes a;
    a.mode = S_IFIFO | 0600, a.links = 1;
    return a;
  }
};

}  // namespace

void open_console(task::Process& process, const BootInfo&, const BootRecord&) {
  auto console = std::make_shared<KernelConsole>();
  console->flags = O_RDWR;
  for (int fd = 0; fd < 3; ++fd) process.files->install(console, false);
}

}  // namespace osp::native
