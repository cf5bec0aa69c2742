#include "libosp/native/machine.h"

namespace osp::native {

Machine& machine() {
  static Machine the_machine;
  return the_machine;
}

}  // namespace osp::native
