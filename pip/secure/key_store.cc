#include "pip/secure/key_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/log.h"

namespace osp::pip {
namespace {

constexpr size_t most_bytes = 1U << 20;

Result<void> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t size = write(fd, bytes.data(), bytes.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return fail(errno);
    bytes.remove_prefix(static_cast<size_t>(size));
  }
  return fsync(fd) == 0 ? Result<void>{} : fail(errno);
}

std::string_view first_line(std::string_view text) { return text.substr(0, text.find('\n')); }

}  // namespace

Result<std::string> read_small_file(const std::string& path) {
  const HostFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return fail(errno);
  std::string contents(most_bytes + 1, '\0');
  size_t size = 0;
  while (size < contents.size()) {
    const ssize_t got = read(fd.get(), contents.data() + size, contents.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(errno);
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  if (size > most_bytes) return fail(EFBIG);
  contents.resize(size);
  return contents;
}

Result<void> write_small_file(const std::string& path, std::string_view contents, unsigned mode) {
  std::string temporary = path + ".XXXXXX";
  const HostFd fd(mkostemp(temporary.data(), O_CLOEXEC));
  if (fd.get() < 0) return fail(errno);
  auto written = write_all(fd.get(), contents);
  if (written && fchmod(fd.get(), mode) != 0) written = fail(errno);
  if (written && rename(temporary.c_str(), path.c_str()) != 0) written = fail(errno);
  if (!written) unlink(temporary.c_str());
  return written;
}

Result<void> make_private_directories(const std::string& path) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    if (mkdir(path.substr(0, end).c_str(), 0700) != 0 && errno != EEXIST) return fail(errno);
    if (end == std::string::npos) return {};
  }
}

Result<FileLock> FileLock::take(const std::string& path) {
  HostFd fd(open((path + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (fd.get() < 0) return fail(errno);
  while (flock(fd.get(), LOCK_EX) != 0)
    if (errno != EINTR) return fail(errno);
  return FileLock(std::move(fd));
}

std::string KeyStore::default_directory() {
  const char* base = getenv("XDG_CONFIG_HOME");
  if (base != nullptr && *base == '/') return fmt::format("{}/osp", base);
  const char* home = getenv("HOME");
  return fmt::format("{}/.config/osp", home != nullptr && *home == '/' ? home : "");
}

Result<void> KeyStore::make_directory(const std::string& name) const { return make_private_directories(path(name)); }

Result<Identity> KeyStore::identity() const {
  struct stat about = {};
  if (stat(path("key").c_str(), &about) != 0) return fail(errno);
  if ((about.st_mode & 077U) != 0 || (about.st_uid != geteuid() && about.st_uid != 0)) return fail(EACCES);
  OSP_ASSIGN(const std::string text, read_small_file(path("key")));
  const auto parsed = Identity::parse(first_line(text));
  return parsed ? parsed : fail(EBADMSG);
}

Result<Identity> KeyStore::identity_or_new() const {
  auto found = identity();
  if (found || found.error().code != ENOENT) return found;
  OSP_TRY(make_directory("delegations"));
  const Identity made = Identity::random();
  // Another process may be making one too: whoever links its first has made it.
  const std::string own = fmt::format("{}.{}", path("key"), made.key().text());
  OSP_TRY(write_small_file(own, made.secret_text() + "\n", 0600));
  const bool linked = link(own.c_str(), path("key").c_str()) == 0;
  const int error = errno;
  unlink(own.c_str());
  if (linked) return made;
  return error == EEXIST ? identity() : fail(error);
}

Result<std::optional<PublicKey>> KeyStore::known_server(std::string_view address) const {
  const auto text = read_small_file(path("known_servers"));
  if (!text && text.error().code == ENOENT) return std::nullopt;
  if (!text) return std::unexpected(text.error());
  for (std::string_view rest = *text; !rest.empty();) {
    const std::string_view line = first_line(rest);
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (!line.starts_with(address) || line.size() <= address.size() || line[address.size()] != ' ') continue;
    const auto key = PublicKey::parse(line.substr(address.size() + 1));
    return key ? Result<std::optional<PublicKey>>(*key) : fail(EBADMSG);
  }
  return std::nullopt;
}

Result<void> KeyStore::know_server(std::string_view address, const PublicKey& key) const {
  OSP_TRY(make_directory("delegations"));
  OSP_ASSIGN(const FileLock lock, FileLock::take(path("known_servers")));
  const auto before = read_small_file(path("known_servers"));
  if (!before && before.error().code != ENOENT) return std::unexpected(before.error());
  std::string after;
  for (std::string_view rest = before ? std::string_view(*before) : std::string_view(); !rest.empty();) {
    const std::string_view line = first_line(rest);
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (!line.starts_with(fmt::format("{} ", address))) (after += line) += '\n';
  }
  after += fmt::format("{} {}\n", address, key.text());
  return write_small_file(path("known_servers"), after, 0600);
}

std::vector<DelegationChain> KeyStore::delegations(const PublicKey& holder, const std::optional<PublicKey>& server,
                                                   int64_t now_s, size_t most) const {
  const auto is_wanted = [&](const DelegationChain& chain) {
    return chain.holder() == holder && std::ranges::all_of(chain.links(), [&](const Delegation& link) {
             return now_s < link.until_s && (!link.server || !server || link.server == server);
           });
  };
  using Entry = std::pair<std::filesystem::file_time_type, std::string>;
  std::vector<Entry> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path("delegations"), error)) {
    std::error_code ignored;
    files.emplace_back(entry.last_write_time(ignored), entry.path().string());
  }
  std::ranges::sort(files, std::greater<>());
  std::vector<DelegationChain> found;
  for (const auto& [time, name] : files) {
    if (found.size() == most) break;
    const auto text = read_small_file(name);
    auto chain = text ? DelegationChain::parse(*text) : std::unexpected(text.error());
    if (!chain) {
      log::warn("pip", "'{}' is no delegation: {}", name, describe(chain.error()));
    } else if (is_wanted(*chain)) {
      found.push_back(std::move(*chain));
    }
  }
  return found;
}

Result<void> KeyStore::keep_delegation(const DelegationChain& chain) const {
  OSP_TRY(make_directory("delegations"));
  const std::string name = path("delegations/" + chain.links().back().serial_text());
  return write_small_file(name, chain.text() + "\n", 0600);
}

}  // namespace osp::pip
