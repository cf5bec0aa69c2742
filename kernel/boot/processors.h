#pragma once

namespace osp::kernel {

// Starts all other processors and waits until they idle; says so when some do not come. The machine's first MiB is no
// longer needed for anything else.
void start_processors();

}  // namespace osp::kernel
