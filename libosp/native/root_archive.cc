#include "libosp/native/root_archive.h"

#include <sys/sysmacros.h>

#include <algorithm>
#include <string>
#include <unordered_map>

#include "libosp/native/cpio.h"
#include "libosp/native/frames.h"
#include "libosp/native/unpack.h"
#include "namespace/path.h"

namespace osp::native {
namespace {

using load::Outcome;
using load::refuse;
using ns::MemNode;
using ns::MemNodePtr;

// What makes two entries one file.
struct Identity {
  size_t archive;
  uint32_t inode, major, minor;
  friend bool operator==(const Identity&, const Identity&) = default;
};
struct HashIdentity {
  size_t operator()(const Identity& identity) const {
    return (size_t{identity.major} << 44 ^ size_t{identity.minor} << 32 ^ identity.inode) * 31 + identity.archive;
  }
};

pip::Attributes attributes_of(const CpioEntry& entry) {
  pip::Attributes a;
  a.mode = entry[CpioField::mode];
  a.uid = entry[CpioField::uid];
  a.gid = entry[CpioField::gid];
  a.atime_ns = a.mtime_ns = a.ctime_ns = int64_t{entry[CpioField::mtime]} * 1'000'000'000;
  const uint32_t type = a.mode & S_IFMT;
  if (type == S_IFCHR || type == S_IFBLK)
    a.device = makedev(entry[CpioField::special_major], entry[CpioField::special_minor]);
  return a;
}

bool is_file_type(uint32_t mode) {
  const uint32_t type = mode & S_IFMT;
  return type == S_IFREG || type == S_IFDIR || type == S_IFLNK || type == S_IFCHR || type == S_IFBLK ||
         type == S_IFIFO || type == S_IFSOCK;
}

// Takes the first component off `path`, which may have empty ones and "." too; empty at the end.
std::string_view take_component(std::string_view& path) {
  for (;;) {
    const size_t begin = std::min(path.find_first_not_of('/'), path.size());
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view name = path.substr(begin, end - begin);
    path.remove_prefix(end);
    if (name != ".") return name;
  }
}

class Loader {
 public:
  Loader(ns::MemTree& tree, ns::MemLender* lender) : tree_(tree), lender_(lender) {}

  Outcome<void> add(const CpioEntry& entry) {
    auto at = find_place(entry);
    if (!at) return std::unexpected(std::move(at.error()));
    const pip::Attributes attributes = attributes_of(entry);
    if (!is_file_type(attributes.mode)) return wrong(entry, EBADMSG, "is of no known type");
    if (at->name.empty()) return change_directory(entry, *tree_.root(), attributes);
    const auto there = at->directory->children.find(at->name);
    if (there == at->directory->children.end()) return add_new(entry, *at, attributes);
    if (there->second->is(S_IFDIR)) return change_directory(entry, *there->second, attributes);
    if (S_ISDIR(attributes.mode)) return wrong(entry, EEXIST, "is a directory where there is a file already");
    --there->second->attributes.links;
    at->directory->children.erase(there);
    return add_new(entry, *at, attributes);
  }

 private:
  struct Place {
    MemNode* directory;
    std::string_view name;  // empty: the root itself
  };

  static std::unexpected<load::Refusal> wrong(const CpioEntry& entry, int error, const char* why) {
    return refuse(error, "entry '" + std::string(entry.name) + "' at byte " + std::to_string(entry.at) + " " + why);
  }
  static std::unexpected<load::Refusal> wrong(const CpioEntry& entry, Error error) {
    return refuse(error.code, "entry '" + std::string(entry.name) + "': " + describe(error));
  }

  Outcome<Place> find_place(const CpioEntry& entry) {
    if (entry.name.size() > ns::path_size_max) return wrong(entry, ENAMETOOLONG, "has too long a path");
    if (const size_t slash = entry.name.rfind('/'); last_directory_ != nullptr && slash != std::string_view::npos &&
                                                    slash < entry.name.size() - 1 &&
                                                    entry.name.substr(0, slash) == last_path_) {
      const std::string_view name = entry.name.substr(slash + 1);
      if (name != "." && name != ".." && name.size() <= ns::name_size_max) return Place{last_directory_, name};
    }
    return walk_to_place(entry);
  }

  Outcome<Place> walk_to_place(const CpioEntry& entry) {
    Place at{tree_.root().get(), {}};
    std::string_view rest = entry.name;
    for (;;) {
      const std::string_view name = take_component(rest);
      if (name == "..") return wrong(entry, EBADMSG, "leaves its directory by '..'");
      if (name.size() > ns::name_size_max) return wrong(entry, ENAMETOOLONG, "has too long a name");
      if (name.empty()) break;
      if (!at.name.empty()) {
        auto directory = enter(entry, at);
        if (!directory) return std::unexpected(std::move(directory.error()));
        at.directory = *directory;
      }
      at.name = name;
    }
    // Not of "folder/" or "folder/.": what stands before the slash is not the path of the directory there.
    const size_t slash = entry.name.rfind('/');
    const bool is_parted =
        slash != std::string_view::npos && !at.name.empty() && entry.name.substr(slash + 1) == at.name;
    last_directory_ = is_parted ? at.directory : nullptr;
    if (is_parted) last_path_ = entry.name.substr(0, slash);
    return at;
  }

  // The directory at `at`, made if there is none.
  Outcome<MemNode*> enter(const CpioEntry& entry, const Place& at) {
    const auto there = at.directory->children.find(at.name);
    if (there != at.directory->children.end()) {
      if (!there->second->is(S_IFDIR)) return wrong(entry, ENOTDIR, "is in what is no directory");
      return there->second.get();
    }
    pip::Attributes attributes = attributes_of(entry);
    attributes.mode = S_IFDIR | 0755;
    attributes.device = 0;
    auto made = tree_.load_file(attributes);
    if (!made) return wrong(entry, made.error());
    if (auto named = tree_.load_name(*at.directory, at.name, *made); !named) return wrong(entry, named.error());
    return made->get();
  }

  static Outcome<void> change_directory(const CpioEntry& entry, MemNode& node, const pip::Attributes& wanted) {
    if (!S_ISDIR(wanted.mode)) return wrong(entry, EEXIST, "is a file where there is a directory already");
    pip::Attributes& a = node.attributes;
    a.mode = wanted.mode, a.uid = wanted.uid, a.gid = wanted.gid;
    a.atime_ns = a.mtime_ns = a.ctime_ns = wanted.mtime_ns;
    return {};
  }

  Outcome<void> add_new(const CpioEntry& entry, const Place& at, const pip::Attributes& attributes) {
    auto node = find_node(entry, attributes);
    if (!node) return std::unexpected(std::move(node.error()));
    if ((*node)->is(S_IFLNK)) {
      const auto target = entry.contents;
      (*node)->target.assign(reinterpret_cast<const char*>(target.data()), target.size());  // bytes are what a path is
      if (target.empty() || target.size() > ns::path_size_max || (*node)->target.find('\0') != std::string::npos)
        return wrong(entry, EBADMSG, "is a symbolic link to what is no path");
    }
    if ((*node)->is(S_IFREG) && !entry.contents.empty()) (*node)->contents.lend(entry.contents, lender_);
    if (auto named = tree_.load_name(*at.directory, at.name, *node); !named) return wrong(entry, named.error());
    return {};
  }

  // The file that the entry is one more name of, or a new one.
  Outcome<MemNodePtr> find_node(const CpioEntry& entry, const pip::Attributes& attributes) {
    MemNodePtr* known = nullptr;
    if (entry[CpioField::links] > 1 && !S_ISDIR(attributes.mode)) {
      known = &linked_[{entry.archive, entry[CpioField::inode], entry[CpioField::major], entry[CpioField::minor]}];
      if (*known != nullptr && (*known)->is(attributes.mode & S_IFMT)) return *known;
    }
    auto node = tree_.load_file(attributes);
    if (!node) return wrong(entry, node.error());
    if (known != nullptr) *known = *node;
    return *node;
  }

  ns::MemTree& tree_;
  ns::MemLender* lender_;
  std::unordered_map<Identity, MemNodePtr, HashIdentity> linked_;
  MemNode* last_directory_ = nullptr;  // where the last entry went, or null; archives go directory by directory
  std::string_view last_path_;         // the name of that directory as the archive has it
};

}  // namespace

Outcome<std::shared_ptr<ns::MemServer>> read_root_archive(std::span<const std::byte> archive, ns::MemOptions options,
                                                          uint64_t size_limit) {
  auto server = std::make_shared<ns::MemServer>(std::move(options));
  ns::MemLender* lender = nullptr;
  if (is_compressed(archive) && Frames::has_table(archive)) {
    auto frames = Frames::open(archive, size_limit);
    if (!frames) return std::unexpected(std::move(frames.error()));
    archive = (*frames)->bytes();
    lender = frames->get();
    server->tree().keep(std::move(*frames));
  } else if (is_compressed(archive)) {
    auto unpacked = unpack(archive, size_limit);
    if (!unpacked) return std::unexpected(std::move(unpacked.error()));
    archive = unpacked->bytes;
    server->tree().keep(std::move(unpacked->memory));
  }
  Loader loader(server->tree(), lender);
  CpioReader reader(archive, lender);
  for (;;) {
    auto entry = reader.next();
    if (!entry) return std::unexpected(std::move(entry.error()));
    if (!*entry) return server;
    if (auto added = loader.add(**entry); !added) return std::unexpected(std::move(added.error()));
  }
}

}  // namespace osp::native
