// Cache: what is answered before it is done: writes to open files, changes of what we made, and closing these. All of
// it is sent at once and in order; what fails is told at the next chance (docs/pip.md, "Leases").
#include <sys/stat.h>

#include "base/log.h"
#include "pip/cache/cache.h"
#include "pip/cache/replies.h"
#include "pip/client.h"
#include "pip/packing.h"

namespace osp::pip {
namespace {

constexpr size_t most_behind = 8U << 20;  // bytes
constexpr size_t most_groups = 24;        // of a server's window of 64: opens must get through as well

bool has(std::string_view mode, char letter) { return mode.find(letter) != std::string_view::npos; }

Answer error_answer(int error) { return make_answer({Rerror{.number = static_cast<uint32_t>(error)}}); }

}  // namespace

std::optional<Answer> Cache::predict(const std::vector<Message>& messages) {
  if (messages.size() != 1 || behind_size_ > most_behind || behind_.size() > most_groups) return std::nullopt;
  const auto* const write = std::get_if<Twrite>(&messages[0]);
  const auto* const clunk = std::get_if<Tclunk>(&messages[0]);
  if (write == nullptr && clunk == nullptr) return std::nullopt;
  const auto found = fids_.find(write != nullptr ? write->fid : clunk->fid);
  if (found == fids_.end() || found->second.is_here || !S_ISREG(found->second.file_mode)) return std::nullopt;
  if (clunk != nullptr) return clunk->version == 0 ? predict_clunk(found->second) : std::nullopt;
  return write->attr.empty() ? predict_write(*write, found->second) : predict_change(*write, found->second);
}

// Where the data will be must be known, so not at the end.
std::optional<Answer> Cache::predict_write(const Twrite& write, OpenFile& file) {
  if (!has(file.mode, 'w') || has(file.mode, 'a') || write.offset == append_offset) return std::nullopt;
  const uint64_t end = write.offset + write.dat.size();
  if (end < write.offset || end > INT64_MAX) return std::nullopt;
  file.is_written = true;
  return make_answer({Rwrite{.count = static_cast<uint32_t>(write.dat.size()), .offset = end}});
}

// Of a file that we made, whatever its owner may do; to its own owner and group it can always be given.
std::optional<Answer> Cache::predict_change(const Twrite& write, OpenFile& file) {
  const auto change = write.attr == "stat" ? unpack_change(write.dat) : fail(EINVAL);
  if (!change || !file.is_ours || (change->has_size && !has(file.mode, 'w'))) return std::nullopt;
  if (change->has_size && change->size > INT64_MAX) return std::nullopt;
  if ((change->has_uid && change->uid != file.attributes.uid) ||
      (change->has_gid && change->gid != file.attributes.gid))
    return std::nullopt;
  file.is_written = true;
  return make_answer({Rwrite{.count = static_cast<uint32_t>(write.dat.size()), .offset = 0}});
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
  if (write == nullptr && clunk == nullptr && commit == nullptr) return std::nullopt;
  const auto found = fids_.find(write != nullptr ? write->fid : clunk != nullptr ? clunk->fid : commit->fid);
  if (found == fids_.end()) return std::nullopt;
  if (const int error = std::exchange(found->second.error, 0); error != 0) return error_answer(error);
  const bool tells = write == nullptr && has(found->second.mode, 'w');
  if (const int error = tells ? std::exchange(late_error_, 0) : 0; error != 0) return error_answer(error);
  return std::nullopt;
}

void Cache::send_behind(Pending pending, Behind what) {
  behind_.insert(pending.below);
  behind_size_ += what.size;
  spawn_([this, alive = alive_, what = std::move(what), kept = std::make_shared<Pending>(std::move(pending))] {
    if (!*alive) return;
    const auto answer = below_.wait(kept->below);
    if (!*alive) return;
    behind_.erase(kept->below);
    behind_size_ -= what.size;
    arrived(*kept);
    end_behind(answer ? error_in(*answer, what) : answer.error().code, what);
    for (const Note& note : kept->notes) {
      change(note.changes);
      tree_.forget_file(note.id);
    }
    trim_changes();
    on_idle_();
  });
}

// What is not all written is not written: the server has no room, and says so only to the next.
int Cache::error_in(const Answer& answer, const Behind& what) {
  const Message* const reply = answer.replies.empty() ? nullptr : &answer.replies[0];
  if (reply == nullptr) return EIO;
  if (const auto error = error_of(*reply)) return error->code;
  const auto* const write = std::get_if<Rwrite>(reply);
  if (write == nullptr) return std::holds_alternative<Rclunk>(*reply) ? 0 : EIO;
  return write->count < what.size ? ENOSPC : 0;
}

void Cache::end_behind(int error, const Behind& what) {
  if (error == 0) return;
  log::error("cache", "'{}' was not written as it should: {}", what.path, describe(Error(error)));
  const auto file = fids_.find(what.fid);
  if (file != fids_.end() && file->second.path == what.path) {
    file->second.error = error;
  } else {
    late_error_ = error;
  }
}

// Answers come in their order, so what was written before has told by now.
std::optional<Answer> Cache::error_of_commit(uint32_t fid) {
  const auto file = fids_.find(fid);
  int error = file != fids_.end() ? std::exchange(file->second.error, 0) : 0;
  if (error == 0) error = std::exchange(late_error_, 0);
  return error != 0 ? std::optional(error_answer(error)) : std::nullopt;
}

}  // namespace osp::pip
