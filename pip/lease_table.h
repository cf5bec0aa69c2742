#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "pip/change_watch.h"
#include "pip/footprint.h"

namespace osp::pip {

// Who is to be asked before a directory changes. A lease covers a directory's own attributes, its names, and the
// attributes and contents of what has them, but not of directories among those. Nothing here blocks.
class LeaseTable {
 public:
  // `watch`: the caller's; null: nobody but this server changes the tree.
  explicit LeaseTable(ChangeWatch* watch = nullptr) : watch_(watch) {}
  // Numbers are given from here on.
  void begin_at(uint64_t number) { last_number_ = number; }
  LeaseTable(const LeaseTable&) = delete;
  LeaseTable& operator=(const LeaseTable&) = delete;

  static constexpr size_t most_of_session = 8192;
  static constexpr size_t most = 65536;  // of all sessions: the watches are the machine's

  struct Lease {
    uint64_t number = 0;
    uint32_t ssid = 0;
    std::string path{};
    bool is_exclusive = false;  // no other session is given one beside it
    bool is_recalled = false;
    uint64_t recalled_s = 0;  // when
  };

  // The session's lease on a directory. 0: it can have none, now.
  uint64_t grant(uint32_t ssid, const std::string& path);
  // Makes the session's lease the only one that there may be: what it makes there, nobody else makes first. False: it
  // has none, or others have.
  bool make_exclusive(uint32_t ssid, std::string_view path);
  // The exclusive leases that others have asked for beside them, each once.
  std::vector<uint64_t> take_wanted() { return std::exchange(wanted_, {}); }
  [[nodiscard]] bool has(uint32_t ssid, std::string_view path) const;
  void release(uint32_t ssid, uint64_t number);
  // All that the session has; true: it had some.
  bool drop(uint32_t ssid);
  // What it has at and below these paths: its own doing ends them.
  void drop_trees(uint32_t ssid, const Footprint& footprint);
  // As if the session had one on everything, since nobody knows any more what it had; until it comes back.
  void hold_all(uint32_t ssid) { hold_all_.insert(ssid); }
  [[nodiscard]] bool holds_all(uint32_t ssid) const { return hold_all_.contains(ssid); }
  void end_hold_all(uint32_t ssid) { ended_ += hold_all_.erase(ssid); }

  // How many have ended: what waited may go on when this has grown.
  [[nodiscard]] uint64_t ended() const { return ended_; }
  [[nodiscard]] bool is_empty() const { return leases_.empty() && hold_all_.empty(); }
  // The leases of sessions other than `ssid` (0: of all) that such a change takes away.
  std::vector<Lease*> in_the_way(uint32_t ssid, const Footprint& footprint);
  // Other sessions that are as if they had them all.
  [[nodiscard]] std::vector<uint32_t> holders_of_all(uint32_t ssid) const;
  // Those that changes take away; of the session `by`, not those that are explained by what it did meanwhile, `own`.
  std::vector<Lease*> changed(const std::vector<TreeChange>& changes, const Footprint& own, uint32_t by);
  std::vector<Lease*> of_session(uint32_t ssid);
  // Null: there is none.
  Lease* find(uint64_t number);
  [[nodiscard]] ChangeWatch* watch() const { return watch_; }

 private:
  void erase(uint64_t number);
  void add_at(uint32_t ssid, std::string_view path, std::vector<Lease*>& out);
  void add_below(uint32_t ssid, std::string_view path, std::vector<Lease*>& out);

  ChangeWatch* watch_;
  uint64_t last_number_ = 0;
  uint64_t ended_ = 0;
  std::unordered_map<uint64_t, Lease> leases_;
  std::map<std::string, std::set<uint64_t>, std::less<>> by_path_;
  std::map<uint32_t, std::set<uint64_t>> by_session_;
  std::set<uint32_t> hold_all_;
  std::vector<uint64_t> wanted_;
};

}  // namespace osp::pip
