#pragma once

#include "pip/store/retention.h"
#include "pip/store/store.h"

namespace osp::pip::store {

struct Collected {
  uint64_t versions = 0;  // dropped
  uint64_t records = 0;   // of names and attributes
  uint64_t chunks = 0;
  uint64_t bytes = 0;  // given back
};

// Drops what `retention` does not keep, and the chunks that nothing needs any more. It may be cut short anywhere: what
// is left is whole, and the next run goes on. Nothing else may use the store meanwhile; it takes as long as reading all
// metadata, and rewriting packs that are mostly dead.
Result<Collected> collect(Store& store, const Retention& retention);

}  // namespace osp::pip::store
