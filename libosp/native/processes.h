#pragma once

#include <sys/resource.h>
#include <sys/wait.h>

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "libosp/task/environment.h"
#include "libosp/task/process.h"
#include "libosp/task/wait_queue.h"

namespace osp::native {

// Whether a process has ended: outlives what is known of it, for pidfds.
struct Ending {
  bool happened = false;
  task::WaitQueue changed;
};

// What is known of a process besides what task::Process has; it stays for wait(2) when that has gone.
struct Member {
  int pid = 0, parent = 0, group = 0, session = 0;
  std::unique_ptr<task::Process> process;  // null: a zombie
  int wait_status = 0;                     // of a zombie
  uid_t uid = 0;
  bool executed = false;  // since it was forked: setpgid(2)
  bool stopped = false;
  int stop_signal = 0;
  bool stop_untold = false, continue_untold = false;  // not yet seen by wait(2)
  bool is_awaited = false;                            // between vfork and exec
  bool is_subreaper = false;                          // PR_SET_CHILD_SUBREAPER
  int parent_death_signal = 0;                        // PR_SET_PDEATHSIG
  uint64_t started_ns = 0;                            // CLOCK_MONOTONIC of the host
  int nice = 0;                                       // told, and of no effect as yet
  rusage usage = {};               // of its children that were waited for; of a zombie, its own besides
  bool no_new_privileges = false;  // PR_SET_NO_NEW_PRIVS, of no effect: nothing is setuid
  task::WaitQueue children_changed, went_on, gave_back;
  std::shared_ptr<Ending> ending = std::make_shared<Ending>();

  [[nodiscard]] bool is_zombie() const { return process == nullptr; }
};

// Which children wait(2) asks for, and what has become of one.
struct WaitFor {
  enum class Who { any, pid, group } who = Who::any;
  int id = 0;
  bool exited = true, stopped = false, continued = false, keep = false;
};
struct Change {
  int pid = 0;
  uid_t uid = 0;
  int wait_status = 0;  // as of wait(2)
  rusage usage = {};
};

// Who hears of the first process, which is the machine's: its stop, and its end before that is the machine's.
class FirstProcess {
 public:
  virtual ~FirstProcess() = default;
  virtual void stopped() = 0;
  virtual void ending() = 0;
};

// getrusage(2) of a process in whose space the worker is.
rusage usage_of(const task::Process& process);
void add_usage(rusage& to, const rusage& more);

// fork(2), clone(2) with CLONE_VFORK, and with CLONE_VM too (vfork(2)).
enum class Birth : uint8_t { plain, awaited, borrows };

// All processes of the environment. The first one's end is the end of the machine; its parent, pid 1, is not here, and
// takes in orphans that no subreaper is for; it does not wait for them. Core only: one worker, nothing is signal-safe.
class Processes final : public task::Environment {
 public:
  static constexpr int first_pid = 2;  // of the first process

  // The first process. Borrowed for ever: there is one table.
  task::Process& begin();
  // Lives as long as the table.
  void set_watcher(FirstProcess& watcher) { watcher_ = &watcher; }
  static Processes& of(const task::Process& process);

  // fork(2), vfork(2): the child runs with a copy of the caller's registers but for rax 0, which `prepare` may change
  // before it runs; `made` is called at once. EAGAIN ENOMEM. Unless `birth` is plain, parks until the child
  // has executed a program or ended.
  long fork(task::Thread& thread, Birth birth, const std::function<void(task::Thread& child)>& prepare,
            const std::function<void(const Member& child)>& made);

  Member* find(int pid);
  Member& member(const task::Process& process) { return *members_.at(process.pid); }
  int new_id();

  // Looks for a change among the children of `parent`: ECHILD: there is none to wait for. Nothing: no change yet.
  Result<std::optional<Change>> look(Member& parent, const WaitFor& wanted);

  // A signal on its way to a process, with what it does besides: SIGCONT and SIGKILL let a stopped one go on.
  void post(Member& to, const siginfo_t& info);
  // To all of a group; whether there is one.
  bool post_to_group(int group, const siginfo_t& info);
  [[nodiscard]] std::vector<Member*> group(int id);
  [[nodiscard]] std::vector<Member*> all();

  void ended(task::Process& process, int wait_status) override;
  void stopped(task::Process& process, int signo) override;
  bool stay(task::Thread& thread) override;
  void gave_memory_back(task::Process& process) override;
  void each_process(const std::function<void(task::Process&)>& see) override;
  std::string proc_text(const task::Process& process, std::string_view file) override;

 private:
  Member& add(std::unique_ptr<task::Process> process, int parent);
  Result<std::unique_ptr<task::Process>> copy(task::Thread& thread, bool borrows, int pid);
  void tell_parent(const Member& child, int code, int status);
  void tell_parent_of_end(const Member& child);
  [[nodiscard]] bool is_wanted(const Member& zombie);
  void forget(int pid);
  [[nodiscard]] int reaper_for(const Member& gone);
  void leave_children(const Member& gone);
  void go_on(Member& member);

  std::map<int, std::unique_ptr<Member>> members_;
  std::vector<std::unique_ptr<task::Process>> gone_;  // freed when the next one ends
  FirstProcess* watcher_ = nullptr;
  int next_id_ = first_pid - 1;
};

}  // namespace osp::native
