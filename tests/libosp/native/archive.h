#pragma once

#include <sys/stat.h>
#include <zstd.h>

#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>

// Archives as the tests want them, also such as no program writes.
namespace osp::native::test {

struct Entry {
  std::string name;
  uint32_t mode = S_IFREG | 0644;
  std::string contents = {};
  uint32_t inode = 0, links = 1, uid = 0, gid = 0, mtime = 0, special_major = 0, special_minor = 0;
};

inline void pad(std::string& text) { text.resize((text.size() + 3) / 4 * 4); }

inline void add(std::string& archive, const Entry& entry) {
  char header[128];
  std::snprintf(header, sizeof header, "070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X", entry.inode,
                entry.mode, entry.uid, entry.gid, entry.links, entry.mtime, entry.contents.size(), 0U, 0U,
                entry.special_major, entry.special_minor, entry.name.size() + 1, 0U);
  archive += header;
  archive.append(entry.name).push_back('\0');
  pad(archive);
  archive += entry.contents;
  pad(archive);
}

inline std::string archive_of(std::initializer_list<Entry> entries) {
  std::string archive;
  for (const Entry& entry : entries) add(archive, entry);
  add(archive, {.name = "TRAILER!!!", .mode = 0});
  return archive;
}

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

// One frame. `says_size`: it tells how much is in it.
inline std::string compressed(std::string_view text, bool says_size = true) {
  std::string frame(ZSTD_compressBound(text.size()), '\0');
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, says_size ? 1 : 0);
  frame.resize(ZSTD_compress2(context, frame.data(), frame.size(), text.data(), text.size()));
  ZSTD_freeCCtx(context);
  return frame;
}

inline std::string skippable(std::string_view text) {
  std::string frame("\x5e\x2a\x4d\x18", 4);
  for (unsigned shift = 0; shift < 32; shift += 8) frame.push_back(static_cast<char>(text.size() >> shift));
  return frame.append(text);
}

inline std::string number(uint64_t value) {
  std::string text;
  for (unsigned shift = 0; shift < 32; shift += 8) text.push_back(static_cast<char>(value >> shift));
  return text;
}

// Frames of `frame_size` bytes each, and the table of them.
inline std::string in_frames(std::string_view text, size_t frame_size) {
  std::string archive, table;
  uint64_t count = 0;
  for (size_t at = 0; at < text.size(); at += frame_size, ++count) {
    const std::string_view part = text.substr(at, frame_size);
    const std::string frame = compressed(part);
    archive += frame;
    table += number(frame.size()) + number(part.size());
  }
  return archive + skippable(table + number(count) + std::string(1, '\0') + "\xb1\xea\x92\x8f");
}

}  // namespace osp::native::test
