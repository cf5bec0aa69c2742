// Requests of the kernel, from libfuse's form to the FileSystem's and back.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/log.h"
#include "tools/mount/door.h"
#include "tools/mount/end_report.h"

namespace osp::fuse {

struct Requests {
  static Door& door(fuse_req_t request) { return *static_cast<Door*>(fuse_req_userdata(request)); }
  static FileSystem& files(fuse_req_t request) { return door(request).files_; }
  static Calls& calls(fuse_req_t request) { return door(request).calls_; }
};

namespace {

constexpr unsigned most_write = 1U << 20;
constexpr unsigned most_background = 128;  // reads ahead and the like that may be on their way
constexpr unsigned permission_bits = 07777;

// A request with what serves it.
struct Served {
  explicit Served(fuse_req_t request) : files(Requests::files(request)), call(Requests::calls(request), request) {}
  [[nodiscard]] Owner owner() const { return {.uid = call.uid(), .gid = call.gid()}; }
  FileSystem& files;
  Call call;
};

void entry(Served& served, const Result<NodePtr>& node) {
  if (!node) return void(served.call.fail(node.error().code));
  if (!served.call.entry(**node)) served.files.forget((*node)->number(), 1);
}

// Where the kernel decides who may do what, it must know of ACLs, too: it reads them as attributes.
void init(void* door, fuse_conn_info* connection) {
  if (static_cast<Door*>(door)->lets_others_in()) connection->want |= connection->capable & FUSE_CAP_POSIX_ACL;
  connection->max_write = most_write;
  connection->max_background = most_background;
  connection->congestion_threshold = most_background * 3 / 4;
}

void lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  Served served(request);
  entry(served, served.files.lookup(parent, name));
}

void forget(fuse_req_t request, fuse_ino_t number, uint64_t lookups) {
  Requests::files(request).forget(number, lookups);
  fuse_reply_none(request);
}

void forget_multi(fuse_req_t request, size_t count, fuse_forget_data* all) {
  for (const fuse_forget_data& one : std::span(all, count)) Requests::files(request).forget(one.ino, one.nlookup);
  fuse_reply_none(request);
}

void attributes(Served& served, const Result<pip::Attributes>& found) {
  if (!found) return void(served.call.fail(found.error().code));
  served.call.attributes(*found);
}

void getattr(fuse_req_t request, fuse_ino_t number, fuse_file_info*) {
  Served served(request);
  attributes(served, served.files.attributes(number));
}

int64_t nanoseconds(const timespec& time) { return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

pip::AttributeChange to_change(const struct stat& st, int set) {
  pip::AttributeChange change;
  change.has_mode = (set & FUSE_SET_ATTR_MODE) != 0, change.mode = st.st_mode & permission_bits;
  change.has_uid = (set & FUSE_SET_ATTR_UID) != 0, change.uid = st.st_uid;
  change.has_gid = (set & FUSE_SET_ATTR_GID) != 0, change.gid = st.st_gid;
  change.has_size = (set & FUSE_SET_ATTR_SIZE) != 0, change.size = static_cast<uint64_t>(st.st_size);
  const bool atime_now = (set & FUSE_SET_ATTR_ATIME_NOW) != 0, mtime_now = (set & FUSE_SET_ATTR_MTIME_NOW) != 0;
  change.has_atime = atime_now || (set & FUSE_SET_ATTR_ATIME) != 0;
  change.has_mtime = mtime_now || (set & FUSE_SET_ATTR_MTIME) != 0;
  change.atime_ns = atime_now ? pip::AttributeChange::now : nanoseconds(st.st_atim);
  change.mtime_ns = mtime_now ? pip::AttributeChange::now : nanoseconds(st.st_mtim);
  return change;
}

void setattr(fuse_req_t request, fuse_ino_t number, struct stat* st, int set, fuse_file_info* file) {
  Served served(request);
  attributes(served, served.files.change(number, to_change(*st, set), file != nullptr ? file->fh : 0));
}

void access_of(fuse_req_t request, fuse_ino_t number, int mask) {
  Served served(request);
  served.call.done(served.files.may_access(number, mask));
}

void readlink_of(fuse_req_t request, fuse_ino_t number) {
  Served served(request);
  const auto target = served.files.read_link(number);
  if (!target) return void(served.call.fail(target.error().code));
  served.call.link_target(*target);
}

void mknod_in(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, dev_t device) {
  Served served(request);
  entry(served, served.files.make(parent, name, {.mode = mode, .device = device, .target = {}}, served.owner()));
}

void mkdir_in(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode) {
  Served served(request);
  const pip::NewFile made{.mode = S_IFDIR | (mode & permission_bits), .device = 0, .target = {}};
  entry(served, served.files.make(parent, name, made, served.owner()));
}

void symlink_in(fuse_req_t request, const char* target, fuse_ino_t parent, const char* name) {
  Served served(request);
  const pip::NewFile made{.mode = S_IFLNK | 0777, .device = 0, .target = target};
  entry(served, served.files.make(parent, name, made, served.owner()));
}

void link_to(fuse_req_t request, fuse_ino_t number, fuse_ino_t parent, const char* name) {
  Served served(request);
  entry(served, served.files.link(number, parent, name));
}

void unlink_in(fuse_req_t request, fuse_ino_t parent, const char* name) {
  Served served(request);
  served.call.done(served.files.remove(parent, name, false));
}

void rmdir_in(fuse_req_t request, fuse_ino_t parent, const char* name) {
  Served served(request);
  served.call.done(served.files.remove(parent, name, true));
}

void rename_to(fuse_req_t request, fuse_ino_t from, const char* name, fuse_ino_t to, const char* new_name,
               unsigned flags) {
  Served served(request);
  served.call.done(served.files.rename(from, name, to, new_name, flags));
}

void opened(Served& served, fuse_file_info* file, const Result<uint64_t>& number) {
  if (!number) return void(served.call.fail(number.error().code));
  file->fh = *number;
  if (!served.call.opened(*file)) served.files.release(*number);
}

void open_of(fuse_req_t request, fuse_ino_t number, fuse_file_info* file) {
  Served served(request);
  opened(served, file, served.files.open(number, file->flags));
}

void create_in(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, fuse_file_info* file) {
  Served served(request);
  const auto made = served.files.create(parent, name, file->flags, mode & permission_bits, served.owner());
  if (!made) return void(served.call.fail(made.error().code));
  file->fh = made->file;
  if (served.call.created(*made->node, *file)) return;
  served.files.release(made->file);
  served.files.forget(made->node->number(), 1);
}

void read_of(fuse_req_t request, fuse_ino_t, size_t size, off_t offset, fuse_file_info* file) {
  Served served(request);
  const auto bytes = served.files.read(file->fh, static_cast<uint64_t>(offset), size);
  if (!bytes) return void(served.call.fail(bytes.error().code));
  served.call.data(*bytes);
}

// Pages of a mapping have their place, also where the file is open to append.
void write_of(fuse_req_t request, fuse_ino_t, const char* bytes, size_t size, off_t offset, fuse_file_info* file) {
  Served served(request);
  const bool at_end = (file->flags & O_APPEND) != 0 && file->writepage == 0;
  const auto written =
      served.files.write(file->fh, static_cast<uint64_t>(offset), std::string_view(bytes, size), at_end);
  if (!written) return void(served.call.fail(written.error().code));
  served.call.size(*written);
}

void flush_of(fuse_req_t request, fuse_ino_t, fuse_file_info* file) {
  Served served(request);
  served.call.done(served.files.flush(file->fh));
}

void fsync_of(fuse_req_t request, fuse_ino_t, int, fuse_file_info* file) {
  Served served(request);
  served.call.done(served.files.sync(file->fh));
}

void release_of(fuse_req_t request, fuse_ino_t, fuse_file_info* file) {
  Served served(request);
  served.files.release(file->fh);
  served.call.done({});
}

void opendir_of(fuse_req_t request, fuse_ino_t number, fuse_file_info* file) {
  Served served(request);
  opened(served, file, served.files.open_directory(number));
}

// Names of any length: as many as fit.
std::string pack(const std::vector<pip::DirectoryEntry>& entries, uint64_t first, size_t size) {
  std::string packed;
  for (const pip::DirectoryEntry& entry : entries) {
    const struct stat st = to_stat(entry.attributes);
    const size_t at = packed.size();
    packed.resize(at + fuse_add_direntry(nullptr, nullptr, 0, entry.name.c_str(), nullptr, 0));
    if (packed.size() > size) return packed.substr(0, at);
    fuse_add_direntry(nullptr, packed.data() + at, packed.size() - at, entry.name.c_str(), &st,
                      static_cast<off_t>(++first));
  }
  return packed;
}

void readdir_of(fuse_req_t request, fuse_ino_t, size_t size, off_t offset, fuse_file_info* file) {
  constexpr size_t least_entry = 32;
  Served served(request);
  const auto first = static_cast<uint64_t>(offset);
  const auto entries = served.files.read_directory(file->fh, first, size / least_entry + 1);
  if (!entries) return void(served.call.fail(entries.error().code));
  served.call.data(pack(*entries, first, size));
}

void statfs_of(fuse_req_t request, fuse_ino_t) {
  Served served(request);
  const auto found = served.files.statfs();
  if (!found) return void(served.call.fail(found.error().code));
  served.call.file_system(*found);
}

// Of an attribute or their list; with size 0 only how long it is.
void attribute(Served& served, const Result<std::string>& value, size_t size) {
  if (!value) return void(served.call.fail(value.error().code));
  if (size == 0) return void(served.call.attribute_size(value->size()));
  if (value->size() > size) return void(served.call.fail(ERANGE));
  served.call.data(*value);
}

void getxattr_of(fuse_req_t request, fuse_ino_t number, const char* name, size_t size) {
  Served served(request);
  if (name == EndReport::attribute) return attribute(served, Requests::door(request).report(), size);
  attribute(served, served.files.get_attribute(number, name), size);
}

void listxattr_of(fuse_req_t request, fuse_ino_t number, size_t size) {
  Served served(request);
  const auto names = served.files.list_attributes(number);
  if (!names) return void(served.call.fail(names.error().code));
  std::string list;
  for (const std::string& name : *names) (list += name) += '\0';
  attribute(served, list, size);
}

void setxattr_of(fuse_req_t request, fuse_ino_t number, const char* name, const char* value, size_t size, int flags) {
  Served served(request);
  served.call.done(served.files.set_attribute(number, name, std::string_view(value, size), flags));
}

void removexattr_of(fuse_req_t request, fuse_ino_t number, const char* name) {
  Served served(request);
  served.call.done(served.files.remove_attribute(number, name));
}

fuse_lowlevel_ops make_operations() {
  fuse_lowlevel_ops all = {};
  all.init = init, all.lookup = lookup, all.forget = forget, all.forget_multi = forget_multi;
  all.getattr = getattr, all.setattr = setattr, all.access = access_of, all.statfs = statfs_of;
  all.readlink = readlink_of, all.mknod = mknod_in, all.mkdir = mkdir_in, all.symlink = symlink_in, all.link = link_to;
  all.unlink = unlink_in, all.rmdir = rmdir_in, all.rename = rename_to;
  all.open = open_of, all.create = create_in, all.read = read_of, all.write = write_of;
  all.flush = flush_of, all.fsync = fsync_of, all.release = release_of;
  all.opendir = opendir_of, all.readdir = readdir_of, all.releasedir = release_of, all.fsyncdir = fsync_of;
  all.getxattr = getxattr_of, all.listxattr = listxattr_of, all.setxattr = setxattr_of;
  all.removexattr = removexattr_of;
  return all;
}

}  // namespace

const fuse_lowlevel_ops& operations() {
  static const fuse_lowlevel_ops all = make_operations();
  return all;
}

}  // namespace osp::fuse
