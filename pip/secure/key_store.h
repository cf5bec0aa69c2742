#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pip/host_walk.h"
#include "pip/secure/delegation.h"
#include "pip/secure/identity.h"

namespace osp::pip {

// A user's keys: `key` (secret, mode 0600), `known_servers` (lines `ADDRESS KEY`), `access` (AccessRules), and
// `delegations/*`. Made on first use, mode 0700. Calls block as files do, and are for one thread.
class KeyStore {
 public:
  explicit KeyStore(std::string directory) : directory_(std::move(directory)) {}
  // $XDG_CONFIG_HOME/osp, or ~/.config/osp.
  static std::string default_directory();

  // The user's, ENOENT: there is none yet; EACCES: others could have read or changed it; EBADMSG: it is no key.
  Result<Identity> identity() const;
  // Makes it where there is none.
  Result<Identity> identity_or_new() const;

  // Of the server at an address (as Address::text() has it). EBADMSG: the line is damaged.
  Result<std::optional<PublicKey>> known_server(std::string_view address) const;
  // Adds it, or takes the place of what was known. EIO and the like: nothing has changed.
  Result<void> know_server(std::string_view address, const PublicKey& key) const;

  // Those that this key has been given, that are not damaged nor expired, and not for another server than `server`
  // where that is known; at most `most`, the latest first.
  [[nodiscard]] std::vector<DelegationChain> delegations(const PublicKey& holder,
                                                         const std::optional<PublicKey>& server, int64_t now_s,
                                                         size_t most) const;
  Result<void> keep_delegation(const DelegationChain& chain) const;

  [[nodiscard]] std::string path(std::string_view name) const { return directory_ + "/" + std::string(name); }

 private:
  Result<void> make_directory(const std::string& name) const;

  std::string directory_;
};

// All parts of an absolute path that are not there, for their owner alone whatever the umask.
Result<void> make_private_directories(const std::string& path);

// While it lives, no other of them has the file's lock, which is beside it: for changes that begin with reading.
class FileLock {
 public:
  static Result<FileLock> take(const std::string& path);

 private:
  explicit FileLock(HostFd fd) : fd_(std::move(fd)) {}
  HostFd fd_;
};

// Whole small files. EFBIG: over 1 MiB.
Result<std::string> read_small_file(const std::string& path);
// In one step: to another name, synced, renamed.
Result<void> write_small_file(const std::string& path, std::string_view contents, unsigned mode);

}  // namespace osp::pip
