#pragma once

#include <span>

#include "base/result.h"
#include "migrate/image_error.h"
#include "migrate/manifest.h"

namespace osp::migrate {

// The manifest as bytes of the manifest section (Cap'n Proto's standard stream framing). Deterministic: equal
// manifests give equal bytes. ENOMEM; E2BIG: more than Cap'n Proto or max_manifest_size can hold. Never throws.
Result<Bytes> encode(const Manifest& manifest);

// The other way. `bytes` may have any alignment and contents: what is not a manifest is refused with a reason
// (section "manifest"), within time and memory proportional to its size. Fields and enum values of newer images
// are not lost on the way only if this version knows them; validate.h refuses unknown enum values. Never throws.
ImageResult<Manifest> decode(std::span<const std::byte> bytes);

// The largest manifest section written or read, in bytes.
inline constexpr size_t max_manifest_size = size_t{256} << 20;

}  // namespace osp::migrate
