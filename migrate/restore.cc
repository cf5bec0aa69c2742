#include "migrate/restore.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>

#include <algorithm>

#include "base/log.h"
#include "base/raw_syscall.h"
#include "libosp/file/files.h"
#include "libosp/host/window.h"
#include "libosp/task/fork.h"
#include "libosp/trap/raw_handler.h"
#include "migrate/checkpoint_parts.h"
#include "migrate/restore_parts.h"

namespace osp::migrate {
namespace {

constexpr int status_failed = 125;

[[noreturn]] void refuse_image(const std::string& path, const std::string& why) {
  log::error("restore", "{}: {}", path, why);
  for (;;) raw::syscall(SYS_exit_group, status_failed);
}

// The image's fd must be out of the way of the program's numbers.
ImageReader open_image(const std::string& path) {
  const long fd = raw::syscall(SYS_openat, AT_FDCWD, path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) refuse_image(path, describe(Error(static_cast<int>(-fd))));
  auto source = FileSource::adopt(static_cast<int>(file::keep_fd(static_cast<int>(fd))));
  if (!source)
    refuse_image(path, source.error().code == EINVAL ? "it is not a regular file" : describe(source.error()));
  auto image = ImageReader::open(std::move(*source));
  if (!image)
    refuse_image(path,
                 fmt::format("{}, at {:#x}: {}", image.error().section, image.error().offset, image.error().reason));
  return std::move(*image);
}

void take_standard_files(Restore& restore) {
  for (int fd = 0; fd < 3; ++fd) {
    const long copy = raw::syscall(SYS_dup, fd);
    restore.standard[static_cast<size_t>(fd)] = copy < 0 ? -1 : static_cast<int>(file::keep_fd(static_cast<int>(copy)));
  }
  for (const int fd : file::open_fds())
    if (!file::is_core_fd(fd) && fd > 2) raw::close(fd);
}

struct Range {
  uintptr_t start = 0, end = 0;
  bool kernel = false;  // stack, vDSO: left where nothing of the image needs their place
};

std::vector<Range> mapped_outside() {
  std::vector<Range> ranges;
  const std::string text = host_text("/proc/self/maps");
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line(text.data() + at, end - at);
    at = end + 1;
    Range range;
    range.start = static_cast<uintptr_t>(to_number(line, 16));
    range.end = static_cast<uintptr_t>(to_number(line.substr(std::min(line.find('-') + 1, line.size())), 16));
    range.kernel = line.ends_with(']');
    const bool vsyscall = line.ends_with("[vsyscall]");
    if (!window::contains(range.start) && !vsyscall) ranges.push_back(range);
  }
  return ranges;
}

// The program's addresses are free when the door's own memory is gone.
void clear_addresses(const migrate::Process& saved) {
  for (const Range& range : mapped_outside()) {
    const bool needed = std::any_of(saved.areas.begin(), saved.areas.end(), [&](const Area& area) {
      return area.start < range.end && range.start < area.start + area.length;
    });
    if (!range.kernel || needed) raw::syscall(SYS_munmap, range.start, range.end - range.start);
  }
}

void drop_helpers(Restore& restore) {
  for (const int fd : restore.standard)
    if (fd >= 0) file::drop_fd(fd);
  for (size_t i = 0; i < restore.objects.size(); ++i)
    if (restore.manifest.objects[i].kind != ObjectKind::shared_anonymous) file::drop_fd(restore.objects[i]);
}

Restored become(Restore& restore) {
  take_standard_files(restore);
  OSP_TRY(restore_names(restore));
  clear_addresses(restore.saved());
  OSP_TRY(restore_memory(restore));
  OSP_TRY(restore_trees(restore));
  restore.process.pid = restore.saved().pid;  // by which the program may have named a file of /proc
  OSP_TRY(restore_files(restore));
  drop_helpers(restore);
  OSP_TRY(restore_process(restore));
  return restore_files_of_threads(restore);
}

}  // namespace

int64_t Restore::program_now() const { return static_cast<int64_t>(task::host_now_ns()) + process.clock_offset_ns; }

void restore_program(const host::BootBlock& boot) {
  const std::string path = boot.image;
  task::Process& process = task::process();
  task::prepare_worker();
  for (const int signo : {SIGSEGV, SIGBUS, SIGILL, SIGFPE}) trap::install_handler(signo);  // for the crash report
  {
    ImageReader image = open_image(path);
    Restore restore(process, image, static_cast<ChangedFiles>(boot.changed_files));
    process.clock_offset_ns = image.manifest().clock.monotonic_ns - static_cast<int64_t>(task::host_now_ns());
    if (const auto fit = check_restore(restore); !fit) refuse_image(path, fit.error());
    if (const auto done = become(restore); !done) refuse_image(path, done.error());
    const int fd = static_cast<FileSource&>(image.source()).fd();
    file::drop_fd(fd);  // the source closes it once more, to no effect: nothing has been opened since
  }
  for (const auto& thread : process.threads)
    process.scheduler.start(*thread, [&thread = *thread] { task::run_thread(thread); });
  process.scheduler.run();
}

}  // namespace osp::migrate
