#include "tools/unpack/layer.h"

#include <fmt/format.h>

#include <string_view>

namespace osp::unpack {
namespace {

constexpr std::string_view whiteout = ".wh.", opaque = ".wh..wh..opq", other_mark = ".wh..wh.";

struct Member {
  archive_entry* entry;
  std::string path;
};

// Calls `use(archive, member)` for each.
template <class Use>
Outcome<void> each_member(const std::string& path, Progress& progress, Use use) {
  auto archive = Archive::open(path);
  if (!archive) return wrong(archive.error());
  for (;;) {
    const auto entry = archive->next();
    if (!entry) return wrong(entry.error());
    if (*entry == nullptr) return {};
    auto name = clean_name(archive_entry_pathname(*entry));
    if (!name) return wrong(name.error());
    OSP_CHECK(use(*archive, Member{*entry, std::move(*name)}));
    progress.at(archive->consumed());
  }
}

std::string_view last_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

Outcome<void> hide(Tree& tree, const std::string& path) {
  const std::string_view name = last_name(path);
  const std::string above = path.substr(0, path.size() - name.size());
  if (name == opaque) return tree.empty(above.empty() ? above : above.substr(0, above.size() - 1));
  if (name.starts_with(other_mark)) return {};  // notes of the file system that the layer was made with
  const std::string_view hidden = name.substr(whiteout.size());
  if (hidden.empty() || hidden == "." || hidden == "..")
    return wrong(fmt::format("member '{}' takes away no name", path));
  return tree.remove(above + std::string(hidden));
}

}  // namespace

Outcome<void> put_tar(const std::string& path, Tree& tree, Progress& progress) {
  return each_member(path, progress, [&](Archive& archive, const Member& member) {
    return tree.put(archive, member.entry, member.path);
  });
}

Outcome<void> put_layer(const std::string& path, Tree& tree, bool lowest, Progress& progress) {
  const auto is_mark = [](const Member& member) { return last_name(member.path).starts_with(whiteout); };
  // First what is hidden, which is never the layer's own.
  if (!lowest)
    OSP_CHECK(each_member(path, progress, [&](Archive&, const Member& member) {
      return is_mark(member) ? hide(tree, member.path) : Outcome<void>();
    }));
  return each_member(path, progress, [&](Archive& archive, const Member& member) {
    return is_mark(member) ? Outcome<void>() : tree.put(archive, member.entry, member.path);
  });
}

}  // namespace osp::unpack
