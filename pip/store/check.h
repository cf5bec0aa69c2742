#pragma once

#include <functional>
#include <string>
#include <vector>

#include "pip/store/store.h"

namespace osp::pip::store {

struct CheckResult {
  std::vector<std::string> wrong;  // what is, each with its remedy where there is one; at most `most_wrong`
  uint64_t files = 0, directories = 0, versions = 0, chunks = 0, bytes = 0;
};

constexpr size_t most_wrong = 1000;

// Reads everything: names, records, history, drafts, and each chunk against its hash. Changes nothing.
// `progress(done, total)`: bytes of chunks. EIO: the metadata cannot be read at all.
Result<CheckResult> check(Store& store, const std::function<void(uint64_t done, uint64_t total)>& progress);

}  // namespace osp::pip::store
