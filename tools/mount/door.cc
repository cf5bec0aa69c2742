#include "tools/mount/door.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "base/log.h"

namespace osp::fuse {
namespace {

// What libfuse says while it mounts; afterwards it is logged. libfuse has one place for it in a process.
std::string* said = nullptr;

void hear(fuse_log_level, const char* format, va_list arguments) {
  char* text = nullptr;
  if (vasprintf(&text, format, arguments) < 0) return;
  std::string line = text;
  free(text);
  while (line.ends_with('\n')) line.pop_back();
  if (said == nullptr) return log::warn("mount", "{}", line);
  *said += (said->empty() ? "" : "; ") + line;
}

// A comma separates options.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == ',' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string mount_options(const Door::Options& options) {
  std::string text = fmt::format("fsname={},subtype=osp", escaped(options.source));
  if (options.read_only) text += ",ro";
  // What others may do the kernel then decides, as on a disk; else it is the server that knows what we may do.
  if (options.allow_other) text += ",allow_other,default_permissions";
  return text;
}

}  // namespace

Door::Door(keeper::Loop& loop, Remote& remote, const Options& options)
    : loop_(loop),
      report_(options.report),
      lets_others_in_(options.allow_other),
      files_(remote, {.gives_owner = options.allow_other}, [this](uint64_t number) {
        if (notifier_ != nullptr) notifier_->contents_changed(number);
      }) {}

Result<std::unique_ptr<Door>> Door::create(keeper::Loop& loop, Remote& remote, const std::string& directory,
                                           const Options& options, std::string& why) {
  std::unique_ptr<Door> door(new Door(loop, remote, options));
  said = &why;
  fuse_set_log_func(hear);
  const auto mounted = door->mount(directory, options);
  said = nullptr;
  if (!mounted) return std::unexpected(mounted.error());
  return door;
}

Result<void> Door::mount(const std::string& directory, const Options& options) {
  std::string text = mount_options(options), name = "osp", flag = "-o";
  std::vector<char*> words = {name.data(), flag.data(), text.data()};
  fuse_args arguments = {.argc = static_cast<int>(words.size()), .argv = words.data(), .allocated = 0};
  session_ = fuse_session_new(&arguments, &operations(), sizeof(fuse_lowlevel_ops), this);
  fuse_opt_free_args(&arguments);
  if (session_ == nullptr) return fail(EINVAL);
  errno = 0;
  if (fuse_session_mount(session_, directory.c_str()) != 0) return fail(errno != 0 ? errno : EIO);
  is_mounted_ = true;
  const int fd = fuse_session_fd(session_);
  if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0) return fail(errno);
  return {};
}

Door::~Door() {
  if (session_ == nullptr) return;
  loop_.forget(fuse_session_fd(session_));
  if (is_mounted_)
    fuse_session_unmount(session_);  // what waits in the kernel ends with it, and so does the notifier's call
  notifier_.reset();
  fuse_session_destroy(session_);
  free(buffer_.mem);
}

Result<void> Door::open() {
  notifier_ = std::make_unique<Notifier>([this](uint64_t number) {
    const int error = fuse_lowlevel_notify_inval_inode(session_, number, 0, 0);
    if (error != 0 && error != -ENOENT)
      log::debug("mount", "invalidating inode {}: {}", number, describe(Error(-error)));
  });
  loop_.each_tick([this] { calls_.look_for_signals(); });
  return loop_.watch(fuse_session_fd(session_), EPOLLIN, [this](uint32_t) { receive(); });
}

bool Door::is_closed() const { return fuse_session_exited(session_) != 0; }

void Door::receive() {
  constexpr int most_at_once = 32;
  for (int count = 0; count < most_at_once && !is_closed(); ++count) {
    const int size = fuse_session_receive_buf(session_, &buffer_);
    if (size == -EINTR) continue;
    if (size <= 0) break;
    serve(std::string(static_cast<const char*>(buffer_.mem), static_cast<size_t>(size)));
  }
  if (is_closed()) loop_.forget(fuse_session_fd(session_));
}

void Door::serve(std::string request) {
  ++running_;
  keeper::jobs().start([this, bytes = std::move(request)]() mutable {
    fuse_buf buffer = {};
    buffer.size = bytes.size(), buffer.mem = bytes.data();
    fuse_session_process_buf(session_, &buffer);
    --running_;
  });
}

}  // namespace osp::fuse
