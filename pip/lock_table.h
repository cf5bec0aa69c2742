#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "pip/range_locks.h"

namespace osp::pip {

// Which session has which locks (docs/pip.md, "Locks"). A session holds locks for all of its programs, and more than
// these have while nobody else wants them; it is asked before it is taken to need them. Nothing here blocks.
class LockTable {
 public:
  // The fid that a session locks a file by.
  struct Holder {
    uint32_t ssid = 0;
    uint32_t fid = 0;
    auto operator<=>(const Holder&) const = default;
  };
  enum class State : uint8_t { granted = 0, in_use = 1, asked_for = 2 };
  struct Answer {
    State state = State::granted;
    LockRange range{};  // what was granted, which may be more; or what stands against it
  };
  // To be told to a session: that a lock is asked for (Tunlock), or that what it was refused may be had now (Tretry).
  struct News {
    Holder to;
    LockKind kind = LockKind::range;
    bool is_retry = false;
  };
  static constexpr size_t most_of_session = 65536;  // pieces

  using Reachable = std::function<bool(uint32_t ssid)>;

  // Locks a range of the file `id`, or gives it back (none). More than was asked for is granted where nobody else has
  // anything, up to `most`. Who is refused is told when to try again. ENOLCK: it would have too many pieces.
  Result<Answer> lock(Holder holder, uint64_t id, LockKind kind, const LockRange& wanted, LockType most,
                      const Reachable& is_reachable);
  // The answer to a Tunlock: what its programs have. More than it held it has not. False: nobody has asked.
  bool keep(Holder holder, uint64_t id, LockKind kind, const RangeLocks& left);
  // The fid is gone.
  void drop(Holder holder, uint64_t id);
  // As it was before a restart.
  void restore(Holder holder, uint64_t id, LockKind kind, const RangeLocks& held);
  [[nodiscard]] const RangeLocks* held(Holder holder, uint64_t id, LockKind kind) const;

  // Each once.
  std::vector<News> take_news() { return std::exchange(news_, {}); }
  // What the session was asked for and has not answered.
  [[nodiscard]] std::vector<News> unanswered(uint32_t ssid) const;

 private:
  struct Held {
    RangeLocks locks;
    bool is_asked = false;  // a Tunlock is on its way
    bool is_exact = false;  // it holds no more than its programs have, and says so when they have less
  };
  using Key = std::pair<uint64_t, LockKind>;
  struct File {
    std::map<Holder, Held> holders;
    std::set<Holder> refused;
  };

  void ask(const Holder& holder, LockKind kind, Held& held);
  void tell_refused(File& file, const Holder& by, LockKind kind);
  void drop_empty(const Key& key);
  // Of all files and kinds, so that no session can fill the memory.
  void count(const Holder& holder, size_t before, size_t after);
  static LockRange widest(const File& file, const Holder& holder, const LockRange& wanted, LockType most);

  std::map<Key, File> files_;
  std::map<uint32_t, size_t> pieces_;  // by ssid
  std::vector<News> news_;
};

}  // namespace osp::pip
