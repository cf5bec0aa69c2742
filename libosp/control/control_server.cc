#include "libosp/control/control_server.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "libosp/control/order.h"
#include "libosp/control/text.h"
#include "pip/text_part.h"

namespace osp::control {
namespace {

using pip::WalkError;

struct Entry {
  std::string_view name;
  std::string (*text)(const task::Process&);  // null: ctl and report, which need more than that
};

constexpr std::array<Entry, 7> entries = {{{"ctl", nullptr},
                                           {"status", status_text},
                                           {"ns", ns_text},
                                           {"fd", fd_text},
                                           {"maps", maps_text},
                                           {"stack", stack_text},
                                           {"report", nullptr}}};

const Entry* find(std::string_view name) {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.name == name; });
  return found == entries.end() ? nullptr : found;
}

pip::Attributes attributes_of(const Entry* entry, size_t size) {
  pip::Attributes a;
  a.id = entry == nullptr ? 1 : 2 + static_cast<uint64_t>(entry - entries.data());
  a.mode = entry == nullptr ? S_IFDIR | 0500 : S_IFREG | (entry->name == "ctl" ? 0600 : 0400);
  a.size = size;
  return a;
}

class Directory final : public pip::File {
 public:
  Result<size_t> read(uint64_t, std::span<std::byte>) override { return fail(EISDIR); }
  Result<size_t> write(uint64_t, std::span<const std::byte>) override { return fail(EISDIR); }
  Result<pip::Attributes> stat() override { return attributes_of(nullptr, 0); }
  Result<std::vector<pip::DirectoryEntry>> read_directory(uint64_t first, size_t count) override {
    std::vector<pip::DirectoryEntry> listed;
    for (size_t i = first; i < entries.size() && listed.size() < count; ++i)
      listed.push_back({std::string(entries[i].name), attributes_of(&entries[i], 0), {}});
    return listed;
  }
};

class ControlFile final : public pip::File {
 public:
  ControlFile(ControlServer& server, const Entry& entry, std::string text)
      : server_(server), entry_(entry), text_(std::move(text)) {}

  Result<size_t> read(uint64_t offset, std::span<std::byte> into) override {
    return pip::read_text(text_, offset, into);
  }
  Result<size_t> write(uint64_t, std::span<const std::byte> from) override {
    if (entry_.text != nullptr || entry_.name != "ctl") return fail(EBADF);
    OSP_TRY(server_.order({reinterpret_cast<const char*>(from.data()), from.size()}));
    return from.size();
  }
  Result<void> change(const pip::AttributeChange&) override { return {}; }  // O_TRUNC
  Result<pip::Attributes> stat() override { return attributes_of(&entry_, text_.size()); }

 private:
  ControlServer& server_;
  const Entry& entry_;
  std::string text_;
};

}  // namespace

pip::Walked<pip::Opened> ControlServer::open(std::string_view path, const pip::OpenMode& mode) {
  if (path.empty()) return pip::Opened{std::make_unique<Directory>(), attributes_of(nullptr, 0)};
  const Entry* entry = find(path);
  if (entry == nullptr) return std::unexpected(WalkError(path.find('/') == path.npos ? ENOENT : ENOTDIR));
  if (mode.directory) return std::unexpected(WalkError(ENOTDIR));
  if (mode.exclusive) return std::unexpected(WalkError(EEXIST));
  if (mode.write && entry->name != "ctl") return std::unexpected(WalkError(EACCES));
  std::string text = entry->text != nullptr ? entry->text(process_) : result_;
  if (entry->name == "report" && hooks().report != nullptr) text = hooks().report(process_);
  const pip::Attributes attributes = attributes_of(entry, text.size());
  return pip::Opened{std::make_unique<ControlFile>(*this, *entry, std::move(text)), attributes};
}

pip::Walked<pip::Attributes> ControlServer::stat(std::string_view path) {
  const Entry* entry = find(path);
  if (entry == nullptr && !path.empty()) return std::unexpected(WalkError(ENOENT));
  return attributes_of(entry, 0);
}

pip::Walked<void> ControlServer::change(std::string_view path, const pip::AttributeChange& change) {
  const bool only_size = change.has_size && !change.has_mode && !change.has_uid && !change.has_gid;
  return path == "ctl" && only_size ? pip::Walked<void>() : refused();
}

Result<void> ControlServer::order(std::string_view command) {
  const auto wanted = parse_checkpoint(command);
  if (!wanted) {
    result_ = wanted.error();
    return fail(EINVAL);
  }
  if (!process_.stop_requested() || hooks().checkpoint == nullptr) return fail(EBUSY);
  const auto done = hooks().checkpoint(process_, *wanted);
  result_ = done ? *done : done.error();
  if (!done) return fail(EIO);
  must_end_ = must_end_ || !wanted->leave_running;
  return {};
}

std::shared_ptr<pip::Server> make_control_server(task::Process& process) {
  return std::make_shared<ControlServer>(process);
}

}  // namespace osp::control
