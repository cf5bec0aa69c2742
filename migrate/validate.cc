#include "migrate/validate.h"

#include <algorithm>
#include <set>

#include "migrate/image_format.h"
#include "migrate/manifest_fields.h"
#include "migrate/validate_parts.h"

namespace osp::migrate {
namespace {

using validation::bad;

// Whether no std::string in `value` or below it has a NUL: all of them become C strings somewhere.
template <class T>
bool texts_are_clean(const T& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    return value.find('\0') == std::string::npos;
  } else if constexpr (requires { visit_fields(value, [](auto, auto&) {}); }) {
    bool clean = true;
    visit_fields(value, [&](const char*, const auto& member) { clean = clean && texts_are_clean(member); });
    return clean;
  } else if constexpr (requires { value.begin(); }) {
    return std::ranges::all_of(value, [](const auto& element) { return texts_are_clean(element); });
  } else {
    return true;
  }
}

ImageResult<void> check_versions(const Manifest& manifest) {
  if (manifest.interface_version == 0 || manifest.interface_version > interface_version)
    return bad("made by {} for image interface {}; this core knows up to {}", manifest.core_version,
               manifest.interface_version, interface_version);
  if (manifest.page_size != format::page_size) return bad("made for pages of {} bytes", manifest.page_size);
  return {};
}

ImageResult<void> check_spaces(const Manifest& manifest) {
  std::set<uint32_t> spaces = {0};
  for (const Process& process : manifest.processes)
    if (!spaces.insert(process.space).second)
      return bad("process {}: page space {} is 0 or used twice", process.pid, process.space);
  for (const MemoryObject& object : manifest.objects)
    if (!spaces.insert(object.space).second) return bad("page space {} is 0 or used twice", object.space);
  return {};
}

ImageResult<void> check_fds(const Manifest& manifest, const Process& process) {
  int last = -1;
  for (const FdEntry& entry : process.fds) {
    if (entry.fd <= last) return bad("process {}: fd {} is negative or not in order", process.pid, entry.fd);
    if (!validation::in_list(entry.description, manifest.descriptions))
      return bad("process {}: fd {} leads nowhere", process.pid, entry.fd);
    last = entry.fd;
  }
  return {};
}

ImageResult<void> check_signals(const Process& process) {
  std::set<int> seen;
  for (const Disposition& disposition : process.dispositions) {
    const int signal = disposition.signal;
    if (signal < 1 || signal > validation::last_signal || signal == 9 || signal == 19)  // SIGKILL, SIGSTOP
      return bad("process {}: a disposition for signal {}", process.pid, signal);
    if (!seen.insert(signal).second) return bad("process {}: two dispositions for signal {}", process.pid, signal);
  }
  return validation::check_pending(process.pending, fmt::format("process {}", process.pid));
}

ImageResult<void> check_timers(const Process& process) {
  std::set<int> ids;
  for (const IntervalTimer& timer : process.interval_timers)
    if (timer.which < 0 || timer.which > 2 || timer.next_ns < 0 || timer.interval_ns < 0)
      return bad("process {}: an impossible interval timer", process.pid);
  for (const PosixTimer& timer : process.posix_timers)
    if (!ids.insert(timer.id).second || timer.next_ns < 0 || timer.interval_ns < 0)
      return bad("process {}: timer {} is impossible or there twice", process.pid, timer.id);
  return {};
}

ImageResult<void> check_process(const Manifest& manifest, const Process& process, std::set<int>& tids) {
  if (process.threads.empty()) return bad("process {}: it has no thread", process.pid);
  if (process.program.brk_start > process.program.brk_end)
    return bad("process {}: brk ends before it starts", process.pid);
  if (process.program.auxv.size() % 16 != 0) return bad("process {}: auxv is not pairs of u64", process.pid);
  for (const Limit& limit : process.limits)
    if (limit.resource >= 16) return bad("process {}: no such limit as {}", process.pid, limit.resource);
  for (const Thread& thread : process.threads) {
    if (thread.tid <= 0 || !tids.insert(thread.tid).second)
      return bad("process {}: tid {} is impossible or there twice", process.pid, thread.tid);
    OSP_TRY(validation::check_thread(process, thread));
  }
  OSP_TRY(validation::check_areas(manifest, process));
  OSP_TRY(check_fds(manifest, process));
  OSP_TRY(check_signals(process));
  return check_timers(process);
}

// The areas whose pages are in the image under the process's space.
bool keeps_pages(AreaKind kind) {
  return kind == AreaKind::anonymous || kind == AreaKind::file || kind == AreaKind::vdso || kind == AreaKind::stack ||
         kind == AreaKind::heap;
}

bool covered(const Process& process, const Run& run) {
  uint64_t at = run.offset;
  auto area = std::ranges::upper_bound(process.areas, at, {}, [](const Area& a) { return a.start + a.length; });
  for (; area != process.areas.end() && at < run.end(); ++area) {
    if (area->start > at || !keeps_pages(area->kind)) return false;
    at = area->start + area->length;
  }
  return at >= run.end();
}

bool belongs(const Manifest& manifest, const Run& run) {
  const auto process = std::ranges::find(manifest.processes, run.space, &Process::space);
  if (process != manifest.processes.end()) return covered(*process, run);
  const auto object = std::ranges::find(manifest.objects, run.space, &MemoryObject::space);
  if (object == manifest.objects.end()) return false;
  const uint64_t pages = (object->size + format::page_size - 1) / format::page_size;
  return run.end() <= pages * format::page_size;
}

}  // namespace

ImageResult<void> validate(const Manifest& manifest) {
  OSP_TRY(check_versions(manifest));
  if (!texts_are_clean(manifest)) return bad("a text has a NUL in it");
  if (manifest.processes.empty()) return bad("there is no process in it");
  OSP_TRY(check_spaces(manifest));
  OSP_TRY(validation::check_files(manifest));
  std::set<int> pids, tids;
  for (const Process& process : manifest.processes) {
    if (process.pid <= 0 || !pids.insert(process.pid).second)
      return bad("pid {} is impossible or there twice", process.pid);
    OSP_TRY(check_process(manifest, process, tids));
  }
  return {};
}

ImageResult<void> validate_pages(const Manifest& manifest, const PageIndex& index) {
  for (const Run& run : index.runs())
    if (!belongs(manifest, run))
      return refuse("index", fmt::format("{} pages at {:#x} of space {} belong to nothing in the manifest",
                                         run.page_count, run.offset, run.space));
  return {};
}

}  // namespace osp::migrate
