#include "namespace/ns_apply.h"

#include <fmt/format.h>

#include <utility>

namespace osp::ns {
namespace {

Checked<void> apply_one(const Command& command, Namespace& space, ServerFactory& factory, const Request& onto,
                        const Request& from) {
  if (command.kind == Command::Kind::unmount)
    return command.source.empty() ? space.unmount(onto) : space.unmount(from, onto);
  if (command.kind == Command::Kind::bind && !is_device(command.source)) return space.bind(from, onto, command.flags);
  auto attached = factory.attach(command.source, command.flags.options);
  if (!attached) {
    Trouble& trouble = attached.error();
    if (!trouble.reason.contains(command.source)) trouble.reason = command.source + ": " + trouble.reason;
    return std::unexpected(std::move(trouble));
  }
  return space.mount(std::move(attached->server), attached->path, onto, command.flags);
}

}  // namespace

NsResult<void> apply(std::span<const Command> commands, Namespace& space, ServerFactory& factory, std::string_view cwd,
                     std::string_view root) {
  for (const Command& command : commands) {
    const Request onto{.base = cwd, .path = command.target, .root = root};
    const Request from{.base = cwd, .path = command.source, .root = root};
    if (auto done = apply_one(command, space, factory, onto, from); !done)
      return std::unexpected(NsError{command.at, std::move(done.error())});
  }
  return {};
}

}  // namespace osp::ns
