#pragma once

#include <sys/stat.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "namespace/mem_server.h"
#include "namespace/namespace.h"
#include "namespace/operations.h"

namespace osp::ns::test {

// A memory file system that counts the calls it gets, as a stand-in for every kind of server.
class CountingServer final : public pip::Server {
 public:
  explicit CountingServer(std::string name, bool host = false)
      : files_(MemOptions{.name = name}), name_(std::move(name)), host_(host) {}

  pip::Walked<pip::Opened> open(std::string_view path, const pip::OpenMode& mode) override {
    return ++calls, files_.open(path, mode);
  }
  pip::Walked<pip::Attributes> stat(std::string_view path) override { return ++calls, files_.stat(path); }
  pip::Walked<std::string> read_link(std::string_view path) override { return ++calls, files_.read_link(path); }
  pip::Walked<void> change(std::string_view path, const pip::AttributeChange& change) override {
    return ++calls, files_.change(path, change);
  }
  pip::Walked<void> make(std::string_view path, const pip::NewFile& file) override {
    return ++calls, files_.make(path, file);
  }
  pip::Walked<void> remove(std::string_view path, bool directory) override {
    return ++calls, files_.remove(path, directory);
  }
  pip::Walked<void> rename(std::string_view from, std::string_view to, unsigned flags) override {
    return ++calls, files_.rename(from, to, flags);
  }
  pip::Walked<void> link(std::string_view from, std::string_view to) override { return ++calls, files_.link(from, to); }
  Result<pip::FileSystemStat> statfs() override { return files_.statfs(); }
  [[nodiscard]] const std::string* host_directory() const override { return host_ ? &host_root_ : nullptr; }
  [[nodiscard]] std::string name() const override { return name_; }

  int calls = 0;

 private:
  MemServer files_;
  std::string name_;
  bool host_;
  std::string host_root_ = "/";
};

using ServerPtr = std::shared_ptr<CountingServer>;

// A server with these files: "dir/" a directory, "link>target" a symbolic link, "file" a file that
// holds the server's name and its own path. Directories on the way must come first.
inline ServerPtr server_with(const std::string& name, std::initializer_list<std::string_view> files,
                             bool host = false) {
  auto server = std::make_shared<CountingServer>(name, host);
  for (const std::string_view file : files) {
    if (const size_t arrow = file.find('>'); arrow != std::string_view::npos) {
      (void)server->make(file.substr(0, arrow),
                         {.mode = S_IFLNK | 0777, .device = 0, .target = std::string(file.substr(arrow + 1))});
    } else if (file.ends_with('/')) {
      (void)server->make(file.substr(0, file.size() - 1), {.mode = S_IFDIR | 0755, .device = 0, .target = {}});
    } else {
      const auto opened = server->open(file, {.write = true, .create = true, .permissions = 0644});
      const std::string text = name + ":" + std::string(file);
      if (opened) (void)(*opened).file->write(0, std::as_bytes(std::span(text)));
    }
  }
  server->calls = 0;
  return server;
}

inline std::string error_name(int code) { return strerrorname_np(code); }

// The contents of a file, or the name of the error.
inline std::string contents(const Namespace& space, Request request) {
  auto opened = open(space.table(), request, {.read = true});
  if (!opened) return error_name(opened.error().code);
  char buffer[200];
  const auto size = opened->opened.file->read(0, std::as_writable_bytes(std::span(buffer)));
  return size ? std::string(buffer, *size) : error_name(size.error().code);
}
inline std::string contents(const Namespace& space, std::string_view path) { return contents(space, {.path = path}); }

// "ok", or the name of the error.
template <class T>
std::string outcome(const T& result) {
  if constexpr (requires { result.error().reason; }) {
    return result ? "ok" : error_name(result.error().code);
  } else {
    return result ? "ok" : error_name(result.error().code);
  }
}

// Creates and writes a file.
inline std::string put(const Namespace& space, std::string_view path, std::string_view text, bool exclusive = false) {
  auto opened =
      open(space.table(), {.path = path},
           {.write = true, .truncate = !exclusive, .create = true, .exclusive = exclusive, .permissions = 0644});
  if (!opened) return error_name(opened.error().code);
  return outcome(opened->opened.file->write(0, std::as_bytes(std::span(text))));
}

// The names in a directory, in its order.
inline std::vector<std::string> names_in(const Namespace& space, std::string_view path, size_t batch = 2) {
  auto opened = open(space.table(), {.path = path}, {.read = true, .directory = true});
  if (!opened) return {error_name(opened.error().code)};
  std::vector<std::string> names;
  for (;;) {
    const auto part = opened->opened.file->read_directory(names.size(), batch);
    if (!part || part->empty()) return names;
    for (const auto& entry : *part) names.push_back(entry.name);
  }
}

inline Request at(std::string_view path) { return {.path = path}; }

}  // namespace osp::ns::test
