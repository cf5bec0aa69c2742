#include <algorithm>
#include <numeric>
#include <set>

#include "migrate/image_format.h"
#include "migrate/memory_tree.h"
#include "migrate/validate_parts.h"

namespace osp::migrate::validation {
namespace {

bool packets_fit(const std::vector<uint32_t>& packets, const Bytes& contents) {
  return packets.empty() || std::accumulate(packets.begin(), packets.end(), uint64_t{0}) == contents.size();
}

// Whether the indices that a description of this kind cannot do without are there.
bool has_needed(const Manifest& manifest, const Description& description) {
  switch (description.kind) {
    case DescriptionKind::file:
    case DescriptionKind::directory:
    case DescriptionKind::path_only:
    case DescriptionKind::device:
      return in_list(description.file, manifest.files);
    case DescriptionKind::pipe:
      return in_list(description.pipe, manifest.pipes);
    case DescriptionKind::memfd:
      return in_list(description.object, manifest.objects);
    default:
      return true;
  }
}

ImageResult<void> check_socket(const Manifest& manifest, const Socket& socket, size_t number) {
  if (!none_or_in_list(socket.pair, manifest.descriptions))
    return bad("description {}: its socket's other end is not in the image", number);
  if (!packets_fit(socket.packets, socket.received)) return bad("description {}: packets do not add up", number);
  if (socket.shutdown > 3) return bad("description {}: shutdown is not 0 to 3", number);
  return {};
}

ImageResult<void> check_description(const Manifest& manifest, const Description& description, size_t number) {
  if (description.kind > DescriptionKind::pidfd)
    return bad("description {}: unknown kind {}", number, static_cast<unsigned>(description.kind));
  if (description.comeback > Comeback::inherit)
    return bad("description {}: unknown way to come back {}", number, static_cast<unsigned>(description.comeback));
  const bool indices =
      none_or_in_list(description.file, manifest.files) && none_or_in_list(description.pipe, manifest.pipes) &&
      none_or_in_list(description.object, manifest.objects) && none_or_in_list(description.session, manifest.sessions);
  if (!indices || !has_needed(manifest, description))
    return bad("description {}: what it leads to is not in the image", number);
  if (description.comeback == Comeback::reconnect && description.session == none)
    return bad("description {}: reconnects, but has no session", number);
  if (description.offset > INT64_MAX) return bad("description {}: offset is negative", number);
  for (const EpollEntry& entry : description.epoll)
    if (!in_list(entry.description, manifest.descriptions))
      return bad("description {}: epoll waits for fd {}, which is not in the image", number, entry.fd);
  return check_socket(manifest, description.socket, number);
}

ImageResult<void> check_objects(const Manifest& manifest) {
  for (size_t i = 0; i < manifest.objects.size(); ++i) {
    const MemoryObject& object = manifest.objects[i];
    if (object.kind > ObjectKind::tree_contents)
      return bad("object {}: unknown kind {}", i, static_cast<unsigned>(object.kind));
    if (object.size > format::address_end) return bad("object {}: too large", i);
  }
  return {};
}

ImageResult<void> check_tree(const Manifest& manifest, const MemoryTree& tree) {
  const ns::MemSnapshot snapshot = snapshot_of(tree);
  if (std::string fault = snapshot.fault(); !fault.empty()) return bad("tree {}: {}", tree.server, fault);
  if (!none_or_in_list(tree.contents, manifest.objects))
    return bad("tree {}: its contents are not in the image", tree.server);
  const uint64_t size = tree.contents == none ? 0 : manifest.objects[tree.contents].size;
  if (snapshot.contents_size() > size) return bad("tree {}: a file lies behind the end of its contents", tree.server);
  for (const FileRef& file : manifest.files) {
    const auto is_it = [&](const TreeNode& node) { return node.id == file.identity.inode; };
    if (file.server == tree.server && std::ranges::none_of(tree.nodes, is_it))
      return bad("tree {}: it lacks {}", tree.server, file.path);
  }
  return {};
}

ImageResult<void> check_trees(const Manifest& manifest) {
  std::set<std::string_view> servers;
  if (!manifest.trees.empty() && manifest.interface_version <= interface_without_trees)
    return bad("trees, in interface {}", manifest.interface_version);
  for (const MemoryTree& tree : manifest.trees) {
    if (!tree.server.starts_with("#m") || !servers.insert(tree.server).second)
      return bad("tree {} is twice there or of no memory file system", tree.server);
    OSP_TRY(check_tree(manifest, tree));
  }
  return {};
}

}  // namespace

ImageResult<void> check_files(const Manifest& manifest) {
  OSP_TRY(check_objects(manifest));
  for (size_t i = 0; i < manifest.files.size(); ++i)
    if (!none_or_in_list(manifest.files[i].contents, manifest.objects))
      return bad("file {}: its contents are not in the image", i);
  for (size_t i = 0; i < manifest.pipes.size(); ++i)
    if (!packets_fit(manifest.pipes[i].packets, manifest.pipes[i].contents))
      return bad("pipe {}: packets do not add up", i);
  for (size_t i = 0; i < manifest.sessions.size(); ++i)
    if (manifest.sessions[i].url.empty()) return bad("session {}: no url", i);
  for (size_t i = 0; i < manifest.descriptions.size(); ++i)
    OSP_TRY(check_description(manifest, manifest.descriptions[i], i));
  return check_trees(manifest);
}

}  // namespace osp::migrate::validation
