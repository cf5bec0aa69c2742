#pragma once

#include "migrate/manifest_base.h"

// The part of the manifest about one thread of the program.
namespace osp::migrate {

// How Vector::data is laid out.
enum class VectorFormat : uint16_t {
  absent,  // no vector state: the initial one
  fxsave,  // FXSAVE, 512 bytes
  xsave,   // XSAVE standard form
  xsavec,  // XSAVEC compacted form
};

// The general registers where the program goes on.
struct Registers {
  uint64_t r15 = 0;
  uint64_t r14 = 0;
  uint64_t r13 = 0;
  uint64_t r12 = 0;
  uint64_t rbp = 0;
  uint64_t rbx = 0;
  uint64_t r11 = 0;
  uint64_t r10 = 0;
  uint64_t r9 = 0;
  uint64_t r8 = 0;
  uint64_t rax = 0;
  uint64_t rcx = 0;
  uint64_t rdx = 0;
  uint64_t rsi = 0;
  uint64_t rdi = 0;
  uint64_t rip = 0;
  uint64_t rflags = 0;
  uint64_t rsp = 0;
  uint64_t fs_base = 0;
  uint64_t gs_base = 0;

  friend bool operator==(const Registers&, const Registers&) = default;
};

struct Vector {
  VectorFormat format = VectorFormat::absent;
  uint64_t xcr0 = 0;
  Bytes data{};

  friend bool operator==(const Vector&, const Vector&) = default;
};

struct PendingSignal {
  int32_t signal = 0;
  Bytes info{};  // siginfo_t, 128 bytes

  friend bool operator==(const PendingSignal&, const PendingSignal&) = default;
};

// sigaltstack(2).
struct AlternateStack {
  uint64_t address = 0;
  uint64_t size = 0;
  int32_t flags = 2;  // 2: SS_DISABLE

  friend bool operator==(const AlternateStack&, const AlternateStack&) = default;
};

// rseq(2) registration; address 0: none.
struct Rseq {
  uint64_t address = 0;
  uint32_t size = 0;
  uint32_t signature = 0;

  friend bool operator==(const Rseq&, const Rseq&) = default;
};

// A call that was caught blocking and is begun again at its entry registers.
struct Restart {
  int32_t number = -1;  // the system call; -1: none
  bool has_deadline = false;
  int64_t deadline_ns = 0;  // absolute, monotonic program time

  friend bool operator==(const Restart&, const Restart&) = default;
};

struct Scheduling {
  int32_t policy = 0;
  int32_t priority = 0;
  int32_t nice = 0;
  uint32_t flags = 0;
  Bytes affinity{};  // cpu_set_t bytes; empty: all

  friend bool operator==(const Scheduling&, const Scheduling&) = default;
};

struct Thread {
  int32_t tid = 0;     // virtual
  std::string name{};  // comm, at most 15 bytes
  Registers registers{};
  Vector vector{};
  uint64_t signal_mask = 0;
  bool has_saved_mask = false;  // inside sigsuspend, ppoll…: saved_mask comes back after
  uint64_t saved_mask = 0;
  std::vector<PendingSignal> pending{};
  AlternateStack alternate_stack{};
  uint64_t robust_list = 0;
  uint64_t robust_list_size = 0;
  uint64_t clear_child_tid = 0;
  Rseq rseq{};
  Restart restart{};
  Scheduling scheduling{};
  int64_t cpu_time_ns = 0;  // used so far

  friend bool operator==(const Thread&, const Thread&) = default;
};

}  // namespace osp::migrate
