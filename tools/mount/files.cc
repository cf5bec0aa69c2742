// FileSystem: open files.
#include <fcntl.h>
#include <sys/stat.h>

#include "tools/mount/file_system.h"
#include "tools/mount/reading.h"

namespace osp::fuse {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

pip::OpenMode mode_of(int flags) {
  pip::OpenMode mode;
  mode.read = (flags & O_ACCMODE) != O_WRONLY;
  mode.write = (flags & O_ACCMODE) != O_RDONLY;
  mode.truncate = (flags & O_TRUNC) != 0;
  return mode;
}

}  // namespace

Result<OpenFilePtr> FileSystem::open_file(uint64_t file) const {
  OpenFilePtr found = files_.find(file);
  return found != nullptr ? Result<OpenFilePtr>(std::move(found)) : osp::fail(EBADF);
}

uint64_t FileSystem::add(const NodePtr& node, std::unique_ptr<pip::File> file, const pip::OpenMode& mode) {
  auto open = std::make_shared<OpenFile>();
  open->session = remote_.session(), open->file = std::move(file), open->node = node;
  open->can_read = mode.read, open->can_write = mode.write;
  return files_.add(std::move(open));
}

Result<FileSystem::Created> FileSystem::create(uint64_t parent, std::string_view name, int flags, uint32_t permissions,
                                               Owner owner) {
  OSP_ASSIGN(const NodePtr in, node(parent));
  pip::OpenMode mode = mode_of(flags);
  const uint64_t asked = changes_;
  mode.create = true, mode.exclusive = (flags & O_EXCL) != 0, mode.permissions = permissions;
  OSP_ASSIGN(pip::Opened opened,
             at_path(*in, name, [&](const std::string& path) { return remote_.client().open(path, mode); }));
  if (opened.created) give_owner(*in, *opened.file, opened.attributes, owner);
  // Of what is answered before it is done, nobody knows the number yet: who asks for it waits.
  if (opened.attributes.id == 0) {
    OSP_ASSIGN(opened.attributes, opened.file->stat());
  }
  OSP_ASSIGN(const NodePtr made, enter(in, name, opened.attributes, asked));
  const uint64_t file = add(made, std::move(opened.file), mode);
  return Created{.node = made, .file = file};
}

// By a link of proc(5) to a file without a name: as one that is open already.
Result<uint64_t> FileSystem::open_again(const NodePtr& node, const pip::OpenMode& mode) {
  const OpenFilePtr open = files_.of(*node, remote_.session());
  if (open == nullptr) return osp::fail(ESTALE);
  if ((mode.read && !open->can_read) || (mode.write && !open->can_write)) return osp::fail(EACCES);
  if (mode.truncate) {
    pip::AttributeChange change;
    change.has_size = true;
    OSP_TRY(open->file->change(change));
  }
  auto again = std::make_shared<OpenFile>();
  again->session = open->session, again->file = open->file, again->node = node;
  again->can_read = open->can_read, again->can_write = open->can_write;
  return files_.add(std::move(again));
}

Result<uint64_t> FileSystem::open_at_path(const NodePtr& node, const pip::OpenMode& mode) {
  const uint64_t asked = changes_;
  OSP_ASSIGN(pip::Opened opened,
             at_path(*node, "", [&](const std::string& path) { return remote_.client().open(path, mode); }));
  if (node != table_.root() && !node->is_same(opened.attributes)) return osp::fail(ESTALE);
  if (node->changed <= asked) node->attributes = opened.attributes;
  return add(node, std::move(opened.file), mode);
}

Result<uint64_t> FileSystem::open(uint64_t number, int flags) {
  OSP_ASSIGN(const NodePtr file, node(number));
  const pip::OpenMode mode = mode_of(flags);
  return table_.path(*file) ? open_at_path(file, mode) : open_again(file, mode);
}

// A read that goes on where another one ends waits for it, so that the file is seen to be read in sequence and is read
// ahead. All others are on their way at once.
Result<std::string> FileSystem::read(uint64_t file, uint64_t offset, size_t size) {
  OSP_ASSIGN(const OpenFilePtr open, open_file(file));
  while (open->reading.contains(offset)) open->turn.wait();
  const auto here = open->reading.insert(offset + size);
  std::string bytes(size, '\0');
  const auto read = read_whole(*open->file, offset, std::as_writable_bytes(std::span(bytes)));
  open->reading.erase(here);
  open->turn.wake_all();
  if (!read) return std::unexpected(read.error());
  bytes.resize(*read);
  return bytes;
}

// Where the end is the server knows. If it is elsewhere than the kernel thought, what it keeps is wrong.
Result<size_t> FileSystem::write_some(OpenFile& open, uint64_t offset, std::string_view bytes, bool at_end) {
  size_t size = bytes.size();
  uint64_t end = 0;
  if (at_end) {
    OSP_ASSIGN(end, open.file->append(bytes_of(bytes)));
    if (end != offset + size) contents_changed_(open.node->number());
  } else {
    OSP_ASSIGN(size, open.file->write(offset, bytes_of(bytes)));
    end = offset + size;
  }
  pip::Attributes& known = open.node->attributes;
  known.size = std::max(known.size, end);
  open.node->changed = ++changes_;
  return size;
}

// An error may be of what was answered before, and the kernel drops it where it has written something in the same
// call: it is told again at the close.
Result<size_t> FileSystem::write(uint64_t file, uint64_t offset, std::string_view bytes, bool at_end) {
  OSP_ASSIGN(const OpenFilePtr open, open_file(file));
  open->is_written = open->is_written || !at_end;
  auto written = write_some(*open, offset, bytes, at_end);
  if (!written) open->is_written = true, open->error = written.error().code;
  return written;
}

Failure FileSystem::take_failure() {
  Failure failure = std::exchange(failure_, {});
  return failure.error != 0 ? failure : remote_.take_failure();
}

Result<void> FileSystem::late_error() {
  const int error = take_failure().error;
  return error != 0 ? Result<void>(osp::fail(error)) : Result<void>{};
}

Result<void> FileSystem::sync(uint64_t file) {
  OSP_ASSIGN(const OpenFilePtr open, open_file(file));
  open->is_written = false;
  const int error = std::exchange(open->error, 0);
  OSP_TRY(open->file->commit());
  if (error != 0) return osp::fail(error);
  return open->can_write ? late_error() : Result<void>{};
}

// A change of nothing comes after all that was written, and says what went wrong with it.
Result<void> FileSystem::flush(uint64_t file) {
  OSP_ASSIGN(const OpenFilePtr open, open_file(file));
  if (!std::exchange(open->is_written, false)) return {};
  const int error = std::exchange(open->error, 0);
  OSP_TRY(open->file->change({}));
  return error != 0 ? osp::fail(error) : late_error();
}

// Where a call that was interrupted still uses it, it is closed with that.
void FileSystem::release(uint64_t file) {
  const OpenFilePtr open = files_.take(file);
  if (open == nullptr || open.use_count() > 1 || open->file.use_count() > 1) return;
  const auto closed = open->file->close();
  const int error = closed ? open->error : closed.error().code;
  if (error != 0 && open->session == remote_.session() && failure_.error == 0)
    failure_ = {.error = error, .path = table_.path(*open->node).value_or("")};
}

void FileSystem::release_all() {
  for (const uint64_t file : files_.numbers()) release(file);
}

}  // namespace osp::fuse
