#include "migrate/image_format.h"
#include "migrate/validate.h"
#include "migrate/validate_parts.h"

namespace osp::migrate::validation {
namespace {

constexpr size_t siginfo_size = 128;
constexpr size_t fxsave_size = 512;
constexpr size_t xsave_header_end = 576;
constexpr size_t max_vector_size = size_t{64} << 10;
constexpr uint32_t all_protections = 7;

bool vector_fits(const Vector& vector) {
  switch (vector.format) {
    case VectorFormat::absent:
      return vector.data.empty();
    case VectorFormat::fxsave:
      return vector.data.size() == fxsave_size;
    case VectorFormat::xsave:
    case VectorFormat::xsavec:
      return vector.data.size() >= xsave_header_end && vector.data.size() <= max_vector_size;
  }
  return false;
}

bool aligned(uint64_t value) { return value % format::page_size == 0; }

// What is wrong with an area by itself, or null.
const char* fault_of(const Manifest& manifest, const Area& area) {
  if (area.kind > AreaKind::reserved) return "is of an unknown kind";
  if (area.length == 0 || !aligned(area.start) || !aligned(area.length)) return "is not whole pages";
  if (area.start < user_start || area.start > user_end || area.length > user_end - area.start)
    return "lies outside the user's addresses";
  if (area.start < core_window_end && area.start + area.length > core_window_start) return "lies in the core's window";
  if (area.protection > all_protections) return "has an unknown protection";
  if (!aligned(area.offset) || area.offset > INT64_MAX) return "has an impossible offset";
  if (!none_or_in_list(area.file, manifest.files) || !none_or_in_list(area.object, manifest.objects))
    return "maps what is not in the image";
  const bool of_file = area.kind == AreaKind::file || area.kind == AreaKind::shared_file;
  if (of_file && area.file == none) return "maps no file";
  if (area.kind == AreaKind::shared_object && area.object == none) return "maps no object";
  return nullptr;
}

}  // namespace

ImageResult<void> check_areas(const Manifest& manifest, const Process& process) {
  uint64_t end = 0;
  for (const Area& area : process.areas) {
    if (const char* fault = fault_of(manifest, area))
      return bad("process {}: the area at {:#x} {}", process.pid, area.start, fault);
    if (area.start < end)
      return bad("process {}: the area at {:#x} overlaps or is not in order", process.pid, area.start);
    end = area.start + area.length;
  }
  return {};
}

ImageResult<void> check_pending(const std::vector<PendingSignal>& signals, std::string_view whose) {
  for (const PendingSignal& pending : signals) {
    if (pending.signal < 1 || pending.signal > last_signal) return bad("{}: no such pending signal", whose);
    if (pending.info.size() != siginfo_size) return bad("{}: a pending signal's siginfo is not 128 bytes", whose);
  }
  return {};
}

ImageResult<void> check_thread(const Process& process, const Thread& thread) {
  const std::string whose = fmt::format("process {}: thread {}", process.pid, thread.tid);
  const Registers& registers = thread.registers;
  if (registers.rip >= format::address_end || registers.fs_base >= format::address_end ||
      registers.gs_base >= format::address_end)
    return bad("{}: rip, fs or gs base is not a user address", whose);
  if (!vector_fits(thread.vector)) return bad("{}: vector state is not of its format's size", whose);
  return check_pending(thread.pending, whose);
}

}  // namespace osp::migrate::validation
