#pragma once

#include <string>
#include <vector>

#include "tools/osp_boot_libraries.h"
#include "tools/osp_boot_root.h"

namespace osp::tools {

struct ProgramError {
  int status;  // that osp-boot ends with
  std::string text;
};

// The value of a variable in an environment; empty if there is none.
std::string variable_of(const std::vector<std::string>& environment, std::string_view name);

// Where execvp(3) would find `program` with this PATH, as a path from "/".
std::expected<std::string, ProgramError> find_program(const std::string& program, const std::string& search_path);

// Puts what `program` (a path) needs to run into `root`: itself, with libraries; of a script, its interpreter, and
// what env(1) is to run there.
std::expected<void, ProgramError> pack_program(LibraryPacker& packer, const std::string& program,
                                               const std::string& search_path);

// The least that programs expect of a system: users, groups, the loader's cache, empty directories; and the directory
// that the program begins in.
void pack_system(RootPlan& root, const std::string& directory);

}  // namespace osp::tools
