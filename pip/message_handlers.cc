// What each message of a group does (group_runner.h).
#include <sys/stat.h>

#include <algorithm>

#include "pip/directory_lister.h"
#include "pip/group_runner.h"
#include "pip/packing.h"
#include "pip/past_path.h"

namespace osp::pip {
namespace {

constexpr uint32_t file_type_directory = 1;  // Ropen's Ftype, as published in 2010
constexpr uint32_t file_type_versioned = 4;
constexpr unsigned rename_exchange = 2;
constexpr size_t entries_at_once = 128;

std::unexpected<WalkError> refuse(int code) { return std::unexpected(WalkError(code)); }

template <class T>
Walked<T> walked(Result<T> result) {
  if (!result) return std::unexpected(WalkError(result.error()));
  if constexpr (std::is_void_v<T>) {
    return {};
  } else {
    return std::move(*result);
  }
}

Ropen describe_open(const Attributes& attributes, std::string_view packed, uint32_t msize) {
  return {.iounit = iounit_of(msize),
          .ftype = S_ISDIR(attributes.mode) ? file_type_directory : file_type_versioned,
          .version = attributes.version,
          .attributes = packed};
}

bool is_kind_other_than_regular(uint32_t mode) { return (mode & S_IFMT) != 0 && !S_ISREG(mode); }

}  // namespace

template <class T>
Walked<void> GroupRunner::handle(const T&) {
  return refuse(EPROTO);
}
#define MESSAGE(name, code, option) template Walked<void> GroupRunner::handle<name>(const name&);
#define FIELD(kind_, member, wire, option)
#define END()
template Walked<void> GroupRunner::handle<std::monostate>(const std::monostate&);
#include "pip/messages.def"

Walked<void> GroupRunner::handle(const Tattach& t) {
  // One tree, which has no name; a store's as it was is "@TIME".
  if (!t.aname.empty() && !t.aname.starts_with('@')) return refuse(ENOENT);
  const std::string path = t.aname.empty() ? std::string() : past_path(t.aname.substr(1));
  OSP_TRY(room_for_fid(t.fid));
  OSP_ASSIGN(const Attributes attributes, server().stat(path));
  add_fid(t.fid, {.path = path, .mode = {.path_only = true}, .id = attributes.id},
          {.file = nullptr, .is_directory = true, .is_root = true});
  return reply(Rattach{});
}

Walked<void> GroupRunner::open_name(const Topen& t, std::string path, bool wants_attributes) {
  Attributes attributes;
  if (wants_attributes) {
    OSP_ASSIGN(attributes, server().stat(path));
    attributes = tree_.shown(attributes);
  }
  if (t.nfid != no_fid) add_fid(t.nfid, {.path = std::move(path), .mode = {}, .is_name = true}, {});
  return reply(describe_open(attributes, wants_attributes ? pack(attributes) : std::string(), msize_));
}

Walked<void> GroupRunner::handle(const Topen& t) {
  OSP_ASSIGN(std::string path, join(t.fid, t.path));
  OSP_TRY(room_for_fid(t.nfid));
  // A name fid looks at nothing; without a fid to make, the attributes are what is wanted.
  if (t.mode == "n") return open_name(t, std::move(path), t.nfid == no_fid);
  OSP_ASSIGN(OpenMode mode, walked(parse_mode(t.mode)));
  if (mode.create) return refuse(EINVAL);
  OSP_ASSIGN(Opened opened, server().open(path, mode));
  if (mode.truncate) mutated_ = true, mode.truncate = false;
  const bool is_directory = S_ISDIR(opened.attributes.mode);
  if (t.nfid != no_fid)
    add_fid(t.nfid, {.path = std::move(path), .mode = mode, .id = opened.attributes.id},
            {.file = std::move(opened.file), .is_directory = is_directory});
  return reply(describe_open(opened.attributes, pack(tree_.shown(opened.attributes)), msize_));
}

Walked<void> GroupRunner::handle(const Tcreate& t) {
  OSP_ASSIGN(const std::string path, join(t.fid, t.name));
  OSP_TRY(room_for_fid(t.nfid));
  return t.mode.empty() || is_kind_other_than_regular(t.perm) ? create_other(t, path) : create_file(t, path);
}

Walked<void> GroupRunner::create_file(const Tcreate& t, const std::string& path) {
  OSP_ASSIGN(OpenMode mode, walked(parse_mode(t.mode)));
  mode.create = true, mode.permissions = t.perm & 07777U;
  OSP_ASSIGN(const bool done_before, begin_if_absent(path, {.effect = Intent::Effect::create, .path = path}));
  OpenMode now = mode;
  if (done_before) now.create = now.exclusive = false;
  OSP_ASSIGN(Opened opened, server().open(path, now));
  mutated_ = true;
  mode.create = mode.exclusive = mode.truncate = false;
  const bool created = opened.created || done_before;
  if (t.nfid != no_fid)
    add_fid(t.nfid, {.path = path, .mode = mode, .id = opened.attributes.id},
            {.file = std::move(opened.file), .is_directory = false});
  const std::string packed = pack(tree_.shown(opened.attributes));
  return reply(Rcreate{.iounit = iounit_of(msize_),
                       .version = opened.attributes.version,
                       .attributes = packed,
                       .created = created ? created_flags(path) : uint8_t{0}});
}

// With bit 2 the lease on the directory is the session's alone from now on.
uint8_t GroupRunner::created_flags(const std::string& path) {
  return tree_.leases().make_exclusive(session_.ssid, directory_of(path)) ? 3 : 1;
}

Walked<void> GroupRunner::create_other(const Tcreate& t, const std::string& path) {
  OSP_ASSIGN(const bool done_before, begin_if_absent(path, {.effect = Intent::Effect::make, .path = path}));
  const NewFile file{.mode = t.perm, .device = t.device, .target = std::string(t.target)};
  if (!done_before) OSP_TRY(server().make(path, file));
  made_ = path;
  return reply(Rcreate{.iounit = 0, .version = 0, .attributes = {}, .created = created_flags(path)});
}

Walked<void> GroupRunner::handle(const Tread& t) {
  OSP_ASSIGN(const uint32_t count, room(t.count));
  if (!t.attrs.empty()) {
    OSP_ASSIGN(const std::string value, attribute(t));
    if (value.size() > count) return refuse(ERANGE);
    return reply(Rread{.dat = value});
  }
  OSP_ASSIGN(const Found found, find(t.fid));
  return found.fid.is_directory ? read_entries(t, count) : read_contents(t, count);
}

Walked<void> GroupRunner::read_contents(const Tread& t, uint32_t count) {
  OSP_ASSIGN(File* const file, file_of(t.fid));
  // Straight into the reply: type[1], length[4], and the bytes.
  const size_t start = reply_.size();
  OSP_TRY(reply(Rread{}));
  const size_t data = reply_.size();
  reply_.resize(data + count);
  auto got = file->read(t.offset, std::as_writable_bytes(std::span(reply_).subspan(data)));
  if (!got) return refuse(got.error().code);
  reply_.resize(data + *got);
  put_number(reply_, start + 1, static_cast<uint32_t>(*got));
  return {};
}

Walked<void> GroupRunner::read_entries(const Tread& t, uint32_t count) {
  OSP_ASSIGN(File* const file, file_of(t.fid));
  OSP_ASSIGN(const Found found, find(t.fid));
  if (t.offset == 0) found.fid.hidden_at = UINT64_MAX;
  std::string packed;
  uint64_t next = t.offset + (t.offset >= found.fid.hidden_at ? 1 : 0);
  bool full = false;
  while (!full) {
    OSP_ASSIGN(const auto entries, walked(file->read_directory(next, entries_at_once)));
    if (entries.empty()) break;
    for (DirectoryEntry entry : entries) {
      entry.attributes = tree_.shown(entry.attributes);
      full = packed.size() + packed_size(entry) > count;
      if (full) break;
      if (found.record.path.empty() && entry.name == held_directory) {
        found.fid.hidden_at = next;
      } else {
        pack(entry, packed);
      }
      ++next;
    }
  }
  if (packed.empty() && full) return refuse(EMSGSIZE);
  return reply(Rread{.dat = packed});
}

Walked<Attributes> GroupRunner::attributes_of(uint32_t number) {
  OSP_ASSIGN(const Found found, find(number));
  if (found.record.is_name) {
    OSP_ASSIGN(const Attributes attributes, server().stat(found.record.path));
    return tree_.shown(attributes);
  }
  OSP_ASSIGN(File* const file, file_of(number));
  OSP_ASSIGN(const Attributes attributes, walked(file->stat()));
  return tree_.shown(attributes);
}

Walked<std::string> GroupRunner::attribute(const Tread& t) {
  OSP_ASSIGN(const Found found, find(t.fid));
  if (t.attrs == "target") return server().read_link(found.record.path);
  if (t.attrs == "stat") {
    OSP_ASSIGN(const Attributes attributes, attributes_of(t.fid));
    return pack(attributes);
  }
  if (t.attrs == "statfs") {
    OSP_ASSIGN(const FileSystemStat stat, walked(server().statfs()));
    return pack(stat);
  }
  if (t.attrs != "*") return server().get_attribute(found.record.path, t.attrs);
  OSP_ASSIGN(const auto names, server().list_attributes(found.record.path));
  std::string list;
  for (const std::string& name : names) (list += name) += '\0';
  return list;
}

Walked<void> GroupRunner::handle(const Twrite& t) {
  if (!t.attr.empty()) return write_attribute(t);
  OSP_ASSIGN(const Found found, find(t.fid));
  if (found.record.mode.append || t.offset == append_offset) return append_data(t, found);
  OSP_ASSIGN(File* const file, file_of(t.fid));
  mutated_ = true;
  OSP_ASSIGN(const size_t written, walked(file->write(t.offset, std::as_bytes(std::span(t.dat)))));
  return reply(Rwrite{.count = static_cast<uint32_t>(written), .offset = t.offset + written});
}

Walked<void> GroupRunner::append_data(const Twrite& t, Found at) {
  OSP_ASSIGN(File* const file, file_of(t.fid));
  OSP_ASSIGN(const Attributes before, walked(file->stat()));
  OSP_ASSIGN(
      const bool done_before,
      begin(
          {.effect = Intent::Effect::append, .path = at.record.path, .data = std::string(t.dat), .size = before.size}));
  if (done_before) {
    const uint64_t end = session_.state.resolved->size + t.dat.size();
    return reply(Rwrite{.count = static_cast<uint32_t>(t.dat.size()), .offset = end});
  }
  OSP_ASSIGN(const uint64_t end, walked(file->append(std::as_bytes(std::span(t.dat)))));
  const size_t written = std::min<size_t>(t.dat.size(), end - std::min(end, before.size));
  return reply(Rwrite{.count = static_cast<uint32_t>(written), .offset = end});
}

Walked<void> GroupRunner::write_attribute(const Twrite& t) {
  OSP_ASSIGN(const Found found, find(t.fid));
  if (t.attr == "stat") {
    OSP_ASSIGN(const AttributeChange change, walked(unpack_change(t.dat)));
    mutated_ = true;
    if (found.record.is_name) {
      OSP_TRY(server().change(found.record.path, change));
    } else {
      OSP_ASSIGN(File* const file, file_of(t.fid));
      OSP_TRY(walked(file->change(change)));
    }
  } else {
    OSP_TRY(set_named(t, found.record.path));
  }
  return reply(Rwrite{.count = static_cast<uint32_t>(t.dat.size()), .offset = 0});
}

Walked<void> GroupRunner::set_named(const Twrite& t, const std::string& path) {
  Intent intent{.path = path, .second = std::string(t.attr), .data = std::string(t.dat)};
  intent.effect = t.offset == attr_remove ? Intent::Effect::remove_attribute : Intent::Effect::set_attribute;
  if (t.offset != 0) {
    // Whether it is there decides; if it is what is wanted already, that is not yet our doing.
    const auto there = server().get_attribute(path, t.attr);
    if (there && t.offset == attr_create && !is_resolved()) return refuse(EEXIST);
    if (!there && t.offset != attr_create && !is_resolved()) return std::unexpected(there.error());
    OSP_ASSIGN(const bool done_before, begin(std::move(intent)));
    if (done_before) return {};
  }
  mutated_ = true;
  if (t.offset == attr_remove) return server().remove_attribute(path, t.attr);
  return server().set_attribute(path, t.attr, t.dat, static_cast<int>(t.offset));
}

Walked<void> GroupRunner::handle(const Tremove& t) {
  OSP_ASSIGN(const Found found, find(t.fid));
  const std::string path = found.record.path;
  const bool directory = (t.flags & remove_directory) != 0;
  OSP_TRY(may_name(path));
  const auto there = server().stat(path);
  const std::string held = directory || is_resolved() ? std::string() : tree_.hold(path);
  OSP_ASSIGN(const bool done_before,
             begin({.effect = Intent::Effect::remove, .path = path, .id = there ? there->id : 0}));
  if (!done_before) {
    if (auto removed = server().remove(path, directory); !removed) {
      tree_.release(held, path);
      return removed;
    }
  }
  drop_fid(t.fid);
  return reply(Rremove{});
}

Walked<void> GroupRunner::handle(const Tclunk& t) {
  OSP_ASSIGN(const Found found, find(t.fid));
  Result<void> closed;
  uint64_t version = 0;
  if (found.fid.file && found.record.mode.write) {
    mutated_ = true;
    const auto attributes = found.fid.file->stat();
    version = attributes ? attributes->version : 0;
    closed = found.fid.file->close();
  }
  drop_fid(t.fid);
  if (!closed) return refuse(closed.error().code);
  return reply(Rclunk{.version = version});
}

Walked<void> GroupRunner::handle(const Tcommit& t) {
  OSP_ASSIGN(File* const file, file_of(t.fid));
  OSP_TRY(walked(file->commit()));
  const auto attributes = file->stat();
  return reply(Rcommit{.version = attributes ? attributes->version : 0});
}

Walked<void> GroupRunner::handle(const Trename& t) {
  OSP_ASSIGN(const Found found, find(t.fid));
  const std::string from = found.record.path;
  OSP_ASSIGN(const std::string to, join(t.dfid, t.name));
  OSP_TRY(may_name(from));
  OSP_TRY(may_name(to));
  const auto source = server().stat(from);
  const auto target = server().stat(to);
  const bool exchange = (t.flags & rename_exchange) != 0;
  const bool same_file = source && target && source->id == target->id;
  const bool replaces = !exchange && target && !same_file && !is_resolved();
  const std::string held = replaces ? tree_.hold(to) : std::string();
  OSP_ASSIGN(const bool done_before, begin({.effect = Intent::Effect::rename,
                                            .flags = t.flags,
                                            .path = from,
                                            .second = to,
                                            .id = source ? source->id : 0,
                                            .second_id = target ? target->id : 0}));
  if (!done_before) {
    if (auto renamed = server().rename(from, to, t.flags); !renamed) {
      tree_.release(held, to);
      return renamed;
    }
    if (!same_file) tree_.renamed(from, to, exchange);
  }
  return reply(Rrename{});
}

Walked<void> GroupRunner::handle(const Tlink& t) {
  OSP_ASSIGN(const Found found, find(t.fid));
  const std::string from = found.record.path;
  OSP_ASSIGN(const std::string to, join(t.dfid, t.name));
  const auto source = server().stat(from);
  OSP_ASSIGN(
      const bool done_before,
      begin_if_absent(
          to, {.effect = Intent::Effect::link, .path = from, .second = to, .id = source ? source->id : UINT64_MAX}));
  if (!done_before) OSP_TRY(server().link(from, to));
  return reply(Rlink{});
}

// Groups run as they arrive, so the one to be flushed has been answered already.
Walked<void> GroupRunner::handle(const Tflush&) { return reply(Rflush{}); }

Walked<void> GroupRunner::handle(const Tlist& t) {
  OSP_ASSIGN(const std::string path, join(t.fid, t.path));
  OSP_ASSIGN(const uint32_t count, room(t.count));
  DirectoryLister lister(server(), tree_, session_, &made_);
  OSP_ASSIGN(const std::string listing, lister.list(path, t.depth, count));
  return reply(Rlist{.dat = listing});
}

Walked<void> GroupRunner::handle(const Trelease& t) {
  tree_.leases().release(session_.ssid, t.lease);
  return reply(Rrelease{});
}

// Range locks to write are for who may write, as fcntl(2) has it.
Walked<void> GroupRunner::handle(const Tlock& t) {
  OSP_ASSIGN(const Found found, find(t.fid));
  const bool is_sound = t.kind < lock_kinds && t.how <= static_cast<uint8_t>(LockType::exclusive) &&
                        t.first <= t.last && t.last <= LockRange::most;
  if (!is_sound || found.record.is_name || found.fid.is_root) return refuse(EINVAL);
  const auto kind = static_cast<LockKind>(t.kind);
  const LockRange wanted{.type = static_cast<LockType>(t.how), .first = t.first, .last = t.last};
  const std::string& path = found.record.was.empty() ? found.record.path : found.record.was;
  const bool may_write = kind == LockKind::whole || session_.access.may_write(path);
  const LockType most = may_write ? LockType::exclusive : LockType::shared;
  if (wanted.type > most) return refuse(EACCES);
  const LockTable::Holder holder{.ssid = session_.ssid, .fid = t.fid};
  LockTable& locks = tree_.locks();
  OSP_ASSIGN(const LockTable::Answer answer,
             walked(locks.lock(holder, found.record.id, kind, wanted, most, is_reachable_)));
  if (answer.state == LockTable::State::granted) {
    const RangeLocks* const held = locks.held(holder, found.record.id, kind);
    found.record.locks[t.kind] = held != nullptr ? *held : RangeLocks();
    changes_[t.fid] = found.record;
    mutated_ = true;
  }
  return reply(Rlock{.state = static_cast<uint8_t>(answer.state),
                     .how = static_cast<uint8_t>(answer.range.type),
                     .first = answer.range.first,
                     .last = answer.range.last});
}

Walked<void> GroupRunner::handle(const Tping& t) { return reply(Rping{.dat = t.dat}); }

}  // namespace osp::pip
