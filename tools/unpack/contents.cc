#include "tools/unpack/contents.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "tools/unpack/hash.h"
#include "tools/unpack/image.h"
#include "tools/unpack/layer.h"

namespace osp::unpack {
namespace {

constexpr size_t most_json = 16 << 20;
constexpr const char* parts_name = "parts";

uint64_t size_of(const std::string& path) {
  struct stat status = {};
  return stat(path.c_str(), &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
}

// The members of an image archive as files in a folder, numbered: their own names are not to be trusted.
class Parts final : public MemberReader {
 public:
  Parts(int folder, std::string path, Members links)
      : folder_(folder), path_(std::move(path)), links_(std::move(links)) {}

  Outcome<void> copy_from(const std::string& archive_path) {
    auto archive = Archive::open(archive_path);
    if (!archive) return wrong(archive.error());
    Progress progress("reading", archive_path, size_of(archive_path));
    for (;;) {
      const auto entry = archive->next();
      if (!entry) return wrong(entry.error());
      if (*entry == nullptr) return {};
      if (archive_entry_filetype(*entry) != AE_IFREG) continue;
      const auto name = clean_name(archive_entry_pathname(*entry));
      if (!name) return wrong(name.error());
      const std::string number = fmt::format("{}", files_.size());
      const Fd fd(openat(folder_, number.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
      if (!fd.valid()) return wrong(fmt::format("member '{}': {}", *name, strerror(errno)));
      OSP_CHECK(archive->copy_to(fd.get()));
      files_[*name] = number;
      progress.at(archive->consumed());
    }
  }

  Outcome<std::string> text(const std::string& member) override {
    const auto file = checked(member);
    if (!file) return wrong(file.error());
    auto text = read_file(folder_, *file, most_json);
    if (!text) return wrong(fmt::format("member '{}': {}", member, text.error()));
    return text;
  }

  [[nodiscard]] bool has(const std::string& member) const override { return files_.contains(member); }

  // Where the member's contents lie.
  Outcome<std::string> path_of(const std::string& member) {
    const auto file = checked(member);
    if (!file) return wrong(file.error());
    return path_ + "/" + *file;
  }

 private:
  // Layers that are the same are links to the first, as ../HEX/layer.tar.
  [[nodiscard]] std::string linked(const std::string& member) const {
    const auto link = links_.find(member);
    if (link == links_.end() || link->second.empty()) return member;
    return link->second.starts_with("../") ? link->second.substr(3) : link->second;
  }

  // The member's file, which is what its name says if that is a digest.
  Outcome<std::string> checked(const std::string& member) {
    const auto found = files_.find(linked(member));
    if (found == files_.end())
      return wrong(fmt::format("the image has a part '{}', which is not in the archive", member));
    if (!member.starts_with("blobs/sha256/")) return found->second;
    const Fd fd(openat(folder_, found->second.c_str(), O_RDONLY | O_CLOEXEC));
    Progress progress("checking", member, size_of(path_ + "/" + found->second));
    const auto hash = sha256_of(fd.get(), progress);
    if (!hash) return wrong(fmt::format("member '{}': {}", member, hash.error()));
    if (member.ends_with("/" + *hash)) return found->second;
    return wrong(fmt::format("member '{}' is damaged: its digest is {}", member, *hash));
  }

  int folder_;
  std::string path_;
  Members links_;
  std::map<std::string, std::string> files_;
};

Outcome<command::StartRecord> put_image(Parts& parts, Tree& tree) {
  auto image = read_image(parts);
  if (!image) return wrong(image.error());
  size_t number = 0;
  for (const std::string& layer : image->layers) {
    const auto path = parts.path_of(layer);
    if (!path) return wrong(path.error());
    ++number;
    Progress progress("unpacking", fmt::format("layer {} of {}", number, image->layers.size()), size_of(*path));
    if (auto put = put_layer(*path, tree, number == 1, progress); !put)
      return wrong(fmt::format("layer {} ({}): {}", number, layer, put.error()));
  }
  if (!image->start.directory.empty()) {
    const auto directory = clean_name(image->start.directory.c_str() + image->start.directory.find_first_not_of('/'));
    if (!directory) return wrong("the image's working directory: " + directory.error());
    OSP_CHECK(tree.make_directory(*directory));
  }
  return std::move(image->start);
}

}  // namespace

Outcome<command::StartRecord> unpack_archive(const std::string& archive, int into, const std::string& name) {
  Members members;
  const auto image = is_image(archive, members);
  if (!image) return wrong(image.error());
  if (mkdirat(into, "root", 0755) != 0 || mkdirat(into, parts_name, 0700) != 0)
    return wrong(fmt::format("{}: {}", name, strerror(errno)));
  const Fd root(openat(into, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const Fd folder(openat(into, parts_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  Tree tree(root.get());
  command::StartRecord start;
  if (*image) {
    Parts parts(folder.get(), name + "/" + parts_name, std::move(members));
    OSP_CHECK(parts.copy_from(archive));
    auto put = put_image(parts, tree);
    if (!put) return wrong(put.error());
    start = std::move(*put);
  } else {
    Progress progress("unpacking", archive, size_of(archive));
    OSP_CHECK(put_tar(archive, tree, progress));
  }
  OSP_CHECK(tree.finish());
  if (auto removed = remove_all(into, parts_name); !removed) return wrong(name + ": " + removed.error());
  return start;
}

}  // namespace osp::unpack
