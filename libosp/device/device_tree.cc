#include "libosp/device/device_tree.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/log.h"
#include "libosp/device/open.h"
#include "libosp/memory/file_pages.h"
#include "namespace/mem_server.h"

namespace osp::device {
namespace {

struct Entry {
  const char* name;
  uint32_t mode;
  uint64_t device = 0;
  const char* target = "";
};

const Entry entries[] = {{"null", S_IFCHR | 0666, null_device},
                         {"zero", S_IFCHR | 0666, zero_device},
                         {"full", S_IFCHR | 0666, full_device},
                         {"random", S_IFCHR | 0666, random_device},
                         {"urandom", S_IFCHR | 0666, urandom_device},
                         {"tty", S_IFCHR | 0666, tty_device},
                         {"console", S_IFCHR | 0600, console_device},
                         {"ptmx", S_IFCHR | 0666, ptmx_device},
                         {"pts", S_IFDIR | 0755},
                         {"shm", S_IFDIR | 01777},
                         {"fd", S_IFLNK | 0777, 0, "/proc/self/fd"},
                         {"stdin", S_IFLNK | 0777, 0, "/proc/self/fd/0"},
                         {"stdout", S_IFLNK | 0777, 0, "/proc/self/fd/1"},
                         {"stderr", S_IFLNK | 0777, 0, "/proc/self/fd/2"},
                         {"pts/ptmx", S_IFCHR | 0666, ptmx_device}};

void make(pip::Server& server, const std::string& name, const pip::NewFile& file) {
  if (const auto made = server.make(name, file); !made && made.error().code != EEXIST)
    log::error("device", "/dev/{} cannot be made: {}", name, describe(Error(made.error().code)));
}

}  // namespace

std::shared_ptr<pip::Server> device_tree() {
  static const std::shared_ptr<pip::Server> tree = [] {
    ns::MemOptions options;
    options.name = "#d";
    options.pages = memory::make_file_pages;
    auto server = std::make_shared<ns::MemServer>(options);
    for (const Entry& node : entries)
      make(*server, node.name, {.mode = node.mode, .device = node.device, .target = node.target});
    return server;
  }();
  return tree;
}

void add_node(const std::string& name, uint32_t mode, uint64_t device) {
  make(*device_tree(), name, {.mode = mode, .device = device, .target = {}});
}

void remove_node(const std::string& name) {
  if (const auto removed = device_tree()->remove(name, false); !removed && removed.error().code != ENOENT)
    log::error("device", "/dev/{} cannot be removed: {}", name, describe(Error(removed.error().code)));
}

}  // namespace osp::device
