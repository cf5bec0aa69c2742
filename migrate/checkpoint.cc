#include "migrate/checkpoint.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>

#include "base/raw_syscall.h"
#include "libosp/file/files.h"
#include "libosp/ptrace/here.h"
#include "libosp/ptrace/tracer.h"
#include "libosp/task/worker.h"
#include "migrate/checkpoint_parts.h"
#include "migrate/cpu.h"
#include "migrate/file_sink.h"
#include "migrate/image_writer.h"

namespace osp::migrate {
namespace {

using control::CheckpointOrder;

constexpr uint64_t step = 8u << 20;  // bytes of pages between two words of progress

// The children of the host process, dead ones that nobody has waited for too: "123 (sleep), 124 (cat)".
std::string children() {
  std::string text, ids;
  for (const task::Worker* worker : task::workers().all())
    ids += host_text(fmt::format("/proc/self/task/{}/children", worker->host_tid));
  for (size_t at = 0; at < ids.size();) {
    const size_t end = std::min(ids.find(' ', at), ids.size());
    const std::string id = ids.substr(at, end - at);
    at = end + 1;
    if (id.empty()) continue;
    std::string name = host_text("/proc/" + id + "/comm");
    if (name.ends_with('\n')) name.pop_back();
    text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", id, name);
  }
  return text;
}

class Progress {
 public:
  Progress(const std::string& path, uint64_t total) : total_(total) {
    if (path.empty()) return;
    fd_ = static_cast<int>(raw::syscall(SYS_openat, AT_FDCWD, path.c_str(), O_WRONLY | O_CLOEXEC));
    tell();
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() {
    if (fd_ >= 0) raw::close(fd_);
  }
  void add(uint64_t size) {
    done_ += size;
    tell();
  }

 private:
  void tell() const {
    if (fd_ < 0) return;
    const std::string line = fmt::format("{:020} {:020}\n", done_, total_);
    raw::syscall(SYS_pwrite64, fd_, line.data(), line.size(), 0);
  }

  int fd_ = -1;
  uint64_t done_ = 0, total_;
};

// Pages that the program may not read are made readable while they are written.
Result<void> write_span(ImageWriter& writer, const PageSpan& span, Progress& progress) {
  const bool locked = (span.protection & PROT_READ) == 0;
  if (locked) OSP_TRY(from_raw<void>(raw::syscall(SYS_mprotect, span.at, span.size, PROT_READ)));
  Result<void> written;
  for (uint64_t at = 0; at < span.size && written; at += step) {
    const uint64_t size = std::min(step, span.size - at);
    written = writer.add_pages(span.space, span.offset + at, {reinterpret_cast<const std::byte*>(span.at + at), size});
    progress.add(size);
  }
  if (locked) raw::syscall(SYS_mprotect, span.at, span.size, span.protection);
  return written;
}

Result<uint64_t> write_image(Capture& c, const CheckpointOrder& order) {
  uint64_t total = 0;
  for (const auto* list : {&c.pages, &c.object_pages})
    for (const PageSpan& span : *list) total += span.size;
  Progress progress(order.progress, total);
  OSP_ASSIGN(auto sink, FileSink::create(order.path));
  WriterOptions options;
  options.created_ns = c.manifest.created_ns;
  OSP_ASSIGN(ImageWriter writer, ImageWriter::create(std::move(sink), options));
  OSP_TRY(writer.write_manifest(c.manifest));
  for (const auto* list : {&c.pages, &c.object_pages})
    for (const PageSpan& span : *list) OSP_TRY(write_span(writer, span, progress));
  OSP_TRY(writer.finish());
  return writer.size();
}

std::string fatal_notes(const Capture& c) {
  std::string text;
  for (const Note& note : c.notes)
    if (note.fatal) text += fmt::format("{}fd {}: {}", text.empty() ? "" : "; ", note.fd, note.text);
  return text;
}

constexpr const char* confined = "it has confined itself (seccomp(2)), which an image does not hold";

bool is_confined(const task::Process& process) {
  return std::ranges::any_of(process.threads, [](const auto& thread) { return thread->seccomp.mode != 0; });
}

// Why the process as a whole cannot be checkpointed.
std::vector<std::string> obstacles(const task::Process& process) {
  std::vector<std::string> found;
  if (const std::string ids = children(); !ids.empty())
    found.push_back("it has child processes, and only a single process can be checkpointed: " + ids);
  if (is_confined(process)) found.emplace_back(confined);
  if (ptrace::here().traced) found.emplace_back("a debugger traces it (ptrace): have it detach first");
  if (ptrace::here().traces && ptrace::has_tracees(process, -1))
    found.emplace_back("it traces other processes (ptrace)");
  return found;
}

std::unexpected<std::string> failed(std::string_view what, Error error) {
  return std::unexpected(fmt::format("{}: {}", what, describe(error)));
}

}  // namespace

std::expected<std::string, std::string> checkpoint(task::Process& process, const CheckpointOrder& order) {
  if (const auto found = obstacles(process); !found.empty()) return std::unexpected(found.front());
  Capture capture(process);
  capture.manifest.processes.emplace_back();
  capture.manifest.cpu = host_cpu();
  if (const auto done = capture_trees(capture); !done)
    return failed("its memory trees (#m) cannot be read", done.error());
  if (const auto done = capture_files(capture); !done)
    return failed("its open files cannot be described", done.error());
  if (const std::string fatal = fatal_notes(capture); !fatal.empty() && !order.force)
    return std::unexpected("these open files cannot be brought back (--force leaves them out): " + fatal);
  if (const auto done = capture_process(capture); !done) return failed("its state cannot be read", done.error());
  if (const auto done = capture_memory(capture); !done) return failed("its memory cannot be read", done.error());
  const auto written = write_image(capture, order);
  if (!written) return failed(order.path, written.error());
  uint64_t pages = 0;
  for (const auto* list : {&capture.pages, &capture.object_pages})
    for (const PageSpan& span : *list) pages += span.size;
  return fmt::format("{} threads, {} bytes of pages, image of {} bytes", process.threads.size(), pages, *written);
}

std::string checkpoint_report(task::Process& process) {
  Capture capture(process);
  capture.manifest.processes.emplace_back();
  std::string text;
  for (const std::string& obstacle : obstacles(process)) text += fmt::format("! {}\n", obstacle);
  if (const auto done = capture_files(capture); !done)
    return text + "! its open files cannot be described: " + describe(done.error()) + "\n";
  for (const Note& note : capture.notes)
    text += fmt::format("{}fd {}: {}\n", note.fatal ? "! " : "", note.fd, note.text);
  return text;
}

}  // namespace osp::migrate
