#include "pip/packing.h"

#include "pip/wire.h"

namespace osp::pip {
namespace {

constexpr size_t longest_name = 255;
constexpr size_t longest_path = 4095;

void write_attributes(const Attributes& a, Writer& out) {
  out.u64(a.id), out.u32(a.mode), out.u32(a.uid), out.u32(a.gid);
  out.u64(a.links), out.u64(a.device), out.u64(a.size), out.u64(a.blocks);
  out.u64(static_cast<uint64_t>(a.atime_ns)), out.u64(static_cast<uint64_t>(a.mtime_ns));
  out.u64(static_cast<uint64_t>(a.ctime_ns)), out.u64(a.version);
}

Attributes read_attributes(Reader& in) {
  Attributes a;
  a.id = in.u64(), a.mode = in.u32(), a.uid = in.u32(), a.gid = in.u32();
  a.links = in.u64(), a.device = in.u64(), a.size = in.u64(), a.blocks = in.u64();
  a.atime_ns = in.i64(), a.mtime_ns = in.i64(), a.ctime_ns = in.i64(), a.version = in.u64();
  return a;
}

bool is_clean_name(std::string_view name) {
  return !name.empty() && name.size() <= longest_name && name != "." && name != ".." &&
         name.find('\0') == std::string_view::npos;
}

bool OpenMode::*flag_of(char letter) {
  switch (letter) {
    case 'r':
    case 'x':
      return &OpenMode::read;
    case 'w':
      return &OpenMode::write;
    case 't':
      return &OpenMode::truncate;
    case 'a':
      return &OpenMode::append;
    case 'c':
      return &OpenMode::create;
    case 'e':
      return &OpenMode::exclusive;
    case 'd':
      return &OpenMode::directory;
    case 'p':
      return &OpenMode::path_only;
    default:
      return nullptr;
  }
}

}  // namespace

std::string pack(const Attributes& attributes) {
  std::string out;
  out.reserve(packed_attributes_size);
  Writer writer(out);
  write_attributes(attributes, writer);
  return out;
}

std::string pack(const AttributeChange& c) {
  std::string out;
  Writer writer(out);
  const unsigned mask = (c.has_mode ? 1U : 0U) | (c.has_uid ? 2U : 0U) | (c.has_gid ? 4U : 0U) |
                        (c.has_size ? 8U : 0U) | (c.has_atime ? 16U : 0U) | (c.has_mtime ? 32U : 0U);
  writer.u32(mask), writer.u32(c.mode), writer.u32(c.uid), writer.u32(c.gid), writer.u64(c.size);
  writer.u64(static_cast<uint64_t>(c.atime_ns)), writer.u64(static_cast<uint64_t>(c.mtime_ns));
  return out;
}

std::string pack(const FileSystemStat& s) {
  std::string out;
  Writer writer(out);
  for (const uint64_t value : {s.type, s.block_size, s.blocks, s.free, s.available, s.files, s.files_free, s.name_max})
    writer.u64(value);
  return out;
}

void pack(const DirectoryEntry& entry, std::string& out) {
  Writer writer(out);
  writer.bytes(entry.name);
  writer.bytes(entry.target);
  write_attributes(entry.attributes, writer);
}

size_t packed_size(const DirectoryEntry& entry) {
  return 8 + entry.name.size() + entry.target.size() + packed_attributes_size;
}

Result<Attributes> unpack_attributes(std::string_view packed) {
  Reader reader(packed);
  const Attributes attributes = read_attributes(reader);
  if (!reader.finished()) return fail(EBADMSG);
  return attributes;
}

Result<AttributeChange> unpack_change(std::string_view packed) {
  Reader in(packed);
  AttributeChange c;
  const uint32_t mask = in.u32();
  c.mode = in.u32(), c.uid = in.u32(), c.gid = in.u32(), c.size = in.u64(), c.atime_ns = in.i64(),
  c.mtime_ns = in.i64();
  if (!in.finished() || mask > 63) return fail(EBADMSG);
  c.has_mode = (mask & 1U) != 0, c.has_uid = (mask & 2U) != 0, c.has_gid = (mask & 4U) != 0;
  c.has_size = (mask & 8U) != 0, c.has_atime = (mask & 16U) != 0, c.has_mtime = (mask & 32U) != 0;
  return c;
}

Result<FileSystemStat> unpack_statfs(std::string_view packed) {
  Reader in(packed);
  FileSystemStat s;
  for (uint64_t* value :
       {&s.type, &s.block_size, &s.blocks, &s.free, &s.available, &s.files, &s.files_free, &s.name_max})
    *value = in.u64();
  if (!in.finished()) return fail(EBADMSG);
  return s;
}

Result<std::vector<DirectoryEntry>> unpack_entries(std::string_view packed) {
  Reader in(packed);
  std::vector<DirectoryEntry> entries;
  while (in.ok() && !in.rest().empty()) {
    DirectoryEntry& entry = entries.emplace_back();
    entry.name = in.bytes();
    entry.target = in.bytes();
    entry.attributes = read_attributes(in);
    if (!is_clean_name(entry.name) || entry.name.find('/') != std::string::npos) return fail(EBADMSG);
  }
  if (!in.finished()) return fail(EBADMSG);
  return entries;
}

std::string mode_text(const OpenMode& mode) {
  std::string text;
  for (const char letter : {'r', 'w', 't', 'a', 'c', 'e', 'd', 'p'})
    if (mode.*flag_of(letter)) text += letter;
  return text;
}

Result<OpenMode> parse_mode(std::string_view text) {
  OpenMode mode;
  for (const char letter : text) {
    bool OpenMode::*const flag = flag_of(letter);
    if (flag == nullptr) return fail(EINVAL);
    mode.*flag = true;
  }
  return mode;
}

Result<void> check_path(std::string_view path) {
  if (path.empty()) return {};
  if (path.size() > longest_path) return fail(ENAMETOOLONG);
  while (true) {
    const size_t slash = path.find('/');
    const std::string_view name = path.substr(0, slash);
    if (name.size() > longest_name) return fail(ENAMETOOLONG);
    if (!is_clean_name(name)) return fail(EINVAL);
    if (slash == std::string_view::npos) return {};
    path.remove_prefix(slash + 1);
  }
}

}  // namespace osp::pip
