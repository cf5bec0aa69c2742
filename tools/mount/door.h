#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tools/keeper_loop.h"
#include "tools/mount/call.h"
#include "tools/mount/file_system.h"
#include "tools/mount/notifier.h"

namespace osp::fuse {

// The kernel's side of a mount: takes its requests, and has the FileSystem serve each in a job of its own.
class Door {
 public:
  struct Options {
    std::string source;  // what mount(8) shows: the URL
    bool read_only = false;
    bool allow_other = false;
    std::string report{};  // EndReport::name()
  };

  // Mounts it on `directory` (absolute); its requests wait from then on. On failure `why` is what libfuse said. EPERM,
  // ENOENT, EACCES, …; EIO where libfuse only talks.
  static Result<std::unique_ptr<Door>> create(keeper::Loop& loop, Remote& remote, const std::string& directory,
                                              const Options& options, std::string& why);
  ~Door();

  // Serves what the kernel asks from now on.
  Result<void> open();
  // The kernel has let go of it.
  [[nodiscard]] bool is_closed() const;
  // Nothing is being served any more.
  [[nodiscard]] bool is_idle() const { return running_ == 0; }
  // What could not be written, and has been told to nobody yet.
  Failure take_failure() { return files_.take_failure(); }
  [[nodiscard]] bool lets_others_in() const { return lets_others_in_; }
  [[nodiscard]] const std::string& report() const { return report_; }
  // In a job, when it is closed: closes what is still open.
  void close_files() { files_.release_all(); }

 private:
  Door(keeper::Loop& loop, Remote& remote, const Options& options);
  Result<void> mount(const std::string& directory, const Options& options);
  void receive();
  void serve(std::string request);

  friend struct Requests;
  keeper::Loop& loop_;
  std::string report_;
  bool lets_others_in_;
  Calls calls_;
  FileSystem files_;
  fuse_session* session_ = nullptr;
  bool is_mounted_ = false;
  std::unique_ptr<Notifier> notifier_;
  fuse_buf buffer_ = {};  // libfuse's, for the largest request
  size_t running_ = 0;    // jobs
};

// What libfuse is to call for each request; its user data is a Door.
const fuse_lowlevel_ops& operations();

}  // namespace osp::fuse
