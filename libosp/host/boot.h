#pragma once

#include <stddef.h>
#include <stdint.h>

// How a door starts the core: it fills a BootBlock and calls start_core(), which maps osp-core into
// the core's window and jumps to it. Plain C types and no libc: the preload shim uses this too. Executed as osp-run the
// core fills the block itself (libosp/command).
namespace osp::host {

// The core's aux vector: the address of the BootBlock; or, where it was executed itself, of its EntryStack.
inline constexpr unsigned long auxv_boot_block = 0x6f737001, auxv_entry_stack = 0x6f737002;

enum class Door : uint32_t { run = 1, preload = 2, restore = 3 };

// One line of the name space, in the order given: a name space file, or an option of the command line.
struct NamespaceOption {
  enum class Kind : uint32_t { file, mount, bind, contents } kind;
  const char* text;            // the file's path, "URL=PATH", "OLD=NEW", or what the file holds
  const char* name = nullptr;  // of `contents`: what errors call the file
};

// How a program that runs already goes on (door 2), saved by the shim: registers, and what the host's
// kernel kept for the thread until the core took its place. Addresses are 0 where there is none.
struct ProgramStart {
  uint64_t rbx, rbp, r12, r13, r14, r15, rsp, rip, fs_base;
  uint64_t clear_child_tid;
  uint64_t robust_list, robust_list_size;
  uint64_t signal_mask;  // the host's mask is full while the core starts
  struct {
    uint64_t start;
    int flags;
    uint64_t size;
  } alternate_stack;  // sigaltstack(2)
};

// Everything is borrowed until the core has read it, which it does before it begins the program.
struct BootBlock {
  uint32_t version = 1;
  Door door = Door::run;
  const char* core_path = nullptr;  // where osp-core was found; the core finds its companions beside it
  const char* program = nullptr;    // doors 1: as given, searched in PATH when it has no slash
  const char* const* argv = nullptr;
  const char* const* envp = nullptr;
  const unsigned long* auxv = nullptr;  // the host's, pairs, ended by AT_NULL
  const NamespaceOption* options = nullptr;
  size_t option_count = 0;
  const char* trace = nullptr;             // null: no trace; "": stderr; else a file
  const char* image = nullptr;             // door restore: the image's path
  const char* change_directory = nullptr;  // where the program is to begin, in its name space; null: here
  const ProgramStart* start = nullptr;     // door 2
  uint32_t changed_files = 0;              // door restore: migrate::ChangedFiles
};

// Maps `core_path` and jumps to it; returns only on failure, with minus an errno: ENOENT ENOEXEC
// EEXIST (the window is in use: a core is there already) ENOMEM. Raw system calls only; not signal-safe.
long start_core(const BootBlock& block);

// Whether a core lives in this process already (so that a preload shim must not start a second one).
bool core_is_here();

}  // namespace osp::host
