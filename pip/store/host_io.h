#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

// The host's files, whole: each call goes on until all is done. All may block.
namespace osp::pip::store {

// Fewer bytes than asked for only at the end of the file.
Result<size_t> read_at(int fd, uint64_t offset, std::span<std::byte> into);
Result<void> write_at(int fd, uint64_t offset, std::string_view bytes);
// What was made, renamed or removed in it is on the disk.
Result<void> sync_directory(const std::string& directory);
// Replaces a small file by way of a temporary one.
Result<void> write_file(const std::string& path, std::string_view contents);
Result<std::string> read_file(const std::string& path);

}  // namespace osp::pip::store
