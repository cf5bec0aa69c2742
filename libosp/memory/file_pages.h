#pragma once

#include "namespace/mem_pages.h"

namespace osp::memory {

// Natively, for ns::MemOptions::pages: a segment of the kernel's, which the core has in its window and programs have in
// their spaces. When it is cut off, what programs have mapped of the rest is gone (SIGBUS). ENOMEM, EMFILE.
Result<std::shared_ptr<ns::MemPages>> make_file_pages();

}  // namespace osp::memory
