#include "libosp/device/fifo.h"

#include <map>

#include "libosp/device/pipe.h"
#include "libosp/device/support.h"

namespace osp::device {
namespace {

using Identity = std::pair<const void*, uint64_t>;

std::map<Identity, std::weak_ptr<Pipe>>& fifos() {
  static std::map<Identity, std::weak_ptr<Pipe>> all;
  return all;
}

std::shared_ptr<Pipe> pipe_of(const Node& node) {
  std::erase_if(fifos(), [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<Pipe>& known = fifos()[{node.server, node.attributes.id}];
  auto pipe = known.lock();
  if (pipe == nullptr) {
    pipe = std::make_shared<Pipe>();
    pipe->attributes = node.attributes;
    known = pipe;
  }
  return pipe;
}

}  // namespace

long open_fifo(task::Thread& thread, const Node& node, int flags, std::shared_ptr<file::Description>& opened) {
  const auto pipe = pipe_of(node);
  const bool waits = (flags & O_NONBLOCK) == 0 && (flags & O_ACCMODE) != O_RDWR;
  const bool reads = (flags & O_ACCMODE) == O_RDONLY;
  if (!waits && !reads && (flags & O_ACCMODE) == O_WRONLY && pipe->readers == 0) return -ENXIO;
  const uint64_t others_before = reads ? pipe->writers_ever : pipe->readers_ever;
  auto end = std::make_shared<PipeEnd>(pipe, flags);
  end->set_path(node.path);
  pipe->readable.notify();
  pipe->writable.notify();
  const auto is_alone = [&] {
    return reads ? pipe->writers == 0 && pipe->writers_ever == others_before
                 : pipe->readers == 0 && pipe->readers_ever == others_before;
  };
  while (waits && is_alone())
    if (const long stop = await(thread, reads ? pipe->readable : pipe->writable); stop != 0) return stop;
  opened = std::move(end);
  return 0;
}

}  // namespace osp::device
