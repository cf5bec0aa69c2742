#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tools/osp_boot_elf.h"
#include "tools/osp_boot_root.h"

namespace osp::tools {

// The loader's cache (ldconfig(8)): what a library's name leads to. There may be several, for several processors.
std::multimap<std::string, std::string> read_loader_cache(const std::string& path);

// Puts programs into a root, with all that the dynamic loader will want for them: as ld.so(8) would find it on this
// host, for a program that begins with the environment given.
class LibraryPacker {
 public:
  // All borrowed.
  LibraryPacker(RootPlan& root, std::string library_path);

  // The file and, if it is a program or library of x86-64, its interpreter and the libraries that it needs, and those
  // that they need. A library that is not found is an error.
  BootResult<void> add(const std::string& path);

 private:
  // Who asks for a library: its own search path holds, and those of who asked for it.
  struct Asker {
    std::string path;
    ElfNeeds needs;
    const Asker* parent;
  };
  // Directories with colons, and what $ORIGIN is in them.
  struct Place {
    std::string directories, origin;
  };
  BootResult<void> add_needs(const Asker& asker);
  BootResult<void> add_library(const std::string& name, const Asker& asker);
  BootResult<std::string> find(const std::string& name, const Asker& asker);
  [[nodiscard]] std::vector<Place> places_of(const Asker& asker) const;
  BootResult<std::string> find_in(const Place& place, const std::string& name);

  RootPlan& root_;
  std::string library_path_;
  std::multimap<std::string, std::string> cache_;
  std::set<std::string> loaded_;  // names asked for
};

}  // namespace osp::tools
