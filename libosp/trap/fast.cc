// Calls that are answered with general registers only, on the program's side of the vector state: no
// xmm is saved, no TLS is used (the fs register is still the program's).
#include "libosp/trap/frame.h"

extern "C" {

osp_fast_call osp_fast_calls[OSP_FAST_CALLS] = {};

}  // extern "C"
