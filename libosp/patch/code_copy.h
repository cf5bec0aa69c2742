#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "libosp/patch/known_site.h"

// Copies of files' code in which the sites that are known are patched. Processes map one in place of the file: no page
// of it is a process's own, it costs a process nothing to patch, and fork(2) copies none of its page tables, as with
// the file itself.
namespace osp::patch {

class KnownFile;

// In the environment's code file, each part from a page on: trampolines, code, and the Plans by which it was patched.
// Written once, in memory that all share.
struct CodeCopy {
  uint32_t first_page = 0, trampoline_pages = 0, code_pages = 0, plan_count = 0;
  uint64_t file_offset = 0;  // of the code
  uint64_t before_code = 0;  // how far before the code the trampolines must be mapped
  uint64_t made_at = 0;      // where the code was for the Plans' addresses
  uint64_t beginning = 0;    // beginning_at() of the file

  // Where the file's beginning is mapped if its code is at `code`.
  [[nodiscard]] uint64_t span_of(uint64_t code) const;
};

// A number for the first KiB of a file, which is mapped there: an ELF file's headers, and mostly its build id. Two
// versions of an image of files may agree in all that stat(2) says.
[[nodiscard]] uint64_t beginning_at(uint64_t span);

// What copy_code() says of the site with that index in the KnownFile.
struct CopiedSite {
  size_t index = 0;
  KnownSite site;
};

// Copies `code`, which was mapped from the file's byte `file_offset` on and has not been patched, with all sites of
// `file` that can be patched; what is known of the sites then, with `generation` for those that are patched, is put
// into `sites`. The trampolines will be a fixed way below `span`, where the file's first mapping begins. Nothing: there
// is no room, or the host does not let us.
[[nodiscard]] std::optional<CodeCopy> copy_code(const KnownFile& file, const Code& code, uint64_t file_offset,
                                                uint64_t span, unsigned generation, std::vector<CopiedSite>& sites);

// The Plans of a copy whose code is mapped at `start`. None if the code file has been closed.
[[nodiscard]] std::vector<Plan> plans_of(const CodeCopy& copy, uint64_t start);

}  // namespace osp::patch
