#pragma once

#include <cstddef>
#include <span>

#include "base/result.h"

namespace osp::migrate {

// Where an image is written to, front to back: a file (file_sink.h), a connection, memory in tests.
class Sink {
 public:
  virtual ~Sink() = default;  // without a commit() before: what was written is discarded

  // All of `bytes`, or an error after which nothing more may be written. May block.
  virtual Result<void> write(std::span<const std::byte> bytes) = 0;

  // The image is whole: makes it durable and visible. Once, last.
  virtual Result<void> commit() = 0;
};

}  // namespace osp::migrate
