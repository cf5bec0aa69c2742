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

}  // namespace osp::piptool
