#include "tools/pip_commands.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <functional>

#include "tools/pip_print.h"

namespace osp::piptool {
namespace {

constexpr size_t piece = 4U << 20;  // bytes moved at once
constexpr size_t entries_at_once = 1024;

// Runs `one` for each name and reports what fails; the rest is still done.
int for_each(const Options& options, const std::function<Outcome<void>(const Target&)>& one) {
  Remotes remotes(options.give_up_after);
  int status = EXIT_SUCCESS;
  for (const std::string& name : options.names) {
    const auto target = find_target(remotes, name, options);
    const Outcome<void> done = target ? one(*target) : std::unexpected(target.error());
    if (done) continue;
    fmt::print(stderr, "pip: {}\n", done.error().what);
    status = EXIT_FAILURE;
  }
  return status;
}

std::string last_name(const pip::Url& url) {
  const std::string name = url.path.substr(url.path.rfind('/') + 1);
  return name.empty() ? "/" : name;
}

Outcome<pip::Opened> open(const Target& target, const std::string& path, const pip::OpenMode& mode) {
  auto opened = Remotes::follow(path, [&](const std::string& at) { return target.client->open(at, mode); });
  if (!opened) return failure("open", target.url.text(), opened.error().code);
  return std::move(*opened);
}

Outcome<std::vector<pip::DirectoryEntry>> entries_of(pip::File& directory, const std::string& name) {
  std::vector<pip::DirectoryEntry> all;
  while (true) {
    auto some = directory.read_directory(all.size(), entries_at_once);
    if (!some) return failure("list", name, some.error().code);
    if (some->empty()) break;
    std::ranges::move(*some, std::back_inserter(all));
  }
  std::ranges::sort(all, {}, &pip::DirectoryEntry::name);
  return all;
}

void print_entries(const std::vector<pip::DirectoryEntry>& entries, const Options& options) {
  const bool color = isatty(STDOUT_FILENO) == 1;
  std::string out;
  if (options.json) out += "[";
  for (const pip::DirectoryEntry& entry : entries) {
    if (options.json) {
      out += (out.size() > 1 ? ",\n " : "") + json_entry(entry);
    } else {
      out += (options.long_form ? long_line(entry, color) : colored_name(entry, color)) + "\n";
    }
  }
  if (options.json) out += "]\n";
  fmt::print("{}", out);
}

Outcome<void> list_one(const Target& target, const Options& options) {
  OSP_ASSIGN(const pip::Opened opened, open(target, target.url.path, {.read = true}));
  if (!S_ISDIR(opened.attributes.mode)) {
    print_entries({{.name = last_name(target.url), .attributes = opened.attributes, .target = ""}}, options);
    return {};
  }
  OSP_ASSIGN(const auto entries, entries_of(*opened.file, target.url.text()));
  print_entries(entries, options);
  return {};
}

Outcome<void> stat_one(const Target& target, const Options& options) {
  const auto attributes =
      Remotes::follow(target.url.path, [&](const std::string& path) { return target.client->stat(path); });
  if (!attributes) return failure("stat", target.url.text(), attributes.error().code);
  pip::DirectoryEntry entry{.name = target.url.text(), .attributes = *attributes, .target = ""};
  if (S_ISLNK(attributes->mode))
    if (auto link = target.client->read_link(target.url.path)) entry.target = *link;
  fmt::print("{}", options.json ? json_entry(entry) + "\n" : stat_text(entry));
  return {};
}

struct TreeCounts {
  size_t directories = 0, files = 0;
};

Outcome<void> tree_below(const Target& target, const std::string& path, const std::string& indent, unsigned depth,
                         TreeCounts& counts) {
  if (depth == 0) return {};
  OSP_ASSIGN(const pip::Opened opened, open(target, path, {.read = true, .directory = true}));
  OSP_ASSIGN(const auto entries, entries_of(*opened.file, target.url.text()));
  const bool color = isatty(STDOUT_FILENO) == 1;
  for (const pip::DirectoryEntry& entry : entries) {
    const bool last = &entry == &entries.back();
    const bool is_directory = S_ISDIR(entry.attributes.mode);
    fmt::print("{}{}{}{}\n", indent, last ? "└── " : "├── ", colored_name(entry, color),
               entry.target.empty() ? "" : " -> " + entry.target);
    ++(is_directory ? counts.directories : counts.files);
    if (!is_directory) continue;
    const std::string below = path.empty() ? entry.name : path + "/" + entry.name;
    OSP_TRY(tree_below(target, below, indent + (last ? "    " : "│   "), depth - 1, counts));
  }
  return {};
}

Outcome<void> remove_tree(const Target& target, const std::string& path) {
  OSP_ASSIGN(const pip::Opened opened, open(target, path, {.read = true, .directory = true}));
  OSP_ASSIGN(const auto entries, entries_of(*opened.file, target.url.text()));
  for (const pip::DirectoryEntry& entry : entries) {
    const std::string below = path.empty() ? entry.name : path + "/" + entry.name;
    if (S_ISDIR(entry.attributes.mode)) {
      OSP_TRY(remove_tree(target, below));
    } else if (auto removed = target.client->remove(below, false); !removed) {
      return failure("remove", below, removed.error().code);
    }
  }
  if (auto removed = target.client->remove(path, true); !removed) return failure("remove", path, removed.error().code);
  return {};
}

Outcome<void> remove_one(const Target& target, const Options& options) {
  if (options.recursive) {
    const auto attributes = target.client->stat(target.url.path);
    if (attributes && S_ISDIR(attributes->mode)) return remove_tree(target, target.url.path);
  }
  if (auto removed = target.client->remove(target.url.path, options.directory); !removed)
    return failure("remove", target.url.text(), removed.error().code);
  return {};
}

Outcome<void> make_one(const Target& target, const Options& options) {
  const std::string& path = target.url.path;
  for (size_t end = options.parents ? path.find('/') : path.size();; end = path.find('/', end + 1)) {
    end = std::min(end, path.size());
    const auto made = target.client->make(path.substr(0, end), {.mode = S_IFDIR | 0755});
    if (!made && !(options.parents && made.error().code == EEXIST))
      return failure("make", target.url.text(), made.error().code);
    if (end == path.size()) return {};
  }
}

Outcome<void> write_from_stdin(pip::File& file, bool append, const std::string& name) {
  std::string buffer(piece, '\0');
  uint64_t offset = 0;
  while (const size_t size = fread(buffer.data(), 1, buffer.size(), stdin)) {
    const auto bytes = std::as_bytes(std::span(buffer)).first(size);
    if (append) {
      if (auto end = file.append(bytes); !end) return failure("write", name, end.error().code);
      continue;
    }
    const auto written = file.write(offset, bytes);
    if (!written || *written < size) return failure("write", name, written ? ENOSPC : written.error().code);
    offset += size;
  }
  if (auto closed = file.close(); !closed) return failure("write", name, closed.error().code);
  return {};
}

}  // namespace

Outcome<Target> find_target(Remotes& remotes, const std::string& name, const Options& options) {
  auto url = pip::parse_url(name);
  if (!url)
    return std::unexpected(Failure{fmt::format(
        "'{}' is no URL; forms: pip://HOST[:PORT]/PATH, pip+udp://HOST[:PORT]/PATH, pip+unix:///SOCKET!/PATH", name)});
  OSP_ASSIGN(url->path, path_in_time(url->path, options));
  OSP_ASSIGN(pip::Client* const client, remotes.client(*url));
  return Target{.url = *url, .client = client};
}

Outcome<void> write_contents(const Target& target, FILE* to) {
  OSP_ASSIGN(const pip::Opened opened, open(target, target.url.path, {.read = true}));
  std::string buffer(256 * 1024, '\0');
  for (uint64_t offset = 0;;) {
    const auto size = opened.file->read(offset, std::as_writable_bytes(std::span(buffer)));
    if (!size) return failure("read", target.url.text(), size.error().code);
    if (*size == 0) return {};
    if (fwrite(buffer.data(), 1, *size, to) != *size)
      return failure("write what was read from", target.url.text(), errno);
    offset += *size;
  }
}

int list(const Options& options) {
  return for_each(options, [&](const Target& target) { return list_one(target, options); });
}

int cat(const Options& options) {
  return for_each(options, [](const Target& target) { return write_contents(target, stdout); });
}

int stat(const Options& options) {
  return for_each(options, [&](const Target& target) { return stat_one(target, options); });
}

int tree(const Options& options) {
  return for_each(options, [&](const Target& target) -> Outcome<void> {
    fmt::print("{}\n", target.url.text());
    TreeCounts counts;
    OSP_TRY(tree_below(target, target.url.path, "", options.depth, counts));
    fmt::print("\n{} directories, {} files\n", counts.directories, counts.files);
    return {};
  });
}

int remove(const Options& options) {
  return for_each(options, [&](const Target& target) { return remove_one(target, options); });
}

int make_directory(const Options& options) {
  return for_each(options, [&](const Target& target) { return make_one(target, options); });
}

int write(const Options& options) {
  return for_each(options, [&](const Target& target) -> Outcome<void> {
    const pip::OpenMode mode{
        .write = true, .truncate = !options.append, .append = options.append, .create = true, .permissions = 0644};
    OSP_ASSIGN(const pip::Opened opened, open(target, target.url.path, mode));
    return write_from_stdin(*opened.file, options.append, target.url.text());
  });
}

int move(const Options& options) {
  Remotes remotes(options.give_up_after);
  const auto moved = [&]() -> Outcome<void> {
    OSP_ASSIGN(const Target from, find_target(remotes, options.names[0], options));
    OSP_ASSIGN(const Target to, find_target(remotes, options.names[1], options));
    if (from.client != to.client) return failure("move between servers", from.url.text(), EXDEV);
    std::string path = to.url.path;
    if (const auto there = to.client->stat(path); there && S_ISDIR(there->mode))
      path += (path.empty() ? "" : "/") + last_name(from.url);
    if (auto renamed = from.client->rename(from.url.path, path, 0); !renamed)
      return failure("move", from.url.text(), renamed.error().code);
    return {};
  }();
  if (!moved) fmt::print(stderr, "pip: {}\n", moved.error().what);
  return moved ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace osp::piptool
