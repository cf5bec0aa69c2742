#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <utility>

#include "base/result.h"

namespace osp::migrate {

// Why an image was refused, for a person to read: which section, what is wrong there, and where in the file.
struct [[nodiscard]] ImageError {
  std::string section;  // "file", "header", "sections", "manifest", "index", "pages"
  std::string reason;
  uint64_t offset = 0;  // in the file, bytes: of the damaged piece, or of the section

  friend bool operator==(const ImageError&, const ImageError&) = default;
};

template <class T>
using ImageResult = std::expected<T, ImageError>;

inline std::unexpected<ImageError> refuse(std::string section, std::string reason, uint64_t offset = 0) {
  return std::unexpected(ImageError{std::move(section), std::move(reason), offset});
}

}  // namespace osp::migrate
