#pragma once

namespace osp::host {

// Whether the host is the microkernel: then there is no Linux below, and nothing may be handed on to it. False until
// set_native(). Signal-safe.
bool is_native();
// Once, at start, before the first program.
void set_native();

}  // namespace osp::host
