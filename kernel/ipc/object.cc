#include "kernel/ipc/object.h"

#include "kernel/ipc/queue.h"
#include "kernel/ipc/semaphore.h"
#include "kernel/memory/segment.h"
#include "kernel/memory/space.h"

namespace osp::kernel {

void Object::destroy() {
  switch (kind_) {
    case Kind::queue:
      return Queue::destroy(static_cast<Queue*>(this));
    case Kind::semaphore:
      return Semaphore::destroy(static_cast<Semaphore*>(this));
    case Kind::segment:
      return Segment::destroy(static_cast<Segment*>(this));
    case Kind::space:
      return Space::destroy(static_cast<Space*>(this));
  }
}

}  // namespace osp::kernel
