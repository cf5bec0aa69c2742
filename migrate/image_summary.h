#pragma once

#include <string>

#include "migrate/image_reader.h"

// Printing for tools; not linked into the core.
namespace osp::migrate {

struct PageCounts {
  uint64_t stored = 0;        // pages with contents
  uint64_t stored_bytes = 0;  // that they take in the file
  uint64_t zero = 0;          // pages that are there as zero
};
PageCounts count_pages(const PageIndex& index);

// What a person wants to know of an image, in lines: what it is, its processes, threads, files and how each comes
// back, without secrets (environment, tokens, contents); `maps`: with the areas of memory. Names that the program
// chose are made printable.
std::string summarise(const ImageReader& image, bool maps);

}  // namespace osp::migrate
