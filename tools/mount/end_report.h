#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pip/host_walk.h"
#include "tools/keeper_loop.h"

namespace osp::fuse {

// How the process that serves a mount tells those who unmount it what became of what was written: on a unix socket,
// whose name every file of the mount seems to have as an attribute. Who has connected hears when the process ends.
class EndReport {
 public:
  static constexpr std::string_view attribute = "system.osp.report";

  // EMFILE, ENOMEM, … The loop must live longer.
  static Result<std::unique_ptr<EndReport>> create(keeper::Loop& loop);
  ~EndReport();
  EndReport(const EndReport&) = delete;
  EndReport& operator=(const EndReport&) = delete;

  // The socket's, in the abstract name space (unix(7)).
  [[nodiscard]] const std::string& name() const { return name_; }
  // What is lost; "": nothing is. At the end, once.
  void tell(const std::string& lost);

 private:
  EndReport(keeper::Loop& loop, pip::HostFd socket, std::string name);
  void accept_all();

  keeper::Loop& loop_;
  pip::HostFd socket_;
  std::string name_;
  std::vector<pip::HostFd> listeners_;
};

// The other side.
class EndWatch {
 public:
  // Of the mount on `directory` that `owner` has made. ENOTCONN: its process is dead. Other errors: it cannot be heard
  // from here. Asks the process, and so blocks as that does.
  static Result<EndWatch> of(const std::string& directory, uid_t owner);

  // Waits for its end, at most so long. Nothing: it has not come.
  struct End {
    bool has_told = false;  // else it has ended in another way
    std::string lost;
  };
  std::optional<End> await(int64_t patience_ms);
  [[nodiscard]] pid_t process() const { return process_; }

 private:
  EndWatch(pip::HostFd socket, pid_t process) : socket_(std::move(socket)), process_(process) {}

  pip::HostFd socket_;
  pid_t process_;
  std::string heard_;
};

}  // namespace osp::fuse
