#pragma once

#include "migrate/manifest_files.h"
#include "migrate/manifest_thread.h"

// What an image says of the processes in it, as plain structs: the core fills one in at a checkpoint and reads
// one at a restore. manifest_codec.h turns it into bytes and back; manifest.capnp is the same, on disk.
// Nothing here is a value of the host (pids, fds) or of the core (addresses); all times are nanoseconds,
// "program time" is what the program's own clock shows. A member left alone takes no room in the image.
// Every member is listed in manifest_fields.h too.
namespace osp::migrate {

// The most that Manifest::interface_version may say, and what it says without memory trees: docs/image.md, "Versions".
inline constexpr uint32_t interface_version = 2;
inline constexpr uint32_t interface_without_trees = 1;

// Area::advice: madvise(2) and mlock(2) that lasts.
inline constexpr uint32_t area_advice_dont_fork = 1u << 0;
inline constexpr uint32_t area_advice_wipe_on_fork = 1u << 1;
inline constexpr uint32_t area_advice_dont_dump = 1u << 2;
inline constexpr uint32_t area_advice_mergeable = 1u << 3;
inline constexpr uint32_t area_advice_huge_page = 1u << 4;
inline constexpr uint32_t area_advice_no_huge_page = 1u << 5;
inline constexpr uint32_t area_advice_locked = 1u << 6;

// What an area of the address space is made of.
enum class AreaKind : uint16_t {
  anonymous,      // private memory
  file,           // private mapping of a file; only pages that differ are stored
  shared_file,    // shared mapping of a file: its pages are the file's
  shared_object,  // shared mapping of a MemoryObject
  vdso,           // the core's vDSO for the program
  stack,          // the first thread's stack
  heap,           // the emulated brk
  reserved,       // nothing accessible (PROT_NONE, no pages)
};

// What the program may have seen of the processor and so needs again.
struct Cpu {
  uint64_t xcr0 = 0;              // XCR0: state components enabled
  uint32_t xsave_size = 0;        // bytes of a standard-form XSAVE area for xcr0
  std::vector<uint32_t> words{};  // CPUID feature words in the order of cpu.h

  friend bool operator==(const Cpu&, const Cpu&) = default;
};

// The program's clocks at the moment of the checkpoint, as it reads them. ns.
struct Clock {
  int64_t monotonic_ns = 0;
  int64_t boottime_ns = 0;
  int64_t realtime_ns = 0;

  friend bool operator==(const Clock&, const Clock&) = default;
};

// A range of the address space with one set of properties.
struct Area {
  uint64_t start = 0;
  uint64_t length = 0;
  uint32_t protection = 0;  // PROT_*
  uint32_t flags = 0;       // MAP_*
  AreaKind kind = AreaKind::anonymous;
  uint32_t file = none;    // index of a FileRef
  uint64_t offset = 0;     // in the file or object
  uint32_t object = none;  // index of a MemoryObject
  std::string name{};      // PR_SET_VMA_ANON_NAME
  uint32_t advice = 0;     // area_advice_* bits

  friend bool operator==(const Area&, const Area&) = default;
};

struct FdEntry {
  int32_t fd = 0;
  uint32_t description = 0;  // index
  bool close_on_exec = false;

  friend bool operator==(const FdEntry&, const FdEntry&) = default;
};

// setrlimit(2).
struct Limit {
  uint32_t resource = 0;
  uint64_t soft = 0;
  uint64_t hard = 0;

  friend bool operator==(const Limit&, const Limit&) = default;
};

// sigaction(2); only those that are not SIG_DFL are listed.
struct Disposition {
  int32_t signal = 0;
  uint64_t handler = 0;
  uint64_t flags = 0;
  uint64_t mask = 0;
  uint64_t restorer = 0;

  friend bool operator==(const Disposition&, const Disposition&) = default;
};

// setitimer(2).
struct IntervalTimer {
  int32_t which = 0;
  int64_t next_ns = 0;  // ITIMER_REAL: program time; else CPU time left. 0: off
  int64_t interval_ns = 0;

  friend bool operator==(const IntervalTimer&, const IntervalTimer&) = default;
};

// timer_create(2).
struct PosixTimer {
  int32_t id = 0;
  int32_t clock = 0;
  int32_t notify = 0;  // SIGEV_*
  int32_t signal = 0;
  int32_t thread = 0;   // virtual tid (SIGEV_THREAD_ID)
  uint64_t value = 0;   // sigev_value
  int64_t next_ns = 0;  // program time of its clock; 0: disarmed
  int64_t interval_ns = 0;
  int32_t overrun = 0;

  friend bool operator==(const PosixTimer&, const PosixTimer&) = default;
};

struct Credentials {
  uint32_t uid = 0;
  uint32_t euid = 0;
  uint32_t suid = 0;
  uint32_t fsuid = 0;
  uint32_t gid = 0;
  uint32_t egid = 0;
  uint32_t sgid = 0;
  uint32_t fsgid = 0;
  std::vector<uint32_t> groups{};
  bool no_new_privileges = false;

  friend bool operator==(const Credentials&, const Credentials&) = default;
};

// What execve(2) gave the process and /proc tells of it.
struct Program {
  std::string exe{};
  std::vector<std::string> argv{};
  std::vector<std::string> envp{};
  Bytes auxv{};  // pairs of u64
  uint64_t argument_start = 0;
  uint64_t argument_end = 0;
  uint64_t environment_start = 0;
  uint64_t environment_end = 0;
  uint64_t brk_start = 0;
  uint64_t brk_end = 0;
  uint64_t vdso_address = 0;
  Bytes vdso_hash{};
  std::string comm{};
  uint32_t personality = 0;

  friend bool operator==(const Program&, const Program&) = default;
};

struct Process {
  int32_t pid = 0;  // virtual, as the next three
  int32_t ppid = 0;
  int32_t pgid = 0;
  int32_t sid = 0;
  uint32_t space = 0;  // the page space of its private memory; unique, not 0
  Program program{};
  std::string cwd{};
  std::string root{};
  uint32_t umask = 0;
  std::string name_space{};  // as ns commands
  Credentials credentials{};
  std::vector<Limit> limits{};
  std::vector<Disposition> dispositions{};
  std::vector<PendingSignal> pending{};  // to the process as a whole
  std::vector<IntervalTimer> interval_timers{};
  std::vector<PosixTimer> posix_timers{};
  std::vector<Thread> threads{};
  std::vector<Area> areas{};   // sorted by start
  std::vector<FdEntry> fds{};  // sorted by fd
  int32_t death_signal = 0;    // PR_SET_PDEATHSIG
  int32_t dumpable = 1;
  bool child_subreaper = false;
  int32_t exit_signal = 17;  // to the parent; 17: SIGCHLD

  friend bool operator==(const Process&, const Process&) = default;
};

struct Manifest {
  uint32_t interface_version = 0;  // what the image expects of the core: migrate::interface_version
  std::string core_version{};
  int64_t created_ns = 0;  // real time
  std::string host{};      // for people: kernel and machine
  uint32_t page_size = 4096;
  Cpu cpu{};
  Clock clock{};
  std::vector<Process> processes{};
  std::vector<FileRef> files{};
  std::vector<MemoryObject> objects{};
  std::vector<Pipe> pipes{};
  std::vector<Description> descriptions{};
  std::vector<Session> sessions{};
  std::vector<MemoryTree> trees{};  // from interface 2 on

  friend bool operator==(const Manifest&, const Manifest&) = default;
};

}  // namespace osp::migrate
