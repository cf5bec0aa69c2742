#include "tools/osp_boot_libraries.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

namespace osp::tools {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view cache_magic = "glibc-ld.so.cache1.1";
constexpr int32_t cache_is_x86_64 = 0x0303;  // ELF, libc 6, x86-64
constexpr const char* loader_cache = "/etc/ld.so.cache";
// Where Debian's loader and the plain glibc's look last.
constexpr const char* last_directories =
    "/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu:/lib64:/usr/lib64:/lib:/usr/lib";

struct CacheHeader {
  char magic[20];
  uint32_t count;
  uint32_t reserved[6];
};
struct CacheEntry {
  int32_t flags;
  uint32_t name, path;  // offsets from the header
  uint32_t version;
  uint64_t capabilities;
};

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
}

std::string expand(std::string directory, const std::string& origin) {
  for (const std::string_view form : {"${ORIGIN}", "$ORIGIN"}) replace_all(directory, form, origin);
  for (const std::string_view form : {"${LIB}", "$LIB"}) replace_all(directory, form, "lib/x86_64-linux-gnu");
  return directory;
}

std::string origin_of(const std::string& path) {
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error);
  return (error ? fs::path(path) : absolute).parent_path().string();
}

bool is_library(const std::string& path) {
  if (access(path.c_str(), R_OK) != 0) return false;
  const auto needs = read_elf_needs(path);
  return needs && needs->is_program;
}

}  // namespace

std::multimap<std::string, std::string> read_loader_cache(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  std::multimap<std::string, std::string> found;
  const size_t begin = bytes.find(cache_magic);  // an older form may come before it
  CacheHeader header{};
  if (begin == std::string::npos || bytes.size() - begin < sizeof header) return found;
  std::memcpy(&header, bytes.data() + begin, sizeof header);
  const auto text = [&](uint32_t at) {
    return at < bytes.size() - begin ? std::string(bytes.c_str() + begin + at) : std::string();
  };
  for (uint32_t i = 0; i < header.count; ++i) {
    CacheEntry entry{};
    const size_t at = begin + sizeof header + i * sizeof entry;
    if (at + sizeof entry > bytes.size()) break;
    std::memcpy(&entry, bytes.data() + at, sizeof entry);
    if (entry.flags == cache_is_x86_64) found.emplace(text(entry.name), text(entry.path));
  }
  return found;
}

LibraryPacker::LibraryPacker(RootPlan& root, std::string library_path)
    : root_(root), library_path_(std::move(library_path)), cache_(read_loader_cache(loader_cache)) {}

BootResult<void> LibraryPacker::add(const std::string& path) {
  auto end = root_.add_path(path);
  if (!end) return std::unexpected(std::move(end.error()));
  auto needs = read_elf_needs(*end);
  if (!needs) return std::unexpected(std::move(needs.error()));
  if (!needs->interpreter.empty())
    if (auto loader = root_.add_path(needs->interpreter); !loader)
      return std::unexpected(fmt::format("{}: its interpreter {}", path, loader.error()));
  loaded_.clear();  // another program looks anew
  return add_needs({.path = *end, .needs = std::move(*needs), .parent = nullptr});
}

BootResult<void> LibraryPacker::add_needs(const Asker& asker) {
  for (const std::string& name : asker.needs.needed)
    if (loaded_.insert(name).second)
      if (auto done = add_library(name, asker); !done) return done;
  return {};
}

BootResult<void> LibraryPacker::add_library(const std::string& name, const Asker& asker) {
  auto found = find(name, asker);
  if (!found) return std::unexpected(std::move(found.error()));
  if (found->empty())
    return std::unexpected(fmt::format(
        "{}: needs {}, which is not found where the dynamic loader looks; set LD_LIBRARY_PATH", asker.path, name));
  if (auto end = root_.add_path(*found); !end) return std::unexpected(std::move(end.error()));
  auto needs = read_elf_needs(*found);
  if (!needs) return std::unexpected(std::move(needs.error()));
  return add_needs({.path = *found, .needs = std::move(*needs), .parent = &asker});
}

std::vector<LibraryPacker::Place> LibraryPacker::places_of(const Asker& asker) const {
  std::vector<Place> places;
  if (asker.needs.runpath.empty())
    for (const Asker* one = &asker; one != nullptr; one = one->parent)
      if (one->needs.runpath.empty()) places.push_back({one->needs.rpath, origin_of(one->path)});
  places.push_back({library_path_, origin_of(asker.path)});
  places.push_back({asker.needs.runpath, origin_of(asker.path)});
  return places;
}

// Where the library is; empty: nowhere. The order is that of ld.so(8).
BootResult<std::string> LibraryPacker::find(const std::string& name, const Asker& asker) {
  if (name.find('/') != std::string::npos) return is_library(name) ? fs::absolute(name).string() : std::string();
  for (const Place& place : places_of(asker))
    if (auto found = find_in(place, name); !found || !found->empty()) return found;
  std::string found;
  for (auto [at, end] = cache_.equal_range(name); at != end; ++at) {
    if (!is_library(at->second)) continue;
    // All of them, since the processor that the program will see is another.
    if (auto kept = root_.add_path(at->second); !kept) return kept;
    if (found.empty()) found = at->second;
  }
  if (!found.empty()) return found;
  return find_in({last_directories, origin_of(asker.path)}, name);
}

BootResult<std::string> LibraryPacker::find_in(const Place& place, const std::string& name) {
  const std::string& directories = place.directories;
  for (size_t begin = 0; begin < directories.size();) {
    const size_t end = std::min(directories.find_first_of(":;", begin), directories.size());
    const std::string directory = expand(directories.substr(begin, end - begin), place.origin);
    begin = end + 1;
    if (directory.empty()) continue;
    for (const char* level : {"x86-64-v2", "x86-64-v3", "x86-64-v4"}) {
      const std::string path = fmt::format("{}/glibc-hwcaps/{}/{}", directory, level, name);
      if (!is_library(path)) continue;
      if (auto kept = root_.add_path(fs::absolute(path)); !kept) return kept;
    }
    if (const std::string path = directory + "/" + name; is_library(path)) return fs::absolute(path).string();
  }
  return std::string();
}

}  // namespace osp::tools
