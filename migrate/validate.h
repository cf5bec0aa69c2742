#pragma once

#include "migrate/image_error.h"
#include "migrate/manifest.h"
#include "migrate/page_index.h"

namespace osp::migrate {

// The addresses a program's areas may lie at: user space without the first page, and without the core's window.
inline constexpr uint64_t user_start = 0x1000;
inline constexpr uint64_t user_end = 0x7fff'ffff'f000;
inline constexpr uint64_t core_window_start = 0x6800'0000'0000;
inline constexpr uint64_t core_window_end = 0x6810'0000'0000;

// Whether a manifest makes sense, so that a restore need not ask: known versions and kinds; indices that lead
// somewhere; sorted, aligned areas that do not overlap, inside the addresses above; unique pids, tids, fds and page
// spaces; canonical addresses in registers; vector state of its format's size; texts without NUL.
// Refuses (section "manifest") with the first thing that is wrong and where.
// Not checked, because it is the host's: processor features (cpu.h), files, addresses of sockets.
ImageResult<void> validate(const Manifest& manifest);

// Whether every page of the index belongs to an area or object that keeps pages of its own. The manifest is valid.
ImageResult<void> validate_pages(const Manifest& manifest, const PageIndex& index);

}  // namespace osp::migrate
