#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "namespace/mount_table.h"

namespace osp::ns {

// Where the host keeps what a tree of the table shows; nothing if that is no directory or file of the host's.
std::optional<std::string> host_path_of(const Member& member);

// What the name space calls the file that the host calls `host_path` (absolute, without links); nothing where no tree
// of the table shows it, or another one hides it. Of several names it is the one of the closest tree.
std::optional<std::string> name_of_host_path(const MountTable& table, std::string_view host_path);

}  // namespace osp::ns
