#pragma once

#include <string>
#include <string_view>

#include "pip/store/chunk_store.h"

// A chunk as it is in a pack file: a header of fixed size, and the bytes, compressed where that helps.
namespace osp::pip::store {

// magic[4] stored[4] raw[4] codec[1] 0[3] hash[32], in network byte order.
constexpr size_t pack_header_size = 48;
constexpr std::string_view pack_magic = "osp pack 1\n\0\0\0\0\0\0";  // what a pack file begins with
constexpr size_t pack_start = 16;

// Appends the record to `out`.
void append_pack_record(const ChunkId& id, std::string_view contents, std::string& out);
// The contents of the record that is all of `record`. EBADMSG: it is damaged, or not `id`'s.
Result<std::string> read_pack_record(const ChunkId& id, std::string_view record);

}  // namespace osp::pip::store
