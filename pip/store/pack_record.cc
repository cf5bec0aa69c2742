#include "pip/store/pack_record.h"

#include <zstd.h>

#include "pip/wire.h"

namespace osp::pip::store {
namespace {

constexpr uint32_t record_magic = 0x6f737063;  // "ospc"
enum Codec : uint8_t { raw = 0, zstd = 1 };
constexpr int level = 1;  // a commit waits for it

// Appends the compressed contents; false, and nothing: they do not get smaller.
bool compress(std::string_view contents, std::string& out) {
  const size_t start = out.size();
  out.resize(start + ZSTD_compressBound(contents.size()));
  const size_t size = ZSTD_compress(out.data() + start, out.size() - start, contents.data(), contents.size(), level);
  const bool helps = ZSTD_isError(size) == 0 && size < contents.size();
  out.resize(helps ? start + size : start);
  return helps;
}

}  // namespace

void append_pack_record(const ChunkId& id, std::string_view contents, std::string& out) {
  const size_t start = out.size();
  out.append(pack_header_size, '\0');
  const bool is_compressed = compress(contents, out);
  if (!is_compressed) out.append(contents);
  std::string header;
  Writer writer(header);
  writer.u32(record_magic);
  writer.u32(static_cast<uint32_t>(out.size() - start - pack_header_size));
  writer.u32(static_cast<uint32_t>(contents.size()));
  writer.u8(is_compressed ? zstd : raw);
  header.append(3, '\0');
  header.append(id.view());
  out.replace(start, pack_header_size, header);
}

Result<std::string> read_pack_record(const ChunkId& id, std::string_view record) {
  Reader reader(record);
  const uint32_t magic = reader.u32();
  const uint32_t stored = reader.u32();
  const uint32_t size = reader.u32();
  const uint8_t codec = reader.u8();
  if (!reader.ok() || magic != record_magic || codec > zstd || record.size() != pack_header_size + stored ||
      size > ChunkStore::most || record.substr(pack_header_size - ChunkId::size, ChunkId::size) != id.view())
    return fail(EBADMSG);
  const std::string_view data = record.substr(pack_header_size);
  std::string contents;
  if (codec == raw) {
    contents = data;
  } else {
    contents.resize(size);
    if (ZSTD_decompress(contents.data(), size, data.data(), data.size()) != size) return fail(EBADMSG);
  }
  if (contents.size() != size || ChunkId::of(contents) != id) return fail(EBADMSG);
  return contents;
}

}  // namespace osp::pip::store
