#include "libosp/host/side.h"

namespace osp::host {
namespace {

bool native = false;

}  // namespace

bool is_native() { return native; }
void set_native() { native = true; }

}  // namespace osp::host
