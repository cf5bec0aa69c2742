// `pip versions`, `pip diff`, `pip restore`: files in a store, as they were.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <ctime>

#include "pip/footprint.h"
#include "pip/past_path.h"
#include "pip/wire.h"
#include "tools/pip_commands.h"
#include "tools/pip_print.h"

namespace osp::piptool {
namespace {

constexpr int status_trouble = 2;  // of diff(1)

std::optional<uint64_t> number_of(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

// Seconds since the epoch, of a time here. Nothing: it is none.
std::optional<uint64_t> local_time(const std::string& text) {
  if (const auto seconds = number_of(text)) return seconds;
  for (const char* form : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d"}) {
    tm parts{};
    parts.tm_isdst = -1;
    const char* const rest = strptime(text.c_str(), form, &parts);
    if (rest == nullptr || *rest != '\0') continue;
    const time_t seconds = mktime(&parts);
    return seconds < 0 ? std::nullopt : std::optional(static_cast<uint64_t>(seconds));
  }
  return std::nullopt;
}

struct VersionLine {
  uint64_t number = 0, size = 0;
  int64_t time_ns = 0;
};

Outcome<VersionLine> parse_line(std::string_view line, const std::string& name) {
  VersionLine version;
  const std::string text(line);
  if (sscanf(text.c_str(), "%lu %ld %lu", &version.number, &version.time_ns, &version.size) != 3)
    return failure("understand the versions of", name, EPROTO);
  return version;
}

Outcome<std::vector<VersionLine>> versions_of(const Target& target) {
  std::vector<VersionLine> versions;
  std::string attribute = "osp.versions";
  while (true) {
    const auto lines = Remotes::follow(
        target.url.path, [&](const std::string& path) { return target.client->get_attribute(path, attribute); });
    if (!lines && versions.empty() && lines.error().code == EOPNOTSUPP)
      return std::unexpected(
          Failure{fmt::format("'{}' has no versions: it is no file of a store (pipd --store)", target.url.text())});
    if (!lines) return failure("list the versions of", target.url.text(), lines.error().code);
    for (std::string_view rest = *lines; !rest.empty();) {
      const size_t end = rest.find('\n');
      OSP_ASSIGN(const VersionLine version, parse_line(rest.substr(0, end), target.url.text()));
      versions.push_back(version);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    if (lines->empty()) return versions;
    attribute = fmt::format("osp.versions:{}", versions.back().number);
  }
}

std::string json_of(const std::vector<VersionLine>& versions) {
  std::string out;
  for (const VersionLine& one : versions)
    out += fmt::format("{}{{\"version\": {}, \"time_ns\": {}, \"size\": {}}}", out.empty() ? "[" : ",\n ", one.number,
                       one.time_ns, one.size);
  return out.empty() ? "[]\n" : out + "]\n";
}

Outcome<Target> find_version(Remotes& remotes, const Options& options, uint64_t number) {
  Options of_version = options;
  of_version.version = number;
  return find_target(remotes, options.names[0], of_version);
}

// A file that goes with this.
struct Temporary {
  std::string path = "/tmp/pip-diff-XXXXXX";
  FILE* file = nullptr;
  Temporary() {
    const int fd = mkstemp(path.data());
    file = fd < 0 ? nullptr : fdopen(fd, "w");
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    if (file == nullptr) return;
    fclose(file);
    unlink(path.c_str());
  }
};

Outcome<void> save(const Target& target, Temporary& to) {
  if (to.file == nullptr) return failure("make", to.path, errno);
  OSP_TRY(write_contents(target, to.file));
  if (fflush(to.file) != 0) return failure("write", to.path, errno);
  return {};
}

// diff(1) of two versions; its status.
Outcome<int> show_difference(const Target& one, const Target& other, const std::string& one_label,
                             const std::string& other_label) {
  Temporary before;
  Temporary after;
  OSP_TRY(save(one, before));
  OSP_TRY(save(other, after));
  const pid_t child = fork();
  if (child == 0) {
    execlp("diff", "diff", "-u", "--label", one_label.c_str(), "--label", other_label.c_str(), before.path.c_str(),
           after.path.c_str(), nullptr);
    fmt::print(stderr, "pip: cannot run diff: {}\n", strerror(errno));
    _exit(status_trouble);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return failure("run", "diff", errno);
  return WIFEXITED(status) ? WEXITSTATUS(status) : status_trouble;
}

Outcome<int> difference(const Options& options) {
  Remotes remotes(options.give_up_after);
  const auto first = number_of(options.names[1]);
  const auto second = options.names.size() > 2 ? number_of(options.names[2]) : std::optional<uint64_t>(0);
  if (!first || !second) return std::unexpected(Failure{"a version is a number: `pip versions` lists them"});
  OSP_ASSIGN(const Target before, find_version(remotes, options, *first));
  OSP_ASSIGN(const Target after, find_version(remotes, options, *second));
  return show_difference(before, after, fmt::format("{} version {}", options.names[0], *first),
                         *second == 0 ? options.names[0] : fmt::format("{} version {}", options.names[0], *second));
}

Outcome<void> restore_one(const Options& options) {
  Remotes remotes(options.give_up_after);
  if (!number_of(options.names[1])) return std::unexpected(Failure{"a version is a number: `pip versions` lists them"});
  OSP_ASSIGN(const Target target, find_target(remotes, options.names[0], options));
  const auto done = Remotes::follow(target.url.path, [&](const std::string& path) {
    return target.client->set_attribute(path, "osp.restore", options.names[1], 0);
  });
  if (done) return {};
  if (done.error().code == ENOENT)
    return std::unexpected(
        Failure{fmt::format("'{}' has no version {}: `pip versions` lists them", options.names[0], options.names[1])});
  return failure(fmt::format("restore version {} of", options.names[1]), options.names[0], done.error().code);
}

}  // namespace

Outcome<std::string> path_in_time(const std::string& path, const Options& options) {
  if (options.version != 0) return fmt::format("{}/version/{}/{}", pip::history_directory, options.version, path);
  if (options.at.empty()) return path;
  const auto seconds = local_time(options.at);
  if (!seconds)
    return std::unexpected(Failure{fmt::format(
        "'{}' is no time; forms: 2026-10-01, '2026-10-01 12:30[:15]' (here), seconds since the epoch", options.at)});
  return pip::join_paths(pip::past_path(std::to_string(*seconds)), path);
}

int versions(const Options& options) {
  Remotes remotes(options.give_up_after);
  int status = EXIT_SUCCESS;
  for (const std::string& name : options.names) {
    const auto target = find_target(remotes, name, options);
    const auto found = target ? versions_of(*target) : std::unexpected(target.error());
    if (!found) {
      fmt::print(stderr, "pip: {}\n", found.error().what);
      status = EXIT_FAILURE;
    } else if (options.json) {
      fmt::print("{}", json_of(*found));
    } else {
      for (const VersionLine& one : *found)
        fmt::print("{:>8}  {}  {:>12}\n", one.number, time_text(one.time_ns), one.size);
    }
  }
  return status;
}

int diff(const Options& options) {
  const auto status = difference(options);
  if (!status) fmt::print(stderr, "pip: {}\n", status.error().what);
  return status ? *status : status_trouble;
}

int restore(const Options& options) {
  const auto done = restore_one(options);
  if (!done) fmt::print(stderr, "pip: {}\n", done.error().what);
  return done ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace osp::piptool
