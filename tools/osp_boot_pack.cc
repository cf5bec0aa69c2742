#include "tools/osp_boot_pack.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>

#include "libosp/native/cpio.h"
#include "libosp/native/unpack.h"

namespace osp::tools {
namespace {

namespace fs = std::filesystem;

constexpr int status_failed = 125;
// A larger root is compressed: to pass it to the machine as it is would take longer.
constexpr uint64_t plain_max = 256 << 20;

std::unexpected<ProgramError> failed(std::string text) {
  return std::unexpected(ProgramError{status_failed, std::move(text)});
}

ArchivedFile part(const char* name) { return {.name = name, .mode = S_IFREG | 0644}; }

// A file that only this process and QEMU see; or one that stays, for a command to be run by hand.
std::expected<BootArchive, ProgramError> make_file(bool stays) {
  BootArchive archive;
  if (!stays) {
    archive.fd = pip::HostFd(memfd_create("osp-boot", 0));
    archive.path = fmt::format("/dev/fd/{}", archive.fd.get());
  } else {
    const char* folder = getenv("TMPDIR");
    archive.path = fmt::format("{}/osp-boot.XXXXXX", folder != nullptr && *folder != '\0' ? folder : "/tmp");
    archive.fd = pip::HostFd(mkostemp(archive.path.data(), O_CLOEXEC));
  }
  if (archive.fd.get() < 0) return failed(fmt::format("cannot make the boot archive: {}", strerror(errno)));
  return archive;
}

// What is added without --root: the program, --add, and a little of a system.
std::expected<std::string, ProgramError> plan_root(RootPlan& root, const BootOptions& options,
                                                   const std::vector<std::string>& environment) {
  LibraryPacker packer(root, variable_of(environment, "LD_LIBRARY_PATH"));
  const std::string search_path = variable_of(environment, "PATH");
  auto program = find_program(options.program[0], search_path);
  if (!program) return program;
  if (auto packed = pack_program(packer, *program, search_path); !packed) return std::unexpected(packed.error());
  for (const std::string& path : options.add) {
    std::error_code error;
    const std::string absolute = fs::absolute(path, error).string();
    const bool is_directory = fs::is_directory(absolute, error);
    BootResult<void> added;
    if (!is_directory)
      added = packer.add(absolute);
    else if (auto tree = root.add_tree(absolute); !tree)
      added = std::unexpected(tree.error());
    if (!added) return failed("--add: " + added.error());
  }
  pack_system(root, fs::current_path().string());
  return program;
}

// An archive that is given is checked by how it begins, and passed as it is.
BootResult<void> check_archive(const std::string& path) {
  const pip::HostFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<std::byte, 16> head{};
  const ssize_t size = fd.get() < 0 ? -1 : read(fd.get(), head.data(), head.size());
  if (size < 0) return std::unexpected(fmt::format("--root {}: {}", path, strerror(errno)));
  const std::span<const std::byte> bytes(head.data(), static_cast<size_t>(size));
  const std::string_view text(reinterpret_cast<const char*>(head.data()), bytes.size());  // bytes are what magic is
  if (text.starts_with(native::cpio_magic) || native::is_compressed(bytes)) return {};
  return std::unexpected(fmt::format(
      "--root {}: is no cpio archive of the newc format, plain or compressed by zstd; such a one is made by "
      "(cd DIR && find . | cpio -o -H newc | zstd), or give the directory itself",
      path));
}

BootResult<void> add_given_archive(CpioWriter& writer, const std::string& path) {
  if (auto good = check_archive(path); !good) return good;
  std::error_code error;
  const std::string real = fs::canonical(path, error).string();
  const uint64_t size = error ? 0 : fs::file_size(real, error);
  if (error) return std::unexpected(fmt::format("--root {}: {}", path, error.message()));
  return writer.add(part("root"), real, size);
}

// Writes the root; `planned` is what it has, unless options.root says it.
BootResult<void> add_root(CpioWriter& writer, BootArchive& archive, const BootOptions& options, RootPlan& planned) {
  std::error_code error;
  if (!options.root.empty() && !fs::is_directory(options.root, error)) return add_given_archive(writer, options.root);
  if (!options.root.empty())
    if (auto taken = planned.take_root(options.root); !taken) return std::unexpected("--root: " + taken.error());
  auto begin = writer.begin_file(part("root"));
  if (!begin) return std::unexpected(begin.error());
  const int fd = archive.fd.get();
  auto end =
      planned.size() <= plain_max ? planned.write(fd, *begin) : planned.write_compressed(fd, *begin, archive.unpacked);
  if (!end) return std::unexpected(end.error());
  return writer.end_file(*end);
}

// A task of the archive: a file of this build.
BootResult<void> add_task(CpioWriter& writer, const char* name, bool needed) {
  const std::string path = fmt::format("{}/osp-{}", library_folder(), name);
  std::error_code error;
  const uint64_t size = fs::file_size(path, error);
  if (error && !needed) return {};
  if (error)
    return std::unexpected(
        fmt::format("{}: {}; it belongs in lib beside the bin that holds osp-boot", path, error.message()));
  return writer.add(part(fmt::format("task/{}", name).c_str()), path, size);
}

}  // namespace

std::string library_folder() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  return error ? std::string("../lib") : (self.parent_path().parent_path() / "lib").string();
}

std::expected<BootArchive, ProgramError> pack_boot_archive(const BootOptions& options, const char* const* envp) {
  const auto environment = make_environment(options, envp);
  if (!environment) return failed(environment.error());
  RootPlan root;
  std::string program = options.program[0];
  if (options.root.empty()) {
    auto planned = plan_root(root, options, *environment);
    if (!planned) return std::unexpected(planned.error());
    program = std::move(*planned);
  }
  const auto record = make_record(options, program, *environment);
  if (!record) return failed(record.error());
  const auto encoded = record->encode();
  if (!encoded) return failed(encoded.error().reason);
  auto archive = make_file(options.print_command);
  if (!archive) return archive;
  CpioWriter writer(archive->fd.get());
  const std::string_view boot(reinterpret_cast<const char*>(encoded->data()), encoded->size());  // text with NULs
  auto done = add_task(writer, "uart", false);
  if (done) done = add_task(writer, "core", true);
  if (done) done = writer.add(part("boot"), boot);
  if (done) done = add_root(writer, *archive, options, root);
  auto end = done ? writer.finish() : std::unexpected(done.error());
  if (end) archive->size = *end;
  if (!end && options.print_command) unlink(archive->path.c_str());
  if (!end) return failed(end.error());
  return archive;
}

}  // namespace osp::tools
