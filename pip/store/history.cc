#include "pip/store/history.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <charconv>
#include <ctime>

#include "pip/access.h"
#include "pip/store/content.h"
#include "pip/store/keys.h"
#include "pip/store/store_file.h"
#include "pip/store/walked.h"

namespace osp::pip::store {
namespace {

constexpr uint64_t ns_per_s = 1'000'000'000;
constexpr uint64_t own_id = uint64_t{1} << 63;  // no file of the present has it
constexpr uint32_t search_only = 0111;          // what cannot be listed must not look empty: clients remember that
constexpr size_t most_in_answer = 60000;        // bytes

// What a file that was is called by; the same each time.
uint64_t past_id(uint64_t id, uint64_t moment) {
  return own_id | ((id * 0x9e3779b97f4a7c15U) ^ (moment * 0xc2b2ae3d27d4eb4fU));
}

// A file or directory as it was. Without a view it has no names.
class PastFile final : public File {
 public:
  PastFile(Store& store, const Attributes& attributes, Content content, std::optional<TreeView> view, uint64_t id,
           uint64_t moment)
      : store_(store), attributes_(attributes), content_(std::move(content)), view_(view), id_(id), moment_(moment) {}

  Result<size_t> read(uint64_t offset, std::span<std::byte> into) override {
    if (S_ISDIR(attributes_.mode)) return fail(EISDIR);
    if (offset >= content_.size()) return 0;
    const size_t count = static_cast<size_t>(std::min<uint64_t>(into.size(), content_.size() - offset));
    if (!content_.read(offset, into.first(count), store_.chunks())) return fail(EIO);
    return count;
  }
  Result<size_t> write(uint64_t, std::span<const std::byte>) override { return fail(EBADF); }
  Result<std::vector<DirectoryEntry>> read_directory(uint64_t first, size_t count) override {
    if (!S_ISDIR(attributes_.mode)) return fail(ENOTDIR);
    if (!view_) return fail(EACCES);
    if (first == 0 || !listing_) {
      OSP_ASSIGN(listing_, Listing::of(*view_, id_));
    }
    return listing_->entries(*view_, first, count,
                             [this](uint64_t id, const Inode& inode) { return inode.describe(past_id(id, moment_)); });
  }
  Result<Attributes> stat() override { return attributes_; }

 private:
  Store& store_;
  Attributes attributes_;
  Content content_;
  std::optional<TreeView> view_;
  uint64_t id_;
  uint64_t moment_;
  std::optional<Listing> listing_;
};

// The content of the version `number`; 0: nothing was ever in it.
Walked<Content> content_of(Store& store, uint64_t id, uint64_t number) {
  if (number == 0) return Content();
  OSP_ASSIGN(const Version version, walked(store.version(id, number)));
  return walked(Content::decode(version.content, store.chunks()));
}

Walked<void> check_mode(uint32_t kind, const OpenMode& mode) {
  if (mode.write || mode.truncate || mode.create) return refuse(EROFS);
  if (mode.directory && !S_ISDIR(kind)) return refuse(ENOTDIR);
  if (!mode.path_only && !S_ISDIR(kind) && !S_ISREG(kind)) return refuse(ENXIO);
  return {};
}

// The tree at the end of a second, by paths from its root.
class PastTree final : public Server {
 public:
  PastTree(Store& store, uint64_t time_s) : store_(store), view_(store, time_s), time_s_(time_s) {}

  Walked<Opened> open(std::string_view path, const OpenMode& mode) override {
    OSP_ASSIGN(const Entry entry, view_.walk(path));
    OSP_ASSIGN(const Inode inode, walked(view_.inode(entry.id)));
    if (S_ISLNK(entry.kind) && !mode.path_only) return std::unexpected(WalkError::link(path.size(), inode.target));
    OSP_TRY(check_mode(entry.kind, mode));
    if (!mode.path_only && !view_.may(inode, mode.read ? 4 : 0)) return refuse(EACCES);
    OSP_ASSIGN(Content content, mode.path_only ? Content() : content_of(store_, entry.id, inode.committed.version));
    const Attributes attributes = inode.describe(past_id(entry.id, time_s_));
    return Opened{.file = std::make_unique<PastFile>(store_, attributes, std::move(content), view_, entry.id, time_s_),
                  .attributes = attributes};
  }
  Walked<Attributes> stat(std::string_view path) override {
    OSP_ASSIGN(const Entry entry, view_.walk(path));
    OSP_ASSIGN(const Inode inode, walked(view_.inode(entry.id)));
    return inode.describe(past_id(entry.id, time_s_));
  }
  Walked<std::string> read_link(std::string_view path) override {
    OSP_ASSIGN(const Entry entry, view_.walk(path));
    OSP_ASSIGN(const Inode inode, walked(view_.inode(entry.id)));
    if (!S_ISLNK(entry.kind)) return refuse(EINVAL);
    return inode.target;
  }
  Walked<void> change(std::string_view, const AttributeChange&) override { return refuse(EROFS); }
  Walked<void> make(std::string_view, const NewFile&) override { return refuse(EROFS); }
  Walked<void> remove(std::string_view, bool) override { return refuse(EROFS); }
  Walked<void> rename(std::string_view, std::string_view, unsigned) override { return refuse(EROFS); }
  Walked<void> link(std::string_view, std::string_view) override { return refuse(EROFS); }
  Walked<std::string> get_attribute(std::string_view path, std::string_view name) override {
    OSP_ASSIGN(const Entry entry, view_.walk(path));
    OSP_ASSIGN(const Inode inode, walked(view_.inode(entry.id)));
    const auto found = inode.attributes.find(name);
    if (found == inode.attributes.end()) return refuse(ENODATA);
    return found->second;
  }
  Walked<std::vector<std::string>> list_attributes(std::string_view path) override {
    OSP_ASSIGN(const Entry entry, view_.walk(path));
    OSP_ASSIGN(const Inode inode, walked(view_.inode(entry.id)));
    std::vector<std::string> names;
    names.reserve(inode.attributes.size());
    for (const auto& [name, value] : inode.attributes) names.push_back(name);
    return names;
  }
  Result<FileSystemStat> statfs() override { return fail(EOPNOTSUPP); }
  [[nodiscard]] std::string name() const override { return fmt::format("@{}", time_s_); }

 private:
  Store& store_;
  TreeView view_;
  uint64_t time_s_;
};

// A path below History::directory, taken apart.
struct PastPath {
  enum class Kind { place, at, version } kind = Kind::place;  // place: one of the directories on the way
  uint64_t number = 0;
  size_t prefix = 0;      // bytes of the path before `rest`
  std::string_view rest;  // from the root of the tree
};

Walked<PastPath> take_apart(std::string_view path) {
  PastPath past;
  std::string_view rest = path.substr(std::min(path.size(), History::directory.size() + 1));
  const std::string_view kind = rest.substr(0, rest.find('/'));
  if (!kind.empty() && kind != "at" && kind != "version") return refuse(ENOENT);
  rest.remove_prefix(std::min(rest.size(), kind.size() + 1));
  if (rest.empty()) return past;
  const std::string_view which = rest.substr(0, rest.find('/'));
  rest.remove_prefix(std::min(rest.size(), which.size() + 1));
  if (kind == "at") {
    const auto time = parse_time(which);
    if (!time) return refuse(ENOENT);
    past.kind = PastPath::Kind::at, past.number = *time;
  } else {
    const auto [end, error] = std::from_chars(which.data(), which.data() + which.size(), past.number);
    if (error != std::errc() || end != which.data() + which.size()) return refuse(ENOENT);
    past.kind = PastPath::Kind::version;
  }
  past.prefix = path.size() - rest.size();
  past.rest = rest;
  return past;
}

Attributes place_attributes(std::string_view path) {
  Attributes a;
  a.id = past_id(std::hash<std::string_view>()(path), 0);
  a.mode = S_IFDIR | search_only, a.links = 2;
  return a;
}

// Links are reported by the whole path.
template <class T>
Walked<T> shifted(Walked<T> result, size_t prefix) {
  if (!result && result.error().is_link()) result.error().consumed += prefix;
  return result;
}

struct PastVersion {
  uint64_t id = 0;
  Attributes attributes;
};

Walked<PastVersion> find_version(Store& store, const PastPath& past) {
  TreeView view(store);
  OSP_ASSIGN(const Entry entry, shifted(view.walk(past.rest), past.prefix));
  OSP_ASSIGN(Inode inode, walked(view.inode(entry.id)));
  if (S_ISLNK(entry.kind))
    return std::unexpected(WalkError::link(past.prefix + past.rest.size(), std::move(inode.target)));
  if (S_ISDIR(entry.kind)) {
    inode.mode = S_IFDIR | search_only;
    return PastVersion{.id = entry.id, .attributes = inode.describe(past_id(entry.id, 0))};
  }
  if (!S_ISREG(entry.kind)) return refuse(ENXIO);
  if (!view.may(inode, 4)) return refuse(EACCES);
  OSP_ASSIGN(const Version version, walked(store.version(entry.id, past.number)));
  inode.size = version.size, inode.allocated = version.allocated, inode.version = past.number;
  inode.mtime_ns = version.mtime_ns, inode.ctime_ns = version.time_ns;
  return PastVersion{.id = entry.id, .attributes = inode.describe(past_id(entry.id, past.number))};
}

}  // namespace

bool History::is_past(std::string_view path) { return is_within(path, directory); }

std::unique_ptr<Server> History::as_of(uint64_t time_s) { return std::make_unique<PastTree>(store_, time_s); }

// What is not over may still change.
static bool is_over(Store& store, const PastPath& past) {
  return past.number < static_cast<uint64_t>(store.now_ns()) / ns_per_s + 1;
}

Walked<Opened> History::open(std::string_view path, const OpenMode& mode) {
  OSP_ASSIGN(const PastPath past, take_apart(path));
  if (past.kind == PastPath::Kind::at) {
    if (!is_over(store_, past)) return refuse(ENOENT);
    return shifted(PastTree(store_, past.number).open(past.rest, mode), past.prefix);
  }
  PastVersion found{.id = 0, .attributes = place_attributes(path)};
  if (past.kind == PastPath::Kind::version) {
    OSP_ASSIGN(found, find_version(store_, past));
  }
  OSP_TRY(check_mode(found.attributes.mode, mode));
  if (S_ISDIR(found.attributes.mode) && mode.read && !mode.path_only) return refuse(EACCES);
  const bool is_file = S_ISREG(found.attributes.mode) && !mode.path_only;
  OSP_ASSIGN(Content content, is_file ? content_of(store_, found.id, past.number) : Content());
  return Opened{.file = std::make_unique<PastFile>(store_, found.attributes, std::move(content),
                                                   std::optional<TreeView>(), found.id, past.number),
                .attributes = found.attributes};
}

Walked<Attributes> History::stat(std::string_view path) {
  OSP_ASSIGN(const PastPath past, take_apart(path));
  if (past.kind == PastPath::Kind::place) return place_attributes(path);
  if (past.kind == PastPath::Kind::at) {
    if (!is_over(store_, past)) return refuse(ENOENT);
    return shifted(PastTree(store_, past.number).stat(past.rest), past.prefix);
  }
  OSP_ASSIGN(const PastVersion found, find_version(store_, past));
  return found.attributes;
}

Walked<std::string> History::read_link(std::string_view path) {
  OSP_ASSIGN(const PastPath past, take_apart(path));
  if (past.kind != PastPath::Kind::at) return refuse(EINVAL);
  return shifted(PastTree(store_, past.number).read_link(past.rest), past.prefix);
}

Walked<std::string> History::get_attribute(std::string_view path, std::string_view name) {
  OSP_ASSIGN(const PastPath past, take_apart(path));
  if (past.kind != PastPath::Kind::at) return refuse(ENODATA);
  return shifted(PastTree(store_, past.number).get_attribute(past.rest, name), past.prefix);
}

Walked<std::vector<std::string>> History::list_attributes(std::string_view path) {
  OSP_ASSIGN(const PastPath past, take_apart(path));
  if (past.kind != PastPath::Kind::at) return std::vector<std::string>{};
  return shifted(PastTree(store_, past.number).list_attributes(past.rest), past.prefix);
}

Result<std::string> History::versions(uint64_t id, uint64_t before) {
  std::string lines;
  while (lines.size() < most_in_answer && before > 0) {
    OSP_ASSIGN(const auto found, store_.metadata().last(key::version(id, 0), key::version(id, before - 1)));
    if (!found) break;
    before = key::number_in(found->first, 8);
    OSP_ASSIGN(const Version version, decode_version(found->second));
    lines += fmt::format("{} {} {}\n", before, version.time_ns, version.size);
  }
  return lines;
}

std::optional<uint64_t> parse_time(std::string_view text) {
  uint64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error == std::errc() && end == text.data() + text.size()) return seconds;
  std::string whole(text.ends_with('Z') ? text.substr(0, text.size() - 1) : text);
  for (const char* form : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"}) {
    tm parts{};
    const char* const rest = strptime(whole.c_str(), form, &parts);
    if (rest != nullptr && *rest == '\0') return static_cast<uint64_t>(std::max<time_t>(0, timegm(&parts)));
  }
  return std::nullopt;
}

}  // namespace osp::pip::store
