#include "libosp/command/companion.h"

#include <sys/auxv.h>
#include <unistd.h>

namespace osp::command {
namespace {

// By the name that the kernel was given, if that is whole and no link: this keeps out of /proc, which costs as much as
// all else here. Empty otherwise, and where the name is that of a script.
std::string core_by_name() {
  const char* name = reinterpret_cast<const char*>(getauxval(AT_EXECFN));
  char target[1];
  if (name == nullptr || *name != '/' || readlink(name, target, sizeof target) >= 0) return {};
  std::string path(name);
  path.resize(path.rfind('/'));
  path += "/../lib/osp-core";
  return access(path.c_str(), F_OK) == 0 ? path : std::string();
}

}  // namespace

std::string find_core() {
  if (std::string path = core_by_name(); !path.empty()) return path;
  char self[4096];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof self);
  if (length <= 0) return {};
  std::string path(self, static_cast<size_t>(length));
  for (int up = 0; up < 2; ++up) path.resize(path.rfind('/'));
  return path + "/lib/osp-core";
}

std::string companion(const std::string& core, std::string_view name) {
  const size_t lib = core.rfind("/lib/");
  return lib == std::string::npos ? std::string() : core.substr(0, lib) + "/bin/" + std::string(name);
}

}  // namespace osp::command
