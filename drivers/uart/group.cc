#include "drivers/uart/group.h"

#include <algorithm>

#include "pip/packing.h"
#include "pip/task_layout.h"
#include "pip/wire.h"

namespace osp::uart {
namespace {

using pip::OptionSet;

constexpr size_t head_size = 1 + 4 + 8 + 2 + 2;  // Rgroup's type and fields
constexpr size_t reserve = 64;                   // of the room, for heads and an Rerror
constexpr uint32_t type_directory = 1;           // Ropen's Ftype

}  // namespace

Result<std::unique_ptr<Group>> Group::create(std::string body, uint32_t room) {
  auto group = std::unique_ptr<Group>(new Group(std::move(body), room));
  OSP_ASSIGN(pip::Packet packet, pip::decode_body(group->body_, OptionSet::all(), pip::task::most_messages));
  const auto* head = std::get_if<pip::Tgroup>(&packet.head);
  if (head == nullptr) return fail(EBADMSG);
  group->head_ = *head;
  group->messages_ = std::move(packet.messages);
  return group;
}

std::optional<std::string> Group::advance(const Tree& tree, Fids& fids, Round& round) {
  Context context{tree, fids, round};
  waits_for_line_ = false;
  for (; next_ < messages_.size(); ++next_, written_ = 0) {
    const size_t before = replies_.size();
    const auto step = cancelled_
                          ? Stepped(fail(EINTR))
                          : std::visit([&](const auto& message) { return handle(context, message); }, messages_[next_]);
    if (step && *step == Step::wait) return std::nullopt;
    if (step) continue;
    replies_.resize(before);
    refuse(step.error());
    if ((head_.flags & pip::flag_each) == 0) break;
  }
  return finish(fids);
}

std::string Group::finish(Fids& fids) {
  for (const uint32_t name : names_) fids.erase(name);
  std::string answer;
  const pip::Rgroup head{.csid = head_.ssid, .tag = head_.tag, .flags = 0, .count = count_};
  if (!pip::encode_message(head, OptionSet::all(), answer)) return {};
  return answer + replies_;
}

void Group::refuse(Error error) {
  const pip::Rerror r{.ename = describe(error),
                      .number = static_cast<uint32_t>(error.code),
                      .index = static_cast<uint16_t>(next_),
                      .consumed = 0,
                      .target = {},
                      .which = 0};
  if (pip::encode_message(r, OptionSet::all(), replies_)) ++count_;
}

Group::Stepped Group::reply(const pip::Message& message) {
  OSP_TRY(pip::encode_message(message, OptionSet::all(), replies_));
  if (head_size + replies_.size() + reserve > room_) return fail(EMSGSIZE);
  ++count_;
  return Step::done;
}

Result<Fid*> Group::find(Context& c, uint32_t number) const {
  const auto found = c.fids.find(number);
  if (found == c.fids.end()) return fail(EBADF);
  return &found->second;
}

Result<void> Group::room_for(const Context& c, uint32_t number) const {
  if (number == pip::no_fid) return {};
  if (c.fids.contains(number)) return fail(EBUSY);
  if (c.fids.size() >= most_fids) return fail(EMFILE);
  return {};
}

template <class T>
Group::Stepped Group::handle(Context&, const T&) {
  return fail(EPERM);
}

Group::Stepped Group::handle(Context& c, const pip::Tattach& t) {
  if (!t.aname.empty()) return fail(ENOENT);
  if (t.fid == pip::no_fid) return fail(EBADF);
  OSP_TRY(room_for(c, t.fid));
  c.fids[t.fid] = {.node = c.tree.find(""), .mode = {.path_only = true}};
  return reply(pip::Rattach{});
}

// Whoever reads a port is the only one, or each would get some of the bytes.
Result<Group::Found> Group::open(Context& c, uint32_t number, std::string_view name, std::string_view mode,
                                 uint32_t nfid) {
  OSP_ASSIGN(const Fid* const from, find(c, number));
  OSP_TRY(room_for(c, nfid));
  OSP_TRY(pip::check_path(name));
  std::string path = from->node->path;
  if (!path.empty() && !name.empty()) path += '/';
  path += name;
  const Tree::Node* const node = c.tree.find(path);
  if (node == nullptr) return fail(ENOENT);
  const bool is_directory = node->kind == Tree::Kind::directory;
  Fid fid{.node = node, .mode = {}, .is_name = mode.size() == 1 && mode[0] == pip::name_fid_letter};
  if (!fid.is_name) {
    OSP_ASSIGN(fid.mode, pip::parse_mode(mode));
    if (is_directory && fid.mode.write) return fail(EISDIR);
    if (!is_directory && fid.mode.directory) return fail(ENOTDIR);
  }
  if (node->kind == Tree::Kind::data && fid.mode.read) {
    fid.reader = node->port->become_reader();
    if (fid.reader == nullptr) return fail(EBUSY);
  }
  if (nfid != pip::no_fid) c.fids[nfid] = fid;
  if (nfid != pip::no_fid && fid.is_name) names_.push_back(nfid);
  return Found{c.tree.attributes(*node), is_directory};
}

Group::Stepped Group::handle(Context& c, const pip::Topen& t) {
  OSP_ASSIGN(const Found found, open(c, t.fid, t.path, t.mode, t.nfid));
  const std::string attributes = pip::pack(found.attributes);
  return reply(pip::Ropen{.iounit = pip::iounit_of(std::max(room_, pip::least_msize)),
                          .ftype = found.is_directory ? type_directory : 0,
                          .version = 0,
                          .attributes = attributes});
}

// As a shell opens what it writes to. Only what is there can be opened so.
Group::Stepped Group::handle(Context& c, const pip::Tcreate& t) {
  auto found = open(c, t.fid, t.name, t.mode, t.nfid);
  if (!found && found.error().code == ENOENT) return fail(EPERM);
  if (!found) return std::unexpected(found.error());
  const std::string attributes = pip::pack(found->attributes);
  return reply(pip::Rcreate{.iounit = pip::iounit_of(std::max(room_, pip::least_msize)),
                            .version = 0,
                            .attributes = attributes,
                            .created = 0});
}

Group::Stepped Group::handle(Context& c, const pip::Tread& t) {
  OSP_ASSIGN(const Fid* const fid, find(c, t.fid));
  const size_t used = head_size + replies_.size() + 2 * reserve;
  const auto count = std::min(t.count, room_ > used ? room_ - static_cast<uint32_t>(used) : 0);
  if (t.attrs == "stat") return reply_bytes(pip::pack(c.tree.attributes(*fid->node)));
  if (!t.attrs.empty()) return fail(ENODATA);
  if (!fid->mode.read) return fail(EBADF);
  if (fid->node->kind == Tree::Kind::directory) return read_entries(c, *fid, t, count);
  if (fid->node->kind == Tree::Kind::data) return read_data(c, *fid->node->port, count);
  const std::string text = fid->node->port->status();
  return reply_bytes(text.substr(std::min(t.offset, uint64_t{text.size()}), count));
}

Group::Stepped Group::read_data(Context& c, Port& port, uint32_t count) {
  const bool is_first = !c.round.readers.contains(&port);
  if (count > 0 && (!is_first || !port.has_news())) {
    c.round.readers.insert(&port);
    return Step::wait;
  }
  std::string bytes(std::min<size_t>(count, port.received()), '\0');
  port.take(bytes);
  return reply_bytes(std::move(bytes));
}

Group::Stepped Group::read_entries(const Context& c, const Fid& fid, const pip::Tread& t, uint32_t count) {
  const auto entries = c.tree.entries(*fid.node);
  std::string packed;
  for (uint64_t at = t.offset; at < entries.size(); ++at) {
    if (packed.size() + pip::packed_size(entries[at]) > count) {
      if (packed.empty()) return fail(EMSGSIZE);
      break;
    }
    pip::pack(entries[at], packed);
  }
  return reply_bytes(std::move(packed));
}

Group::Stepped Group::reply_bytes(std::string bytes) { return reply(pip::Rread{.dat = bytes}); }

Group::Stepped Group::handle(Context& c, const pip::Twrite& t) {
  OSP_ASSIGN(const Fid* const fid, find(c, t.fid));
  if (!t.attr.empty()) return fail(EPERM);
  if (!fid->mode.write) return fail(EBADF);
  Port& port = *fid->node->port;  // directories cannot be open for writing
  if (fid->node->kind == Tree::Kind::data) return write_data(c, port, t.dat);
  OSP_ASSIGN(const PortOrders orders, parse_orders(t.dat, port.settings()));
  port.apply(orders);
  return reply(pip::Rwrite{.count = static_cast<uint32_t>(t.dat.size()), .offset = 0});
}

Group::Stepped Group::write_data(Context& c, Port& port, std::string_view data) {
  if (!c.round.writers.contains(&port)) written_ += port.send(std::as_bytes(std::span(data)).subspan(written_));
  if (written_ < data.size()) {
    c.round.writers.insert(&port);
    return Step::wait;
  }
  return reply(pip::Rwrite{.count = static_cast<uint32_t>(data.size()), .offset = 0});
}

Group::Stepped Group::handle(Context& c, const pip::Tclunk& t) {
  if (c.fids.erase(t.fid) == 0) return fail(EBADF);
  return reply(pip::Rclunk{.version = 0});
}

// What was written before has left the chip.
Group::Stepped Group::handle(Context& c, const pip::Tcommit& t) {
  OSP_ASSIGN(const Fid* const fid, find(c, t.fid));
  Port* const port = fid->node->port;
  if (port == nullptr) return fail(EINVAL);
  if (c.round.writers.contains(port)) return Step::wait;
  if (!port->all_sent()) {
    waits_for_line_ = true;
    return Step::wait;
  }
  return reply(pip::Rcommit{.version = 0});
}

// When the other is answered, or not there.
Group::Stepped Group::handle(Context& c, const pip::Tflush& t) {
  if (t.tag == head_.tag || !c.round.unanswered.contains(t.tag)) return reply(pip::Rflush{});
  c.round.flushed.insert(t.tag);
  return Step::wait;
}

Group::Stepped Group::handle(Context&, const pip::Tping& t) { return reply(pip::Rping{.dat = t.dat}); }

}  // namespace osp::uart
