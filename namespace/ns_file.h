#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "namespace/function_ref.h"
#include "namespace/namespace.h"

// Name space files: docs/namespace.md has their grammar. Parsing is pure: files and variables come from
// the caller, and no input can make it fail otherwise than with an NsError.
namespace osp::ns {

// Where a command stands; for what comes from the command line, line is 0 and file says so.
struct Position {
  std::string file;  // "work.ns", or "command line, -b option 2"
  unsigned line = 0, column = 0;

  // "work.ns:3:7", as compilers write it.
  [[nodiscard]] std::string text() const;
};

// What is wrong with a name space file, for a person.
struct NsError {
  Position at;
  Trouble trouble;

  // "work.ns:3:7: unknown command 'mont'; commands are mount, bind, unmount and ."
  [[nodiscard]] std::string text() const;
};

template <class T>
using NsResult = std::expected<T, NsError>;

struct Command {
  enum class Kind : unsigned char { mount, bind, unmount };
  Kind kind = Kind::bind;
  MountFlags flags;
  std::string source;  // URL, /srv/name, #device or path; of unmount, empty for all
  std::string target;  // the mount point
  Position at;

  // As a line of a name space file.
  [[nodiscard]] std::string text() const;
};

// What parsing asks the caller for.
struct NsSources {
  // The text of an included file; `path` is relative to the file that includes it, if that has a path.
  FunctionRef<Result<std::string>(const std::string& path)> read;
  // $NAME; none: undefined, which is an error.
  FunctionRef<std::optional<std::string>(std::string_view name)> variable;
};

inline constexpr unsigned ns_depth_max = 16;                 // files that include files
inline constexpr size_t ns_commands_max = 10'000;            // commands, all files together
inline constexpr size_t ns_text_size_max = 4 * 1024 * 1024;  // bytes, all files together

// The commands of the name space file `name`, those of the files it includes in their place.
NsResult<std::vector<Command>> parse_ns_file(const std::string& name, const NsSources& sources);
// The same of a text that is already there; `name` is for positions.
NsResult<std::vector<Command>> parse_ns_text(std::string_view text, const std::string& name, const NsSources& sources);

// osp-run's `-m URL=PATH` and `-b OLD=NEW`, the `number`th of its kind: divided at the last '='; may
// begin with flags as in a file ("-ac OLD=NEW", one argument). No variables, no quotes.
NsResult<Command> parse_mount_option(std::string_view argument, unsigned number);
NsResult<Command> parse_bind_option(std::string_view argument, unsigned number);

// Whether a word names a device: "#" and a letter, as in #m, #U/etc, #mem.
bool is_device(std::string_view word);
// "#m.scratch/sub" is the device m, its instance scratch, and the path sub in it.
struct DeviceName {
  std::string device, instance, path;
};
std::optional<DeviceName> parse_device(std::string_view word);

}  // namespace osp::ns
