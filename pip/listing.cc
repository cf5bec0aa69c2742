#include "pip/listing.h"

#include "pip/packing.h"
#include "pip/wire.h"

namespace osp::pip {
namespace {

constexpr uint8_t plain_flag = 1;
constexpr uint8_t exclusive_flag = 2;  // of a directory

bool read_entry(Reader& in, ListedEntry& listed) {
  const std::string_view packed = in.bytes();
  const uint8_t flags = in.u8();
  auto entries = unpack_entries(packed);
  if (!in.ok() || !entries || entries->size() != 1) return false;
  listed.entry = std::move(entries->front());
  listed.is_plain = (flags & plain_flag) != 0;
  return true;
}

}  // namespace

void pack(const ListedDirectory& directory, std::string& out) {
  Writer writer(out);
  writer.bytes(directory.path);
  writer.u64(directory.lease);
  writer.u8(
      static_cast<uint8_t>((directory.is_plain ? plain_flag : 0) | (directory.is_exclusive ? exclusive_flag : 0)));
  writer.bytes(pack(directory.attributes));
  writer.u32(static_cast<uint32_t>(directory.entries.size()));
  for (const ListedEntry& listed : directory.entries) {
    writer.u32(static_cast<uint32_t>(packed_size(listed.entry)));
    pack(listed.entry, out);
    writer.u8(listed.is_plain ? plain_flag : 0);
  }
}

Result<std::vector<ListedDirectory>> unpack_listing(std::string_view packed) {
  Reader in(packed);
  std::vector<ListedDirectory> listing;
  while (in.ok() && !in.rest().empty()) {
    ListedDirectory& directory = listing.emplace_back();
    directory.path = in.bytes();
    directory.lease = in.u64();
    const uint8_t flags = in.u8();
    directory.is_plain = (flags & plain_flag) != 0;
    directory.is_exclusive = (flags & exclusive_flag) != 0;
    const auto attributes = unpack_attributes(in.bytes());
    if (!attributes || !is_clean_path(directory.path)) return fail(EBADMSG);
    directory.attributes = *attributes;
    for (uint32_t left = in.u32(); left > 0 && in.ok(); --left)
      if (!read_entry(in, directory.entries.emplace_back())) return fail(EBADMSG);
  }
  return in.finished() ? Result<std::vector<ListedDirectory>>(std::move(listing)) : fail(EBADMSG);
}

}  // namespace osp::pip
