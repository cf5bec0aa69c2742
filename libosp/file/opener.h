#pragma once

#include "libosp/load/source.h"
#include "libosp/memory/address_space.h"
#include "libosp/task/thread.h"
#include "pip/server.h"

namespace osp::file {

// A program's or interpreter's file, found in the name space and allowed to be executed.
class ProgramFile final : public load::Source {
 public:
  ProgramFile() = default;
  ProgramFile(ProgramFile&& other) noexcept;
  ProgramFile& operator=(ProgramFile&& other) noexcept;
  ~ProgramFile() override;
  static ProgramFile of_host(int fd, const struct stat& st);
  static ProgramFile of_server(std::unique_ptr<pip::File> file, std::string path, const pip::Attributes& attributes);

  Result<size_t> read_at(uint64_t offset, std::span<std::byte> into) override;
  [[nodiscard]] uint64_t size() const override { return size_; }
  // Absolute and without symbolic links, where that is not the host's name.
  [[nodiscard]] const std::string& path() const { return path_; }
  // The host's file as one of the core's fds, now the caller's. -1: it is not the host's.
  int keep();
  // What the name space calls it, where that is not the host's name.
  void rename(std::string path) { path_ = std::move(path); }
  // Maps a part privately at `address` (MAP_FIXED).
  Result<void> map(memory::AddressSpace& memory, uintptr_t address, size_t size, int protection, uint64_t offset);

 private:
  Result<void> map_copy(memory::AddressSpace& memory, uintptr_t address, size_t size, int protection, uint64_t offset);

  int fd_ = -1;  // the host's file; else served_
  std::unique_ptr<pip::File> served_;
  std::string path_;  // empty: the host knows
  uint64_t size_ = 0;
  std::shared_ptr<memory::Backing> backing_;
};

// From now on the host says of each of its files whether it may be executed (AT_EXECVE_CHECK in execveat(2),
// Linux 6.14; before, only their modes do): Landlock knows a right to execute.
void let_host_judge_programs();

// Opens for execve(2): ENOENT, EACCES (not a regular file, or no x bit), ENOTDIR…; flags are execveat(2)'s.
Result<ProgramFile> open_program(task::Thread& thread, int directory_fd, const std::string& path, int flags);

}  // namespace osp::file
