// FileSystem: names.
#include <sys/stat.h>

#include "tools/mount/file_system.h"

namespace osp::fuse {
namespace {

// Keeps calls on a node from using its old name while it is given a new one.
class Move {
 public:
  Move(NodePtr node, keeper::WaitList& waiting) : node_(std::move(node)), waiting_(waiting) {
    if (node_ != nullptr) ++node_->moving;
  }
  ~Move() {
    if (node_ == nullptr) return;
    --node_->moving;
    waiting_.wake_all();
  }
  Move(const Move&) = delete;
  Move& operator=(const Move&) = delete;

 private:
  NodePtr node_;
  keeper::WaitList& waiting_;
};

}  // namespace

FileSystem::FileSystem(Remote& remote, Options options, std::function<void(uint64_t)> contents_changed)
    : remote_(remote), options_(options), contents_changed_(std::move(contents_changed)), table_(remote.root()) {
  // What the kernel keeps of files that are mapped it would not ask for again.
  remote_.on_recall([this] {
    for (const NodePtr& open : files_.nodes())
      if (open->is(S_IFREG)) contents_changed_(open->number());
  });
}

Result<NodePtr> FileSystem::node(uint64_t number) const {
  NodePtr found = table_.find(number);
  return found != nullptr ? Result<NodePtr>(std::move(found)) : osp::fail(ESTALE);
}

Result<std::string> FileSystem::path_of(const Node& node) {
  while (table_.is_moving(node)) moves_.wait();
  auto path = table_.path(node);
  return path ? Result<std::string>(std::move(*path)) : osp::fail(ENOENT);
}

Result<NodePtr> FileSystem::enter(const NodePtr& parent, std::string_view name, const pip::Attributes& attributes,
                                  uint64_t asked) {
  return table_.enter(parent, name, attributes, asked);
}

Result<NodePtr> FileSystem::lookup(uint64_t parent, std::string_view name) {
  OSP_ASSIGN(const NodePtr in, node(parent));
  const uint64_t asked = changes_;
  OSP_ASSIGN(const pip::Attributes found,
             at_path(*in, name, [&](const std::string& path) { return remote_.client().stat(path); }));
  return enter(in, name, found, asked);
}

// O_PATH. Of what is answered before it is done, nobody knows the number yet: who asks for it waits.
Result<pip::Opened> FileSystem::open_name(const Node& node, std::string_view name) {
  OSP_ASSIGN(pip::Opened opened, at_path(node, name, [&](const std::string& path) {
               return remote_.client().open(path, {.path_only = true});
             }));
  if (opened.attributes.id == 0) {
    OSP_ASSIGN(opened.attributes, opened.file->stat());
  }
  return opened;
}

// As on a disk: in a directory whose files are its group's, they stay so. What has several names nobody has just made.
void FileSystem::give_owner(const Node& parent, pip::File& file, pip::Attributes& made, Owner owner) {
  if (!options_.gives_owner || (!S_ISDIR(made.mode) && made.links > 1)) return;
  pip::AttributeChange change;
  change.has_uid = made.uid != owner.uid;
  change.has_gid = made.gid != owner.gid && (parent.attributes.mode & S_ISGID) == 0;
  if (!change.has_uid && !change.has_gid) return;
  change.uid = owner.uid, change.gid = owner.gid;
  constexpr uint32_t ended_by_chown = S_ISUID | S_ISGID;
  change.has_mode = !S_ISLNK(made.mode) && (made.mode & ended_by_chown) != 0;
  change.mode = made.mode & ~static_cast<uint32_t>(S_IFMT);
  if (!file.change(change)) return;  // the server's user may not
  if (change.has_uid) made.uid = owner.uid;
  if (change.has_gid) made.gid = owner.gid;
}

Result<NodePtr> FileSystem::make(uint64_t parent, std::string_view name, const pip::NewFile& file, Owner owner) {
  OSP_ASSIGN(const NodePtr in, node(parent));
  OSP_TRY(at_path(*in, name, [&](const std::string& path) { return remote_.client().make(path, file); }));
  if (!options_.gives_owner) return lookup(parent, name);
  OSP_ASSIGN(pip::Opened made, open_name(*in, name));
  if ((made.attributes.mode & S_IFMT) == (file.mode & S_IFMT)) give_owner(*in, *made.file, made.attributes, owner);
  return enter(in, name, made.attributes, changes_);
}

Result<NodePtr> FileSystem::link(uint64_t number, uint64_t parent, std::string_view name) {
  OSP_ASSIGN(const NodePtr file, node(number));
  OSP_ASSIGN(const NodePtr in, node(parent));
  OSP_ASSIGN(const std::string from, path_of(*file));
  OSP_TRY(at_path(*in, name, [&](const std::string& path) { return remote_.client().link(remote_.path(from), path); }));
  return lookup(parent, name);
}

Result<void> FileSystem::remove(uint64_t parent, std::string_view name, bool directory) {
  OSP_ASSIGN(const NodePtr in, node(parent));
  OSP_TRY(at_path(*in, name, [&](const std::string& path) { return remote_.client().remove(path, directory); }));
  table_.removed(in, name);
  return {};
}

Result<void> FileSystem::rename(uint64_t from, std::string_view name, uint64_t to, std::string_view new_name,
                                unsigned flags) {
  OSP_ASSIGN(const NodePtr source, node(from));
  OSP_ASSIGN(const NodePtr target, node(to));
  for (int tries = 1;; ++tries) {
    remote_.await_session();
    while (table_.is_moving(*source) || table_.is_moving(*target)) moves_.wait();
    const auto from_path = table_.path(*source), to_path = table_.path(*target);
    if (!from_path || !to_path) return osp::fail(ENOENT);
    // From here on others wait for it, so it waits for none of them.
    const Move moved(table_.child(*source, name), moves_), replaced(table_.child(*target, new_name), moves_);
    const auto done = plain(
        remote_.client().rename(remote_.path(join(*from_path, name)), remote_.path(join(*to_path, new_name)), flags));
    const bool is_elsewhere = table_.path(*source) != from_path || table_.path(*target) != to_path;
    if (!done && (tries == most_tries || !is_elsewhere || !may_be_elsewhere(done.error().code))) return done;
    if (!done) continue;
    if ((flags & RENAME_EXCHANGE) != 0) {
      table_.exchanged(source, name, target, new_name);
    } else {
      table_.renamed(source, name, target, new_name);
    }
    return {};
  }
}

Result<std::string> FileSystem::read_link(uint64_t number) {
  OSP_ASSIGN(const NodePtr link, node(number));
  return at_path(*link, "", [&](const std::string& path) { return remote_.client().read_link(path); });
}

}  // namespace osp::fuse
