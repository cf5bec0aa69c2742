#include "tools/osp_boot_program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>

#include "libosp/load/script.h"
#include "pip/host_walk.h"

namespace osp::tools {
namespace {

constexpr int status_not_executable = 126, status_not_found = 127;
constexpr const char* default_search_path = "/bin:/usr/bin";

// 0, or why execve(2) would refuse the file.
int refusal_of(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return errno;
  if (!S_ISREG(status.st_mode)) return EACCES;
  return access(path.c_str(), X_OK) == 0 ? 0 : errno;
}

std::unexpected<ProgramError> refused(const std::string& program, int error) {
  const bool missing = error == ENOENT || error == ENOTDIR;
  const bool searched = program.find('/') == std::string::npos;
  const char* remedy = missing ? (searched ? "; it is in no directory of PATH" : "")
                               : "; it must be a regular file with execute permission";
  return std::unexpected(ProgramError{missing ? status_not_found : status_not_executable,
                                      fmt::format("{}: {}{}", program, strerror(error), remedy)});
}

// The line by which a script names its interpreter; none of other files.
std::optional<load::Script> script_of(const std::string& path) {
  const pip::HostFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<std::byte, load::script_head_size> head{};
  const ssize_t size = read(fd.get(), head.data(), head.size());
  const std::span<const std::byte> bytes(head.data(), size > 0 ? static_cast<size_t>(size) : 0);
  if (!load::is_script(bytes)) return std::nullopt;
  auto script = load::parse_script(bytes);
  return script ? std::optional(std::move(*script)) : std::nullopt;
}

// The program that `env [-S] [VAR=VALUE…] PROG …` runs; empty: it is not clear.
std::string program_of_env(const std::string& argument) {
  for (size_t begin = 0; begin < argument.size();) {
    const size_t end = std::min(argument.find_first_of(" \t", begin), argument.size());
    const std::string word = argument.substr(begin, end - begin);
    begin = end + 1;
    if (!word.empty() && word[0] != '-' && word.find('=') == std::string::npos) return word;
  }
  return {};
}

std::expected<void, ProgramError> pack(LibraryPacker& packer, const std::string& program,
                                       const std::string& search_path, int depth) {
  if (auto added = packer.add(program); !added) return std::unexpected(ProgramError{125, added.error()});
  const auto script = script_of(program);
  if (!script) return {};
  if (depth == load::max_script_depth) return refused(program, ELOOP);
  auto interpreter = find_program(script->interpreter, search_path);
  if (!interpreter)
    return std::unexpected(
        ProgramError{interpreter.error().status, fmt::format("{}: interpreter {}", program, interpreter.error().text)});
  if (auto packed = pack(packer, *interpreter, search_path, depth + 1); !packed) return packed;
  if (std::filesystem::path(script->interpreter).filename() != "env") return {};
  const std::string word = program_of_env(script->argument);
  const auto run = word.empty() ? std::unexpected(ProgramError{}) : find_program(word, search_path);
  return run ? pack(packer, *run, search_path, depth + 1) : std::expected<void, ProgramError>();
}

}  // namespace

std::string variable_of(const std::vector<std::string>& environment, std::string_view name) {
  for (const std::string& entry : environment)
    if (entry.starts_with(name) && entry.substr(name.size(), 1) == "=") return entry.substr(name.size() + 1);
  return {};
}

std::expected<std::string, ProgramError> find_program(const std::string& program, const std::string& search_path) {
  const auto absolute = [](const std::string& path) { return std::filesystem::absolute(path).string(); };
  if (program.find('/') != std::string::npos) {
    const int error = refusal_of(program);
    if (error != 0) return refused(program, error);
    return absolute(program);
  }
  const std::string directories = search_path.empty() ? default_search_path : search_path;
  int refusal = ENOENT;
  for (size_t begin = 0; begin <= directories.size() && !program.empty();) {
    const size_t end = std::min(directories.find(':', begin), directories.size());
    const std::string path = (end == begin ? "." : directories.substr(begin, end - begin)) + "/" + program;
    begin = end + 1;
    const int error = refusal_of(path);
    if (error == 0) return absolute(path);
    if (error == EACCES) refusal = EACCES;
  }
  return refused(program, refusal);
}

std::expected<void, ProgramError> pack_program(LibraryPacker& packer, const std::string& program,
                                               const std::string& search_path) {
  return pack(packer, program, search_path, 0);
}

void pack_system(RootPlan& root, const std::string& directory) {
  for (const char* path : {"/", "/dev", "/etc", "/proc", "/tmp"})
    root.add_directory(path, std::string_view(path) == "/tmp" ? S_ISVTX | 0777 : 0755);
  for (const char* path : {"/etc/passwd", "/etc/group", "/etc/ld.so.cache"})
    (void)root.add_path(path);  // a host without them has programs that do without
  root.add_text("/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files\n");
  (void)root.add_path(directory);  // where it is missing, the core says so
}

}  // namespace osp::tools
