#pragma once

#include <stdint.h>

// What lies on the stack at a program's entry (System V ABI x86-64, 3.4.1). No libc.
namespace osp::host {

// Behind an environment: pairs, ended by AT_NULL.
inline const unsigned long* aux_vector(char* const* envp) {
  while (*envp != nullptr) ++envp;
  return reinterpret_cast<const unsigned long*>(envp + 1);
}

struct EntryStack {
  char** argv;
  char** envp;
  const unsigned long* auxv;

  // `at`: the stack pointer at the entry.
  static EntryStack of(uint64_t* at) {
    char** const argv = reinterpret_cast<char**>(at + 1);
    char** const envp = argv + *at + 1;
    return {argv, envp, aux_vector(envp)};
  }
};

}  // namespace osp::host
