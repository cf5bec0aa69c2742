#include "libosp/file/shared_offset.h"

#include <sys/mman.h>

#include <cstdlib>

#include "libosp/host/window.h"

namespace osp::file {
namespace {

constexpr size_t slots = 16384;

}  // namespace

SharedOffset::Slot* SharedOffset::pool_ = nullptr;

void SharedOffset::prepare() {
  if (pool_ != nullptr) return;
  const long at = window::map(slots * sizeof(Slot), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at < 0) std::abort();
  pool_ = reinterpret_cast<Slot*>(at);
}

SharedOffset::SharedOffset() : slot_(nullptr) {
  prepare();
  for (size_t i = 0; i < slots; ++i) {
    uint32_t unused = 0;
    if (!pool_[i].users.compare_exchange_strong(unused, 1)) continue;
    slot_ = &pool_[i];
    slot_->offset = 0;
    return;
  }
  slot_ = new Slot{1, 0};
}

SharedOffset::~SharedOffset() {
  const bool pooled = slot_ >= pool_ && slot_ < pool_ + slots;
  if (--slot_->users == 0 && !pooled) delete slot_;
}

void SharedOffset::inherited() { ++slot_->users; }
bool SharedOffset::is_last() const { return slot_->users == 1; }

}  // namespace osp::file
