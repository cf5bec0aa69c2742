// Cache: what is answered before it is done: writes to open files, changes of what we made, and closing these (making
// is in making.cc). All of it is sent at once and in order; what fails is told at the next chance (docs/pip.md,
// "Leases").
#include <sys/stat.h>

#include "base/log.h"
#include "pip/cache/cache.h"
#include "pip/cache/replies.h"
#include "pip/client.h"
#include "pip/packing.h"

namespace osp::pip {
namespace {

constexpr size_t most_behind = 8U << 20;  // bytes

bool has(std::string_view mode, char letter) { return mode.find(letter) != std::string_view::npos; }

Answer error_answer(int error) { return make_answer({Rerror{.number = static_cast<uint32_t>(error)}}); }

}  // namespace

std::optional<Cache::Prediction> Cache::predict(const std::vector<Message>& messages) {
  // Opens must get through as well.
  if (messages.empty() || behind_size_ > most_behind || behind_.size() > below_.window() * 3 / 4) return std::nullopt;
  if (const auto* const open = std::get_if<Topen>(&messages[0])) {
    const auto* const write = messages.size() == 2 ? std::get_if<Twrite>(&messages[1]) : nullptr;
    if (write != nullptr) return predict_named_change(*open, *write);
    return messages.size() == 1 ? predict_path_open(*open) : std::nullopt;
  }
  if (messages.size() != 1) return std::nullopt;
  if (const auto* const create = std::get_if<Tcreate>(&messages[0])) return predict_create(*create);
  auto answer = predict_open_file(messages);
  if (!answer) return std::nullopt;
  const uint32_t fid = fid_of(messages[0]);
  return Prediction{.answer = std::move(*answer), .path = path_of(fid), .opening = fids_.at(fid).opening};
}

std::optional<Answer> Cache::predict_open_file(const std::vector<Message>& messages) {
  const auto* const write = std::get_if<Twrite>(&messages[0]);
  const auto* const clunk = std::get_if<Tclunk>(&messages[0]);
  if (write == nullptr && clunk == nullptr) return std::nullopt;
  const auto found = fids_.find(write != nullptr ? write->fid : clunk->fid);
  if (found == fids_.end() || found->second.is_here) return std::nullopt;
  if (write != nullptr && !write->attr.empty()) return predict_change(*write, found->second);
  if (!S_ISREG(found->second.file_mode)) return std::nullopt;
  if (clunk != nullptr) return clunk->version == 0 ? predict_clunk(found->second) : std::nullopt;
  return predict_write(*write, found->second);
}

// Where the data will be must be known, so not at the end.
std::optional<Answer> Cache::predict_write(const Twrite& write, OpenFile& file) {
  if (!has(file.mode, 'w') || has(file.mode, 'a') || write.offset == append_offset) return std::nullopt;
  const uint64_t end = write.offset + write.dat.size();
  if (end < write.offset || end > INT64_MAX) return std::nullopt;
  file.is_written = true;
  return make_answer({Rwrite{.count = static_cast<uint32_t>(write.dat.size()), .offset = end}});
}

// Whatever an owner may do; to its own owner and group it can always be given.
bool Cache::is_owners(const Twrite& write, const Attributes& file, bool may_resize) {
  const auto change = write.attr == "stat" ? unpack_change(write.dat) : fail(EINVAL);
  if (!change || (change->has_size && (!may_resize || change->size > INT64_MAX))) return false;
  if (change->has_mode && S_ISLNK(file.mode)) return false;
  return (!change->has_uid || change->uid == file.uid) && (!change->has_gid || change->gid == file.gid);
}

// Of a file that we made.
std::optional<Answer> Cache::predict_change(const Twrite& write, OpenFile& file) {
  if (!file.is_ours || !is_owners(write, file.attributes, has(file.mode, 'w'))) return std::nullopt;
  file.is_written = true;
  return make_answer({Rwrite{.count = static_cast<uint32_t>(write.dat.size()), .offset = 0}});
}

// What has been written is then known as it is, too, if somebody asks later.
std::vector<Message> Cache::with_stat(const std::vector<Message>& messages) const {
  const auto* const clunk = messages.size() == 1 ? std::get_if<Tclunk>(&messages[0]) : nullptr;
  const auto file = clunk != nullptr ? fids_.find(clunk->fid) : fids_.end();
  if (file == fids_.end() || !S_ISREG(file->second.file_mode)) return messages;
  return {Tread{.fid = clunk->fid, .offset = 0, .count = 4096, .attrs = "stat"}, *clunk};
}

std::optional<Answer> Cache::predict_clunk(const OpenFile& file) {
  return file.is_written ? std::optional(make_answer({Rclunk{}})) : std::nullopt;
}

// What went wrong after it was answered: told by the next use of the file, or if there is none, by the next close or
// fsync.
std::optional<Answer> Cache::late_error(const std::vector<Message>& messages) {
  if (messages.size() != 1) return std::nullopt;
  const auto* const write = std::get_if<Twrite>(&messages[0]);
  const auto* const clunk = std::get_if<Tclunk>(&messages[0]);
  const auto* const commit = std::get_if<Tcommit>(&messages[0]);
  const auto found = fids_.find(fid_of(messages[0]));
  if (found == fids_.end()) return std::nullopt;
  if (found->second.is_lost) return error_answer(found->second.error);
  if (write == nullptr && clunk == nullptr && commit == nullptr) return std::nullopt;
  if (const int error = std::exchange(found->second.error, 0); error != 0) return error_answer(error);
  const bool tells = write == nullptr && has(found->second.mode, 'w');
  if (const int error = tells ? take_failure().error : 0; error != 0) return error_answer(error);
  return std::nullopt;
}

std::vector<std::string> Cache::behind() const {
  std::set<std::string> paths;
  for (const auto& [tag, path] : behind_) paths.insert(path);
  return {paths.begin(), paths.end()};
}

void Cache::send_behind(Pending pending, Behind what) {
  behind_.emplace(pending.below, what.path);
  behind_size_ += what.size;
  spawn_([this, alive = alive_, what = std::move(what), kept = std::make_shared<Pending>(std::move(pending))] {
    if (!*alive) return;
    if (kept->opening != 0) end_opening(*kept);
    auto answer = below_.wait(kept->below);
    if (!*alive) return;
    behind_.erase(kept->below);
    behind_size_ -= what.size;
    if (kept->listing) --listings_;
    arrived(*kept);
    end_behind(answer ? error_in(*answer, what) : answer.error().code, what);
    if (answer) learn_behind(*kept, what, std::move(*answer));
    trim_changes();
    on_idle_();
  });
}

// What is not all written is not written: the server has no room, and says so only to the next.
int Cache::error_in(const Answer& answer, const Behind& what) {
  if (answer.replies.empty()) return EIO;
  const bool has_listing = what.making != 0 && answer.replies.size() > 1;
  const Message& reply = has_listing ? answer.replies[0] : answer.replies.back();
  if (const auto error = error_of(reply)) return error->code;
  const auto* const write = std::get_if<Rwrite>(&reply);
  return write != nullptr && write->count < what.size ? ENOSPC : 0;
}

void Cache::end_behind(int error, const Behind& what) {
  const bool is_lost = lost_.contains(what.opening);  // what follows fails as well, and says nothing new
  if (behind_.empty()) lost_.clear();
  if (error == 0 || is_lost) return;
  log::error("cache", "'{}' was not written as it should: {}", what.path, describe(Error(error)));
  const auto file = fids_.find(what.fid);
  if (file != fids_.end() && file->second.path == what.path) {
    if (file->second.error == 0) file->second.error = error;
    file->second.is_lost = file->second.is_lost || what.makes_fid;
  } else if (failure_.error == 0) {
    failure_ = {.error = error, .path = what.path};
  }
  if (what.makes_fid) lost_.insert(what.opening);
}

// Answers come in their order, so what was written before has told by now.
std::optional<Answer> Cache::error_before(const Pending& pending) {
  if (pending.tells == no_fid) return std::nullopt;
  const auto file = fids_.find(pending.tells);
  int error = file != fids_.end() ? std::exchange(file->second.error, 0) : 0;
  if (error == 0 && pending.commits) error = take_failure().error;
  return error != 0 ? std::optional(error_answer(error)) : std::nullopt;
}

}  // namespace osp::pip
