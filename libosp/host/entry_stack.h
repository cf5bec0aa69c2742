#pragma once

#include <stdint.h>

// What lies on the stack at a program's entry (System V ABI x86-64, 3.4.1). No libc.
namespace osp::host {

struct EntryStack {
  char** argv;
  char** envp;
  const unsigned long* auxv;  // pairs, ended by AT_NULL

  // `at`: the stack pointer at the entry.
  static EntryStack of(uint64_t* at) {
    char** const argv = reinterpret_cast<char**>(at + 1);
    char** const envp = argv + *at + 1;
    char** end = envp;
    while (*end != nullptr) ++end;
    return {argv, envp, reinterpret_cast<const unsigned long*>(end + 1)};
  }
};

}  // namespace osp::host
