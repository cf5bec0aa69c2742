#include "namespace/mem_snapshot.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <set>

#include "namespace/path.h"
#include "pip/packing.h"
#include "pip/wire.h"

namespace osp::ns {
namespace {

using Node = MemSnapshot::Node;
using ById = std::map<uint64_t, const Node*>;

bool is(const Node& node, uint32_t type) { return (node.attributes.mode & S_IFMT) == type; }

bool is_known_type(const Node& node) {
  constexpr uint32_t types[] = {S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK};
  return std::ranges::any_of(types, [&](uint32_t type) { return is(node, type); });
}

bool is_name(std::string_view name) {
  constexpr std::string_view forbidden("/\0", 2);
  return !name.empty() && name.size() <= name_size_max && name != "." && name != ".." &&
         name.find_first_of(forbidden) == std::string_view::npos;
}

// What is impossible about a node by itself, or null.
const char* fault_of(const Node& node, uint64_t next_id) {
  const pip::Attributes& a = node.attributes;
  if (a.id == 0 || a.id >= next_id) return "has an impossible number";
  if (!is_known_type(node)) return "is of an unknown type";
  if (!is(node, S_IFDIR) && !node.names.empty()) return "has names in it, but is no directory";
  if (node.target.empty() == is(node, S_IFLNK)) return "has a target, or lacks one";
  if (!is(node, S_IFREG) && node.at != 0) return "has contents, but is no regular file";
  if (node.at % MemSnapshot::alignment != 0 || node.at > INT64_MAX || a.size > INT64_MAX - node.at)
    return "has contents at an impossible place";
  for (const auto& [name, id] : node.names)
    if (!is_name(name)) return "has an impossible name in it";
  return nullptr;
}

// Whether names lead somewhere and directories have one each, but for removed ones, which are empty. No directory is
// then within itself.
std::string fault_of_names(const ById& nodes) {
  std::set<uint64_t> seen = {MemSnapshot::root};
  std::vector<const Node*> open = {nodes.at(MemSnapshot::root)};
  while (!open.empty()) {
    const Node& directory = *open.back();
    open.pop_back();
    for (const auto& [name, id] : directory.names) {
      const auto found = nodes.find(id);
      if (found == nodes.end()) return fmt::format("a name leads to file {}, which is not there", id);
      if (!is(*found->second, S_IFDIR)) continue;
      if (!seen.insert(id).second) return fmt::format("directory {} has two names", id);
      open.push_back(found->second);
    }
  }
  for (const auto& [id, node] : nodes)
    if (!node->names.empty() && !seen.contains(id)) return fmt::format("directory {} cannot be reached", id);
  return {};
}

void encode_node(const Node& node, pip::Writer& writer) {
  writer.bytes(pack(node.attributes));
  writer.bytes(node.target);
  writer.u64(node.at);
  writer.u32(static_cast<uint32_t>(node.extended.size()));
  for (const auto& [name, value] : node.extended) writer.bytes(name), writer.bytes(value);
  writer.u32(static_cast<uint32_t>(node.names.size()));
  for (const auto& [name, id] : node.names) writer.bytes(name), writer.u64(id);
}

Result<Node> decode_node(pip::Reader& reader) {
  Node node;
  OSP_ASSIGN(node.attributes, pip::unpack_attributes(reader.bytes()));
  node.target = reader.bytes();
  node.at = reader.u64();
  for (uint32_t count = reader.u32(); count > 0 && reader.ok(); --count) {
    const std::string name(reader.bytes());
    node.extended[name] = reader.bytes();
  }
  for (uint32_t count = reader.u32(); count > 0 && reader.ok(); --count) {
    const std::string name(reader.bytes());
    node.names[name] = reader.u64();
  }
  return reader.ok() ? Result<Node>(std::move(node)) : fail(EBADMSG);
}

}  // namespace

uint64_t MemSnapshot::contents_size() const {
  uint64_t end = 0;
  for (const Node& node : nodes)
    if (is(node, S_IFREG)) end = std::max(end, node.at + node.attributes.size);
  return end;
}

std::string MemSnapshot::fault() const {
  ById by_id;
  for (const Node& node : nodes) {
    if (const char* fault = fault_of(node, next_id)) return fmt::format("file {} {}", node.attributes.id, fault);
    if (!by_id.emplace(node.attributes.id, &node).second)
      return fmt::format("file {} is twice there", node.attributes.id);
  }
  if (!by_id.contains(root) || !is(*by_id[root], S_IFDIR)) return "it has no root";
  return fault_of_names(by_id);
}

std::string MemSnapshot::encode() const {
  std::string out;
  pip::Writer writer(out);
  writer.u32(uid), writer.u32(gid), writer.u64(next_id);
  writer.u64(nodes.size());
  for (const Node& node : nodes) encode_node(node, writer);
  return out;
}

Result<MemSnapshot> MemSnapshot::decode(std::string_view bytes) {
  pip::Reader reader(bytes);
  MemSnapshot snapshot;
  snapshot.uid = reader.u32(), snapshot.gid = reader.u32(), snapshot.next_id = reader.u64();
  for (uint64_t count = reader.u64(); count > 0; --count) {
    OSP_ASSIGN(Node node, decode_node(reader));
    snapshot.nodes.push_back(std::move(node));
  }
  if (!reader.finished()) return fail(EBADMSG);
  return snapshot;
}

}  // namespace osp::ns
