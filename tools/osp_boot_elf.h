#pragma once

#include <string>
#include <vector>

#include "tools/osp_boot_cpio.h"

namespace osp::tools {

// What the dynamic section of an ELF file asks the loader for (System V gABI, "Dynamic Linking").
struct ElfNeeds {
  bool is_program = false;            // an ELF file of x86-64; else the rest is empty
  std::string interpreter{};          // PT_INTERP
  std::vector<std::string> needed{};  // DT_NEEDED, in order
  std::string rpath{}, runpath{};     // DT_RPATH, DT_RUNPATH: with colons
};

// Any file will do. The error is the host's, with the path; a file whose headers lead nowhere is no program.
BootResult<ElfNeeds> read_elf_needs(const std::string& path);

}  // namespace osp::tools
