#pragma once

#include <memory>
#include <string>

#include "libosp/task/process.h"
#include "pip/server.h"

namespace osp::control {

// The control tree of our own process: `ctl status ns fd maps stack report`. Files say what is so when they are
// opened. A write to ctl is one command (order.h), and reading it gives what the last one had to say; commands
// need the process stopped (EBUSY: written by the program itself, through a mount). The process must outlive it.
class ControlServer final : public pip::Server {
 public:
  explicit ControlServer(task::Process& process) : process_(process) {}

  pip::Walked<pip::Opened> open(std::string_view path, const pip::OpenMode& mode) override;
  pip::Walked<pip::Attributes> stat(std::string_view path) override;
  pip::Walked<std::string> read_link(std::string_view) override { return std::unexpected(pip::WalkError(EINVAL)); }
  pip::Walked<void> change(std::string_view path, const pip::AttributeChange& change) override;
  pip::Walked<void> make(std::string_view, const pip::NewFile&) override { return refused(); }
  pip::Walked<void> remove(std::string_view, bool) override { return refused(); }
  pip::Walked<void> rename(std::string_view, std::string_view, unsigned) override { return refused(); }
  pip::Walked<void> link(std::string_view, std::string_view) override { return refused(); }
  Result<pip::FileSystemStat> statfs() override { return pip::FileSystemStat(); }
  [[nodiscard]] std::string name() const override { return "#p"; }

  // Carries a command out. EBUSY, EINVAL; EIO: it failed, and result() says why.
  Result<void> order(std::string_view command);
  [[nodiscard]] const std::string& result() const { return result_; }
  // An image has been written that the process lives on in: it must end now.
  [[nodiscard]] bool must_end() const { return must_end_; }

 private:
  static pip::Walked<void> refused() { return std::unexpected(pip::WalkError(EROFS)); }

  task::Process& process_;
  std::string result_;
  bool must_end_ = false;
};

// For the name space's device #p.
std::shared_ptr<pip::Server> make_control_server(task::Process& process);

}  // namespace osp::control
