#include "pip/client.h"

#include <algorithm>

#include "pip/client_file.h"
#include "pip/packing.h"

namespace osp::pip {
namespace {

constexpr uint32_t attribute_room = 65536 + 4096;  // the largest xattr and list of them (xattr(7))

std::string letters(const OpenMode& mode) {
  OpenMode known = mode;
  known.create = false;
  return mode_text(known);
}

Walked<void> nothing(const Walked<Answer>& answer) {
  if (!answer) return std::unexpected(answer.error());
  return {};
}

template <class T>
Walked<T> walked(Result<T> result) {
  if (!result) return std::unexpected(WalkError(result.error()));
  return std::move(*result);
}

}  // namespace

uint32_t FidPool::take() {
  if (free_.empty()) return next_++;
  const uint32_t fid = free_.back();
  free_.pop_back();
  return fid;
}

std::optional<WalkError> error_of(const Message& reply) {
  const auto* error = std::get_if<Rerror>(&reply);
  if (error == nullptr) return std::nullopt;
  if (!error->target.empty() && error->number == ELOOP)
    return WalkError::link(error->consumed, std::string(error->target), error->which);
  WalkError walk_error(error->number > 0 && error->number < 4096 ? static_cast<int>(error->number) : EIO);
  walk_error.which = error->which;
  return walk_error;
}

Result<std::unique_ptr<Client>> Client::create(Channel& channel, std::string name, std::string_view aname) {
  std::unique_ptr<Client> client(new Client(channel, std::move(name)));
  client->root_ = client->shared_->fids.take();
  const auto answer = client->run({Tattach{.fid = client->root_, .afid = no_fid, .aname = aname}});
  if (!answer) return fail(answer.error().code);
  return client;
}

// Runs a group; the first error in it is the call's.
Walked<Answer> Client::run(const std::vector<Message>& messages) {
  auto answer = shared_->channel->exchange(messages);
  if (!answer) return std::unexpected(WalkError(answer.error()));
  for (const Message& reply : answer->replies)
    if (auto error = error_of(reply)) return std::unexpected(std::move(*error));
  if (answer->replies.size() != messages.size()) return std::unexpected(WalkError(EPROTO));
  return std::move(*answer);
}

template <class Build>
Walked<Answer> Client::run_named(std::string_view path, Build&& second) {
  const uint32_t fid = shared_->fids.take();
  auto answer = run({Topen{.fid = root_, .nfid = fid, .path = path, .mode = "n"}, second(fid)});
  shared_->fids.give_back(fid);
  return answer;
}

Walked<Opened> Client::open(std::string_view path, const OpenMode& mode) {
  if (mode.create) return create_file(path, mode);
  if (mode.truncate || mode.write) shared_->changed();
  const uint32_t fid = shared_->fids.take();
  const std::string text = letters(mode);
  std::vector<Message> messages = {Topen{.fid = root_, .nfid = fid, .path = path, .mode = text}};
  // What is opened to be read is read at once.
  const bool ahead = mode.read && !mode.write && !mode.path_only;
  const uint32_t count = std::min(shared_->channel->iounit(), ClientFile::prefetch * (mode.directory ? 8 : 1));
  if (ahead) messages.emplace_back(Tread{.fid = fid, .offset = 0, .count = count, .attrs = ""});
  const uint64_t seen = shared_->changes();
  auto answer = shared_->channel->exchange(messages);
  const auto opened = answer ? reply_as<Ropen>(*answer, 0) : std::unexpected(WalkError(answer.error()));
  if (!opened) {
    shared_->fids.give_back(fid);
    return std::unexpected(opened.error());
  }
  const bool is_directory = (opened->ftype & 1U) != 0;
  auto file = std::make_unique<ClientFile>(shared_, fid, mode, is_directory);
  OSP_ASSIGN(const Attributes attributes, walked(unpack_attributes(opened->attributes)));
  if (ahead && answer->replies.size() > 1) file->prefetched(std::move(*answer), 1, count, seen);
  return Opened{.file = std::move(file), .attributes = attributes, .created = false};
}

Walked<Opened> Client::create_file(std::string_view path, const OpenMode& mode) {
  shared_->changed();
  const uint32_t fid = shared_->fids.take();
  const std::string text = letters(mode);
  const auto answer =
      run({Tcreate{.fid = root_, .name = path, .perm = mode.permissions, .mode = text, .nfid = fid, .target = ""}});
  const auto created = answer ? reply_as<Rcreate>(*answer, 0) : std::unexpected(answer.error());
  if (!created) {
    shared_->fids.give_back(fid);
    return std::unexpected(created.error());
  }
  auto file = std::make_unique<ClientFile>(shared_, fid, mode, false);
  OSP_ASSIGN(const Attributes attributes, walked(unpack_attributes(created->attributes)));
  return Opened{.file = std::move(file), .attributes = attributes, .created = created->created != 0};
}

Walked<Attributes> Client::stat(std::string_view path) {
  OSP_ASSIGN(const Answer answer, run({Topen{.fid = root_, .nfid = no_fid, .path = path, .mode = "n"}}));
  OSP_ASSIGN(const Ropen opened, reply_as<Ropen>(answer, 0));
  return walked(unpack_attributes(opened.attributes));
}

Walked<std::string> Client::read_attribute(std::string_view path, std::string_view name) {
  const uint32_t count = std::min(attribute_room, shared_->channel->iounit());
  OSP_ASSIGN(const Answer answer, run_named(path, [&](uint32_t fid) {
               return Tread{.fid = fid, .offset = 0, .count = count, .attrs = name};
             }));
  OSP_ASSIGN(const Rread read, reply_as<Rread>(answer, 1));
  return std::string(read.dat);
}

Walked<void> Client::write_attribute(std::string_view path, std::string_view name, std::string_view value,
                                     uint64_t flags) {
  shared_->changed();
  return nothing(
      run_named(path, [&](uint32_t fid) { return Twrite{.fid = fid, .offset = flags, .dat = value, .attr = name}; }));
}

Walked<std::string> Client::read_link(std::string_view path) { return read_attribute(path, "target"); }

Walked<void> Client::change(std::string_view path, const AttributeChange& change) {
  return write_attribute(path, "stat", pack(change), 0);
}

Walked<void> Client::make(std::string_view path, const NewFile& file) {
  return nothing(run({Tcreate{.fid = root_,
                              .name = path,
                              .perm = file.mode,
                              .mode = "",
                              .nfid = no_fid,
                              .device = file.device,
                              .target = file.target}}));
}

Walked<void> Client::remove(std::string_view path, bool directory) {
  return nothing(
      run_named(path, [&](uint32_t fid) { return Tremove{.fid = fid, .flags = directory ? remove_directory : 0}; }));
}

Walked<void> Client::rename(std::string_view from, std::string_view to, unsigned flags) {
  return nothing(
      run_named(from, [&](uint32_t fid) { return Trename{.fid = fid, .dfid = root_, .name = to, .flags = flags}; }));
}

Walked<void> Client::link(std::string_view from, std::string_view to) {
  return nothing(run_named(from, [&](uint32_t fid) { return Tlink{.fid = fid, .dfid = root_, .name = to}; }));
}

Walked<std::string> Client::get_attribute(std::string_view path, std::string_view name) {
  return read_attribute(path, name);
}

Walked<void> Client::set_attribute(std::string_view path, std::string_view name, std::string_view value, int flags) {
  return write_attribute(path, name, value, static_cast<unsigned>(flags));
}

Walked<void> Client::remove_attribute(std::string_view path, std::string_view name) {
  return write_attribute(path, name, "", attr_remove);
}

Walked<std::vector<std::string>> Client::list_attributes(std::string_view path) {
  OSP_ASSIGN(const std::string list, read_attribute(path, "*"));
  std::vector<std::string> names;
  for (std::string_view rest = list; !rest.empty(); rest.remove_prefix(std::min(rest.size(), names.back().size() + 1)))
    names.emplace_back(rest.substr(0, rest.find('\0')));
  return names;
}

Walked<std::string> Client::watch(std::string_view path) {
  OSP_TRY(stat(path));
  return walked(shared_->channel->watch(path));
}

Result<FileSystemStat> Client::statfs() {
  const auto answer = run({Tread{.fid = root_, .offset = 0, .count = 4096, .attrs = "statfs"}});
  if (!answer) return fail(answer.error().code);
  const auto read = reply_as<Rread>(*answer, 0);
  if (!read) return fail(read.error().code);
  return unpack_statfs(read->dat);
}

Walked<std::string> Client::read_file(std::string_view path, uint32_t most) {
  const uint32_t fid = shared_->fids.take();
  const uint32_t count = std::min(most, shared_->channel->iounit());
  const auto answer =
      shared_->channel->exchange({Topen{.fid = root_, .nfid = fid, .path = path, .mode = "r"},
                                  Tread{.fid = fid, .offset = 0, .count = count, .attrs = ""}, Tclunk{.fid = fid}});
  if (!answer) return std::unexpected(WalkError(answer.error()));
  // If the read failed, the file is still open.
  if (answer->replies.size() == 2) (void)run({Tclunk{.fid = fid}});
  shared_->fids.give_back(fid);
  OSP_ASSIGN(const Ropen opened, reply_as<Ropen>(*answer, 0));
  if ((opened.ftype & 1U) != 0) return std::unexpected(WalkError(EISDIR));
  OSP_ASSIGN(const Rread read, reply_as<Rread>(*answer, 1));
  return std::string(read.dat);
}

Walked<void> Client::write_file(std::string_view path, std::string_view contents, uint32_t permissions) {
  shared_->changed();
  if (contents.size() > shared_->channel->iounit()) return std::unexpected(WalkError(EMSGSIZE));
  const uint32_t fid = shared_->fids.take();
  auto answer = run({Tcreate{.fid = root_, .name = path, .perm = permissions, .mode = "wt", .nfid = fid, .target = ""},
                     Twrite{.fid = fid, .offset = 0, .dat = contents, .attr = ""}, Tclunk{.fid = fid}});
  if (!answer) (void)run({Tclunk{.fid = fid}});
  shared_->fids.give_back(fid);
  OSP_TRY(nothing(answer));
  OSP_ASSIGN(const Rwrite written, reply_as<Rwrite>(*answer, 1));
  return written.count < contents.size() ? std::unexpected(WalkError(ENOSPC)) : Walked<void>{};
}

}  // namespace osp::pip
