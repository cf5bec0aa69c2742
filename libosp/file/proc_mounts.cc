#include "libosp/file/proc_mounts.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <array>
#include <optional>
#include <vector>

#include "base/raw_syscall.h"
#include "namespace/host_name.h"

namespace osp::file {
namespace {

// A line of mountinfo; names are as they are, not escaped.
struct HostMount {
  std::string device, root, point, options, type, source, super_options;
};

std::string whole_text(const char* path) {
  const long fd = raw::syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  std::string text;
  std::array<char, 4096> buffer{};
  for (long size = 0; fd >= 0 && (size = raw::read(static_cast<int>(fd), buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<size_t>(size));
  if (fd >= 0) raw::close(static_cast<int>(fd));
  return text;
}

std::string unescaped(std::string_view name) {
  std::string plain;
  for (size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '\\' && i + 3 < name.size()) {
      plain += static_cast<char>((name[i + 1] - '0') * 64 + (name[i + 2] - '0') * 8 + name[i + 3] - '0');
      i += 3;
    } else {
      plain += name[i];
    }
  }
  return plain;
}

std::string escaped(std::string_view name) {
  std::string text;
  for (const char c : name)
    text += c == ' ' || c == '\t' || c == '\n' || c == '\\' ? fmt::format("\\{:03o}", static_cast<unsigned>(c))
                                                            : std::string(1, c);
  return text;
}

std::string_view take_until(std::string_view& rest, char end) {
  const size_t size = std::min(rest.find(end), rest.size());
  const std::string_view word = rest.substr(0, size);
  rest.remove_prefix(std::min(size + 1, rest.size()));
  return word;
}

std::vector<HostMount> host_mounts() {
  const std::string text = whole_text("/proc/self/mountinfo");
  std::vector<HostMount> mounts;
  for (std::string_view rest = text; !rest.empty();) {
    std::string_view line = take_until(rest, '\n');
    HostMount mount;
    take_until(line, ' '), take_until(line, ' ');  // ids, which are ours to give
    mount.device = take_until(line, ' ');
    mount.root = unescaped(take_until(line, ' '));
    mount.point = unescaped(take_until(line, ' '));
    mount.options = take_until(line, ' ');
    while (!line.empty() && take_until(line, ' ') != "-") {
    }
    mount.type = take_until(line, ' ');
    mount.source = unescaped(take_until(line, ' '));
    mount.super_options = line;
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

// The one that `path` lies on: of those at the same place the last.
const HostMount* mount_of(const std::vector<HostMount>& mounts, std::string_view path) {
  const HostMount* best = nullptr;
  for (const HostMount& mount : mounts)
    if (ns::is_within(path, mount.point) && (best == nullptr || mount.point.size() >= best->point.size()))
      best = &mount;
  return best;
}

std::string read_only(std::string options) {
  if (options == "rw" || options.starts_with("rw,")) options[1] = 'o';
  return options;
}

HostMount described(const ns::Mount& mount, const std::vector<HostMount>& host) {
  const ns::Member& member = mount.members.front();
  const auto path = ns::host_path_of(member);
  const HostMount* on = path ? mount_of(host, *path) : nullptr;
  HostMount found;
  if (on != nullptr) {
    found = *on;
    ns::append(found.root, ns::below(*path, on->point));
  } else {
    found.source = member.source();
    found.type = found.source.starts_with("#m") ? "tmpfs" : "pip";
    found.device = "0:0", found.root = "/", found.options = found.super_options = "rw";
  }
  found.point = mount.at;
  if (member.read_only) found.options = read_only(found.options);
  return found;
}

std::vector<HostMount> all_mounts(const ns::MountTable& table) {
  const std::vector<HostMount> host = host_mounts();
  std::vector<HostMount> all;
  for (auto mount = table.mounts().rbegin(); mount != table.mounts().rend(); ++mount) {
    if (mount->scaffold) continue;
    all.push_back(described(*mount, host));
    const auto tree = ns::host_path_of(mount->members.front());
    for (const HostMount& below : host) {
      if (!tree || below.point == *tree || !ns::is_within(below.point, *tree)) continue;
      const auto name = ns::name_of_host_path(table, below.point);
      if (!name || &table.find(*name) != &*mount) continue;
      all.push_back(below);
      all.back().point = *name;
    }
  }
  return all;
}

}  // namespace

std::string mounts_text(const ns::MountTable& table, bool all) {
  const std::vector<HostMount> mounts = all_mounts(table);
  std::string text;
  for (size_t i = 0; i < mounts.size(); ++i) {
    const HostMount& m = mounts[i];
    if (!all) {
      text += fmt::format("{} {} {} {} 0 0\n", escaped(m.source), escaped(m.point), m.type, m.options);
      continue;
    }
    size_t parent = 0;
    for (size_t k = 0; k < i; ++k)
      if (ns::is_within(m.point, mounts[k].point)) parent = k + 1;
    text += fmt::format("{} {} {} {} {} {} - {} {} {}\n", i + 1, parent, m.device, escaped(m.root), escaped(m.point),
                        m.options, m.type, escaped(m.source), m.super_options);
  }
  return text;
}

}  // namespace osp::file
