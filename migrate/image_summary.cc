#include "migrate/image_summary.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <ctime>
#include <set>

#include "migrate/manifest_json.h"
#include "namespace/mem_snapshot.h"

namespace osp::migrate {
namespace {

constexpr int64_t second = 1'000'000'000;

// No control characters, so that a name in an image cannot command the terminal.
std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || byte >= 0x80) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

std::string human_size(uint64_t bytes) {
  static constexpr std::array<const char*, 5> units = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  auto size = static_cast<double>(bytes);
  for (; size >= 1024 && unit + 1 < units.size(); ++unit) size /= 1024;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", size, units[unit]);
}

std::string human_time(int64_t ns) {
  const std::time_t seconds = ns / second;
  std::tm time{};
  return gmtime_r(&seconds, &time) == nullptr ? "?" : fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", time);
}

std::string protection_text(uint32_t protection) {
  std::string text = "---";
  for (size_t i = 0; i < text.size(); ++i)
    if ((protection & (1u << i)) != 0) text[i] = "rwx"[i];
  return text;
}

std::string tree_line(const MemoryTree& tree) {
  size_t names = 0, unnamed = 0;
  uint64_t size = 0;
  std::set<uint64_t> named = {ns::MemSnapshot::root};
  for (const TreeNode& node : tree.nodes)
    for (const TreeName& name : node.names) ++names, named.insert(name.node);
  for (const TreeNode& node : tree.nodes) {
    size += node.size;
    unnamed += named.contains(node.id) ? 0 : 1;
  }
  std::string out = fmt::format("tree {}: {} files, {} names, {}", printable(tree.server), tree.nodes.size(), names,
                                human_size(size));
  if (unnamed > 0) out += fmt::format(", {} removed but open", unnamed);
  return out + '\n';
}

std::string image_lines(const ImageReader& image) {
  const Manifest& manifest = image.manifest();
  const PageCounts counts = count_pages(image.index());
  std::string out = fmt::format("format {}.{}, made {} by {}", image.header().major, image.header().minor,
                                human_time(manifest.created_ns), printable(manifest.core_version));
  if (!manifest.host.empty()) out += fmt::format(" on {}", printable(manifest.host));
  out += fmt::format("\ndigest {}{}\n", to_hex(image.digest()), image.mappable() ? ", mappable" : "");
  if (const auto parent = image.parent()) out += fmt::format("increment to {}\n", to_hex(*parent));
  out += fmt::format("size {}: {} pages ({}) stored in {}, {} zero pages, {} frames\n", human_size(image.file_size()),
                     counts.stored, human_size(counts.stored * format::page_size), human_size(counts.stored_bytes),
                     counts.zero, image.index().frames().size());
  for (const MemoryTree& tree : manifest.trees) out += tree_line(tree);
  for (const Session& session : manifest.sessions) out += fmt::format("session {}\n", printable(session.url));
  return out;
}

std::string thread_line(const Thread& thread) {
  std::string out = fmt::format("  thread {} {}: at {:#x}", thread.tid, printable(thread.name), thread.registers.rip);
  if (thread.restart.number >= 0) out += fmt::format(", begins system call {} again", thread.restart.number);
  if (!thread.pending.empty()) out += fmt::format(", {} pending signals", thread.pending.size());
  return out + '\n';
}

std::string area_line(const Manifest& manifest, const Area& area) {
  std::string out = fmt::format("  {:#014x}-{:#014x} {} {:<13} {:>10}", area.start, area.start + area.length,
                                protection_text(area.protection), name_of(area.kind), human_size(area.length));
  if (area.file != none) out += fmt::format(" {} at {:#x}", printable(manifest.files[area.file].name), area.offset);
  if (area.object != none) out += fmt::format(" object {} at {:#x}", area.object, area.offset);
  if (!area.name.empty()) out += fmt::format(" [{}]", printable(area.name));
  return out + '\n';
}

std::string fd_line(const Manifest& manifest, const FdEntry& entry) {
  const Description& description = manifest.descriptions[entry.description];
  std::string out = fmt::format("  fd {} {}: {}", entry.fd, name_of(description.kind), name_of(description.comeback));
  if (description.file != none) {
    const FileRef& file = manifest.files[description.file];
    out += fmt::format(" {} ({}) at {}", printable(file.name), printable(file.server), description.offset);
    if (file.contents != none) out += ", unlinked, contents in the image";
  }
  if (description.pipe != none)
    out += fmt::format(", {} bytes in it", manifest.pipes[description.pipe].contents.size());
  if (description.kind == DescriptionKind::socket && description.socket.backlog >= 0) out += ", listening";
  return out + '\n';
}

std::string process_lines(const Manifest& manifest, const Process& process, bool maps) {
  uint64_t memory = 0;
  for (const Area& area : process.areas) memory += area.length;
  std::string out = fmt::format("process {} {}: parent {}, group {}, session {}; {} threads, {} areas ({}), {} fds\n",
                                process.pid, printable(process.program.comm), process.ppid, process.pgid, process.sid,
                                process.threads.size(), process.areas.size(), human_size(memory), process.fds.size());
  out += fmt::format("  exe {}\n  argv", printable(process.program.exe));
  for (const std::string& argument : process.program.argv) out += fmt::format(" '{}'", printable(argument));
  out += fmt::format("\n  cwd {}, root {}\n", printable(process.cwd), printable(process.root));
  for (const Thread& thread : process.threads) out += thread_line(thread);
  for (const FdEntry& entry : process.fds) out += fd_line(manifest, entry);
  for (const Area& area : process.areas)
    if (maps) out += area_line(manifest, area);
  return out;
}

}  // namespace

PageCounts count_pages(const PageIndex& index) {
  PageCounts counts;
  for (const Frame& frame : index.frames()) {
    counts.stored += frame.raw_size / format::page_size;
    counts.stored_bytes += frame.stored_size;
  }
  for (const Run& run : index.runs())
    if (index.frames()[run.frame].codec == format::Codec::zero) counts.zero += run.page_count;
  return counts;
}

std::string summarise(const ImageReader& image, bool maps) {
  std::string out = image_lines(image);
  for (const Process& process : image.manifest().processes) out += process_lines(image.manifest(), process, maps);
  return out;
}

}  // namespace osp::migrate
