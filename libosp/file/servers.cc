#include "libosp/file/servers.h"

#include "libosp/file/files.h"
#include "libosp/file/keeper.h"
#include "libosp/file/proc.h"
#include "libosp/host/kernel_vdso.h"
#include "libosp/task/worker.h"
#include "libosp/trap/frame.h"
#include "namespace/ns_file.h"
#include "pip/footprint.h"
#include "pip/past_path.h"
#include "pip/url.h"

namespace osp::file {
namespace {

ns::Checked<ns::Attached> attach_device(const ns::DeviceName& name) {
  if (name.device == "U") {
    auto tree = host_tree();
    if (!tree) return ns::trouble(tree.error().code, "the host's root cannot be opened");
    return ns::Attached{std::move(*tree), name.path};
  }
  if (name.device == "m" || name.device == "mem") {
    auto server = keeper::attach("#m." + name.instance);
    if (!server) return std::unexpected(server.error());
    return ns::Attached{std::move(*server), name.path};
  }
  return ns::trouble(ENODEV, "there is no such device", "devices are #U (host), #m (memory) and #p (control)");
}

// Of "one,KEY=VALUE": the value; "": there is none.
std::string value_of(std::string_view options, std::string_view key) {
  while (!options.empty()) {
    const std::string_view option = options.substr(0, options.find(','));
    if (option.starts_with(key)) return std::string(option.substr(key.size()));
    options.remove_prefix(std::min(options.size(), option.size() + 1));
  }
  return {};
}

// The same until the host's clock ticks, or the program makes a call by which others could have told it something: so
// long, what it sees of the host's directories may be what was there a moment ago.
uint64_t present_moment() {
  static uint64_t moments = 0;
  if (!task::workers().is_one()) return ++moments;  // one worker does not know what another has been told
  trap::FastState& fast = trap::worker().fast;
  timespec now = {};
  if (fast.host_clock == nullptr || fast.host_clock(CLOCK_MONOTONIC_COARSE, &now) != 0)
    host::read_clock_by_call(CLOCK_MONOTONIC_COARSE, now);
  constexpr uint64_t spread = 0x9e3779b97f4a7c15;  // 2^64 over the golden ratio
  return fast.told * spread + static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

Result<std::unique_ptr<pip::HostTree>> host_tree() {
  return pip::HostTree::create("/", {.keep = [](int fd) { return static_cast<int>(keep_fd(fd)); },
                                     .drop = drop_fd,
                                     .follows_unnamed = true,
                                     .link_target = proc_link_target,
                                     .moment = present_moment});
}

ns::Checked<ns::Attached> CoreServers::attach(const std::string& name, const std::string& options) {
  if (const auto device = ns::parse_device(name)) return attach_device(*device);
  const auto url = pip::parse_url(name);
  if (!url)
    return ns::trouble(EINVAL, "not a URL of a server",
                       "write pip://HOST[:PORT]/PATH, pip+udp://HOST[:PORT]/PATH or pip+unix:///SOCKET!/PATH");
  auto server = keeper::attach(url->server());
  if (!server) return std::unexpected(server.error());
  const std::string time = value_of(options, "at=");
  return ns::Attached{std::move(*server), time.empty() ? url->path : pip::join_paths(pip::past_path(time), url->path)};
}

}  // namespace osp::file
