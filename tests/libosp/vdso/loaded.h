#pragma once

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "libosp/vdso/vdso.h"

namespace osp::vdso {

// The vDSO as glibc's own loader loads it, from a memfd; its symbols are looked up with their version.
class Loaded {
 public:
  Loaded() : fd_(memfd_create("vdso", MFD_CLOEXEC)) {
    const auto bytes = image();
    if (::write(fd_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) return;
    handle_ = dlopen(("/proc/self/fd/" + std::to_string(fd_)).c_str(), RTLD_NOW | RTLD_LOCAL);
  }
  ~Loaded() {
    if (handle_ != nullptr) dlclose(handle_);
    close(fd_);
  }
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;

  bool ok() const { return handle_ != nullptr; }
  void* symbol(const char* name) const { return dlvsym(handle_, name, "LINUX_2.6"); }

 private:
  int fd_;
  void* handle_ = nullptr;
};

}  // namespace osp::vdso
