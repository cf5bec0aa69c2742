#pragma once

#include <map>
#include <string>
#include <vector>

#include "tools/keeper_process.h"

namespace osp::keeper {

// One group of a process on its way to the server and back: fids get the session's numbers, and what concerns pages is
// done to them too. Runs in a job.
class Group {
 public:
  Group(Process& process, Tree& tree, PageCache& pages) : process_(process), tree_(tree), pages_(pages) {}

  // Takes the messages (views into the caller's memory) and returns the Rgroup's body. EBADF, EBADMSG; ESTALE.
  Result<std::string> run(std::vector<pip::Message> messages);

 private:
  struct Step {
    FidPtr fid;                   // that the message acts on, or makes
    uint32_t made = pip::no_fid;  // the process's number for what it makes
    bool answered_here = false;   // a clunk of what other processes have too
  };

  // Puts the session's numbers in, and notes what the message is.
  Result<void> translate(pip::Message& message);
  template <class T>
  Result<void> translate_one(T& message, Step& step);
  Result<void> act_on(uint32_t& number, Step& step);
  void make(uint32_t& number, Step& step, std::string_view mode);
  Result<void> clunk(pip::Tclunk& message, Step& step);
  void ask_version();

  void take_reply(size_t index, const pip::Message& request, pip::Message& reply);
  void opened(const Step& step, std::string_view attributes);
  void written(const Step& step, const pip::Twrite& request, const pip::Rwrite& reply);

  Process& process_;
  Tree& tree_;
  PageCache& pages_;
  std::vector<pip::Message> messages_;
  std::vector<Step> steps_;
  std::map<uint32_t, FidPtr> fresh_;  // made in this group, by the process's number
  PageFilePtr changed_pages_;         // whose version is asked for at the end
  FidPtr changed_fid_;
  bool mutates_ = false;
};

}  // namespace osp::keeper
