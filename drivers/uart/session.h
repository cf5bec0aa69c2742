#pragma once

#include <functional>
#include <list>

#include "drivers/uart/group.h"

namespace osp::uart {

// A client's open files and unanswered groups. Nothing a client sends does harm to another, nor to the driver.
class Session {
 public:
  static constexpr size_t most_groups = 32;
  // The body of an answer to the group that began with this ticket; empty: what began was no group.
  using Answered = std::function<void(uint64_t ticket, std::string_view body)>;

  // Takes a group, which is answered in a later round. False: it was none, or there are too many.
  [[nodiscard]] bool begin(std::string body, uint32_t room, uint64_t ticket);
  void advance(const Tree& tree, Round& round, const Answered& answered);
  // Whether to look again soon, though no interrupt will tell.
  [[nodiscard]] bool waits_for_the_line() const;

 private:
  struct Waiting {
    std::unique_ptr<Group> group;
    uint64_t ticket;
  };
  void pass(const Tree& tree, Round& round, const Answered& answered);

  Fids fids_;
  std::list<Waiting> groups_;  // in the order in which they came
};

}  // namespace osp::uart
