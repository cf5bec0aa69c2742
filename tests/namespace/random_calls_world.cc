#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "namespace/operations.h"
#include "tests/namespace/random_calls.h"

// The random calls, made to a name space.
namespace osp::ns::test {
namespace {

std::string failure(Error error) { return strerrorname_np(error.code); }

template <class T>
std::string outcome(const Result<T>& result) {
  return result ? "ok" : failure(result.error());
}

std::string describe(const pip::Attributes& a) { return test::describe(a.mode, a.links, a.size); }

Request request_of(const Call& call) {
  Request request{.base = call.base, .path = call.path};
  request.follow = call.kind != Call::lstat && (call.flags & O_NOFOLLOW) == 0;
  request.resolve = call.resolve;
  return request;
}

pip::OpenMode mode_of(int flags) {
  const int access = flags & O_ACCMODE;
  pip::OpenMode mode;
  mode.path_only = (flags & O_PATH) != 0;
  mode.read = !mode.path_only && access != O_WRONLY;
  mode.write = access != O_RDONLY;
  mode.truncate = (flags & O_TRUNC) != 0;
  mode.append = (flags & O_APPEND) != 0;
  mode.create = (flags & O_CREAT) != 0;
  mode.exclusive = (flags & O_EXCL) != 0;
  mode.directory = (flags & O_DIRECTORY) != 0;
  mode.permissions = 0644;
  return mode;
}

std::string open(const Table& table, const Call& call) {
  auto opened = ns::open(table, request_of(call), mode_of(call.flags));
  if (!opened) return failure(opened.error());
  pip::File& file = *opened->opened.file;
  const int access = call.flags & O_ACCMODE;
  const bool contents = S_ISREG(opened->opened.attributes.mode) && (call.flags & O_PATH) == 0;
  std::string text;
  if (contents && access != O_RDONLY)
    if (const auto done = file.write(0, std::as_bytes(std::span(call.text))); !done) text = failure(done.error());
  char buffer[256];
  if (contents && access != O_WRONLY)
    if (const auto size = file.read(0, std::as_writable_bytes(std::span(buffer))); size && *size > 0)
      text.assign(buffer, *size);
  return describe(*file.stat()) + " " + text;
}

std::string listing(const Table& table, const Call& call) {
  const auto opened = ns::open(table, request_of(call), {.read = true, .directory = true});
  if (!opened) return failure(opened.error());
  std::vector<std::string> names;
  for (;;) {
    const auto part = opened->opened.file->read_directory(names.size(), 3);
    if (!part) return failure(part.error());
    if (part->empty()) break;
    for (const auto& entry : *part) names.push_back(entry.name);
  }
  std::ranges::sort(names);
  return fmt::format("ok {}", fmt::join(names, " "));
}

std::string status(const Table& table, const Call& call) {
  const auto found = ns::stat(table, request_of(call));
  return found ? describe(found->attributes) : failure(found.error());
}

std::string target(const Table& table, const Call& call) {
  const auto target = ns::read_link(table, request_of(call));
  return target ? "ok " + *target : failure(target.error());
}

std::string pair(const Table& table, const Call& call) {
  Request from{.base = call.base, .path = call.path}, to{.base = call.other_base, .path = call.other};
  if (call.kind == Call::rename) return outcome(ns::rename(table, from, to, static_cast<unsigned>(call.flags)));
  from.follow = (call.flags & AT_SYMLINK_FOLLOW) != 0;
  return outcome(ns::link(table, from, to));
}

std::string change(const Table& table, const Call& call) {
  pip::AttributeChange change;
  change.has_mode = call.kind == Call::chmod;
  change.mode = call.mode;
  change.has_size = call.kind == Call::truncate;
  change.size = 100;
  return outcome(ns::change(table, request_of(call), change));
}

bool is_directory(const Table& table, const std::string& path) {
  const auto found = ns::stat(table, {.path = path, .resolve = RESOLVE_NO_SYMLINKS});
  return found && S_ISDIR(found->attributes.mode);
}

}  // namespace

World::World()
    : server_(std::make_shared<MemServer>(MemOptions{.mode = 0700})), space_(std::make_shared<Namespace>(server_)) {}

std::string World::call(const Call& call) const {
  const Table table = space_->table();
  if (!is_directory(table, call.base) || !is_directory(table, call.other_base)) return "no base";
  switch (call.kind) {
    case Call::stat:
    case Call::lstat:
      return status(table, call);
    case Call::read_link:
      return target(table, call);
    case Call::open:
    case Call::open2:
      return open(table, call);
    case Call::make:
      return outcome(ns::make(table, request_of(call), {.mode = call.mode, .device = 0, .target = call.text}));
    case Call::remove:
      return outcome(ns::remove(table, request_of(call), (call.flags & AT_REMOVEDIR) != 0));
    case Call::rename:
    case Call::link:
      return pair(table, call);
    case Call::chmod:
    case Call::truncate:
      return change(table, call);
    default:
      return listing(table, call);
  }
}

}  // namespace osp::ns::test
