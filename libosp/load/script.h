#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libosp/load/refusal.h"

namespace osp::load {

// How much of a file's beginning decides what it is (the kernel's BINPRM_BUF_SIZE).
inline constexpr size_t script_head_size = 256;
// How deep scripts may name scripts as their interpreters; deeper is ELOOP. Counted by the caller.
inline constexpr int max_script_depth = 4;

struct Script {
  std::string interpreter;
  std::string argument;  // all that follows the interpreter on the line, as one; valid if has_argument
  bool has_argument = false;
};

[[nodiscard]] bool is_script(std::span<const std::byte> head);

// Parses the `#!` line as Linux does (execve(2), "Interpreter scripts"). `head` is the first 256 bytes
// of the file, or all of a shorter one; what is beyond 256 is ignored. ENOEXEC with the reason if it
// names no interpreter or the name is cut off.
[[nodiscard]] Outcome<Script> parse_script(std::span<const std::byte> head);

// The interpreter's argv: INTERPRETER [ARGUMENT] PATH ARGV[1]…
[[nodiscard]] std::vector<std::string> script_argv(const Script& script, std::string_view path,
                                                   std::span<const std::string> argv);

}  // namespace osp::load
