#include "namespace/host_name.h"

namespace osp::ns {

std::optional<std::string> host_path_of(const Member& member) {
  const std::string* directory = member.server->host_directory();
  if (directory == nullptr) return std::nullopt;
  std::string path = *directory;
  append(path, member.path);
  return path;
}

std::optional<std::string> name_of_host_path(const MountTable& table, std::string_view host_path) {
  std::optional<std::string> best;
  size_t closest = 0;
  for (const Mount& mount : table.mounts()) {
    for (const Member& member : mount.members) {
      const auto tree = host_path_of(member);
      if (!tree || tree->size() < closest || !is_within(host_path, *tree)) continue;
      std::string name = mount.at;
      append(name, below(host_path, *tree));
      if (&table.find(name) != &mount) continue;
      best = std::move(name), closest = tree->size();
    }
  }
  return best;
}

}  // namespace osp::ns
