#pragma once

#include <string>
#include <vector>

#include "tools/pip_remote.h"

// What `pip COMMAND` does. Each reports its failures to stderr and returns an exit status: 0, or 1 if anything failed.
namespace osp::piptool {

struct Options {
  bool json = false;
  bool long_form = false;
  bool directory = false;  // rm: an empty directory
  bool recursive = false;  // cp, rm
  bool parents = false;    // mkdir: also those on the way; those that exist are no error
  bool append = false;     // write
  unsigned depth = 64;     // tree
  std::string at;          // cat, cp, ls, stat, tree: as it was at this time
  uint64_t version = 0;    // cat: this version; 0: the newest
  std::chrono::seconds give_up_after{0};
  std::vector<std::string> names;
};

int list(const Options& options);
int cat(const Options& options);
int copy(const Options& options);
int stat(const Options& options);
int tree(const Options& options);
int remove(const Options& options);
int make_directory(const Options& options);
int move(const Options& options);
int write(const Options& options);
// pip_history.cc: of files in a store.
int versions(const Options& options);
int diff(const Options& options);
int restore(const Options& options);

struct Target {
  pip::Url url;
  pip::Client* client = nullptr;
};
// What an operand names: a URL, as it was where the options say so.
Outcome<Target> find_target(Remotes& remotes, const std::string& name, const Options& options);
// The path of the past that the options mean. The failure: `at` is no time.
Outcome<std::string> path_in_time(const std::string& path, const Options& options);
// Copies a file's contents from the start; ENOENT and the like.
Outcome<void> write_contents(const Target& target, FILE* to);

}  // namespace osp::piptool
