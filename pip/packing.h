#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pip/server.h"

// Attributes, directory entries and the like as πp packs them into data fields (docs/pip.md, "Packed forms").
// The unpackers check everything: EBADMSG.
namespace osp::pip {

constexpr size_t packed_attributes_size = 84;

std::string pack(const Attributes& attributes);
std::string pack(const AttributeChange& change);
std::string pack(const FileSystemStat& stat);
// Appends one entry: name, target, attributes.
void pack(const DirectoryEntry& entry, std::string& out);
// What pack() of this entry appends, in bytes.
size_t packed_size(const DirectoryEntry& entry);

Result<Attributes> unpack_attributes(std::string_view packed);
Result<AttributeChange> unpack_change(std::string_view packed);
Result<FileSystemStat> unpack_statfs(std::string_view packed);
Result<std::vector<DirectoryEntry>> unpack_entries(std::string_view packed);

// The Mode string of Topen and Tcreate; EINVAL: a letter that is none. `permissions` is not part of it.
std::string mode_text(const OpenMode& mode);
Result<OpenMode> parse_mode(std::string_view text);
// The letter for a name fid: nothing is opened, and it lasts to the end of its group.
constexpr char name_fid_letter = 'n';
// Twrite's Offset for "at the end".
constexpr uint64_t append_offset = UINT64_MAX;

// EINVAL, ENAMETOOLONG: no path of the wire. No leading or doubled or trailing slash, no "." nor "..", no NUL, no name
// over 255 bytes; "" is the root.
Result<void> check_path(std::string_view path);
inline bool is_clean_path(std::string_view path) { return check_path(path).has_value(); }

}  // namespace osp::pip
