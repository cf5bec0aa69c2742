#pragma once

#include <string>
#include <string_view>

// Where the parts of this installation are.
namespace osp::command {

// Where osp-core is: in ../lib as seen from this process's executable, which is in bin. Empty if /proc cannot be read.
std::string find_core();

// The executable `name` beside the core, whose place is as find_core() gives it. Empty if that is of another form.
std::string companion(const std::string& core, std::string_view name);

}  // namespace osp::command
