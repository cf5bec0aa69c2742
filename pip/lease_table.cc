#include "pip/lease_table.h"

#include <algorithm>

#include "pip/access.h"

namespace osp::pip {
namespace {

// Whether our own doing makes such a change.
bool explains(const Footprint& own, const TreeChange& change) {
  const auto is_entry = [&](const std::string& path) {
    return directory_of(path) == change.directory && name_of(path) == change.name;
  };
  const auto is_itself = [&](const std::string& path) { return change.name.empty() && path == change.directory; };
  const auto is_tree = [&](const std::string& path) { return is_entry(path) || is_within(change.directory, path); };
  if (std::ranges::any_of(own.trees, is_tree)) return true;
  return !change.is_whole && (std::ranges::any_of(own.files, is_entry) || std::ranges::any_of(own.names, is_entry) ||
                              std::ranges::any_of(own.files, is_itself));
}

}  // namespace

uint64_t LeaseTable::grant(uint32_t ssid, const std::string& path) {
  std::set<uint64_t>& here = by_path_[path];
  for (const uint64_t number : here) {
    const Lease& lease = leases_.at(number);
    if (lease.is_recalled) return 0;  // somebody is about to change it
    if (lease.ssid == ssid) return number;
    if (lease.is_exclusive) return wanted_.push_back(number), 0;
  }
  const bool is_first = here.empty();
  std::set<uint64_t>& of_session = by_session_[ssid];
  if (of_session.size() >= most_of_session || leases_.size() >= most ||
      (is_first && watch_ != nullptr && !watch_->watch(path))) {
    if (is_first) by_path_.erase(path);
    return 0;
  }
  const uint64_t number = ++last_number_;
  here.insert(number);
  of_session.insert(number);
  leases_[number] = {.number = number, .ssid = ssid, .path = path};
  return number;
}

bool LeaseTable::make_exclusive(uint32_t ssid, std::string_view path) {
  const auto here = by_path_.find(path);
  if (here == by_path_.end() || here->second.size() != 1) return false;
  Lease& lease = leases_.at(*here->second.begin());
  if (lease.ssid != ssid || lease.is_recalled) return false;
  return lease.is_exclusive = true;
}

bool LeaseTable::has(uint32_t ssid, std::string_view path) const {
  const auto here = by_path_.find(path);
  return here != by_path_.end() &&
         std::ranges::any_of(here->second, [&](uint64_t number) { return leases_.at(number).ssid == ssid; });
}

void LeaseTable::erase(uint64_t number) {
  ++ended_;
  const auto found = leases_.find(number);
  const auto here = by_path_.find(found->second.path);
  here->second.erase(number);
  if (here->second.empty()) {
    if (watch_ != nullptr) watch_->unwatch(here->first);
    by_path_.erase(here);
  }
  if (const auto session = by_session_.find(found->second.ssid); session != by_session_.end()) {
    session->second.erase(number);
    if (session->second.empty()) by_session_.erase(session);
  }
  leases_.erase(found);
}

void LeaseTable::release(uint32_t ssid, uint64_t number) {
  const auto found = leases_.find(number);
  if (found != leases_.end() && found->second.ssid == ssid) erase(number);
}

bool LeaseTable::drop(uint32_t ssid) {
  bool had_some = hold_all_.erase(ssid) > 0;
  if (had_some) ++ended_;
  for (const Lease* lease : of_session(ssid)) {
    erase(lease->number);
    had_some = true;
  }
  return had_some;
}

void LeaseTable::drop_trees(uint32_t ssid, const Footprint& footprint) {
  std::vector<Lease*> found;
  for (const std::string& path : footprint.trees) {
    const auto is_own = [&](uint64_t number) { return leases_.at(number).ssid == ssid; };
    for (auto at = by_path_.lower_bound(path); at != by_path_.end() && at->first.starts_with(path); ++at)
      for (const uint64_t number : at->second)
        if (is_own(number) && is_within(at->first, path)) found.push_back(&leases_.at(number));
  }
  std::set<uint64_t> numbers;
  for (const Lease* lease : found) numbers.insert(lease->number);
  for (const uint64_t number : numbers) erase(number);
}

void LeaseTable::add_at(uint32_t ssid, std::string_view path, std::vector<Lease*>& out) {
  const auto here = by_path_.find(path);
  if (here == by_path_.end()) return;
  for (const uint64_t number : here->second) {
    Lease& lease = leases_.at(number);
    if (ssid == 0 || lease.ssid != ssid) out.push_back(&lease);
  }
}

void LeaseTable::add_below(uint32_t ssid, std::string_view path, std::vector<Lease*>& out) {
  for (auto at = by_path_.lower_bound(path); at != by_path_.end() && at->first.starts_with(path); ++at)
    if (is_within(at->first, path)) add_at(ssid, at->first, out);
}

std::vector<LeaseTable::Lease*> LeaseTable::in_the_way(uint32_t ssid, const Footprint& footprint) {
  std::vector<Lease*> found;
  if (footprint.is_anywhere) add_below(ssid, "", found);
  for (const auto* paths : {&footprint.files, &footprint.names}) {
    for (const std::string& path : *paths) {
      add_at(ssid, directory_of(path), found);
      add_at(ssid, path, found);
    }
  }
  for (const std::string& path : footprint.trees) {
    add_at(ssid, directory_of(path), found);
    add_below(ssid, path, found);
  }
  return found;
}

std::vector<uint32_t> LeaseTable::holders_of_all(uint32_t ssid) const {
  std::vector<uint32_t> others;
  std::ranges::copy_if(hold_all_, std::back_inserter(others), [ssid](uint32_t holder) { return holder != ssid; });
  return others;
}

std::vector<LeaseTable::Lease*> LeaseTable::changed(const std::vector<TreeChange>& changes, const Footprint& own,
                                                    uint32_t by) {
  std::vector<Lease*> found;
  for (const TreeChange& change : changes) {
    // None of others' is left where we do something, so what they have there was changed by somebody else.
    const uint32_t but = explains(own, change) ? by : 0;
    if (change.is_whole) {
      add_below(but, change.directory, found);
    } else {
      add_at(but, change.directory, found);
    }
  }
  return found;
}

LeaseTable::Lease* LeaseTable::find(uint64_t number) {
  const auto found = leases_.find(number);
  return found == leases_.end() ? nullptr : &found->second;
}

std::vector<LeaseTable::Lease*> LeaseTable::of_session(uint32_t ssid) {
  std::vector<Lease*> found;
  if (const auto session = by_session_.find(ssid); session != by_session_.end())
    for (const uint64_t number : session->second) found.push_back(&leases_.at(number));
  return found;
}

}  // namespace osp::pip
