#include "tools/keeper_group.h"

#include <sys/stat.h>

#include "pip/packing.h"

namespace osp::keeper {
namespace {

using namespace pip;

constexpr OptionSet options = OptionSet::all();
constexpr size_t length_size = 4;

bool has_letter(std::string_view mode, char letter) { return mode.find(letter) != std::string_view::npos; }

}  // namespace

Result<void> Group::act_on(uint32_t& number, Step& step) {
  if (const auto fresh = fresh_.find(number); fresh != fresh_.end()) {
    step.fid = fresh->second;
  } else if (const Process::Held* held = process_.find(tree_.number, number)) {
    step.fid = held->fid;
  } else {
    return fail(EBADF);
  }
  number = step.fid->number;
  return {};
}

void Group::make(uint32_t& number, Step& step, std::string_view mode) {
  if (number == no_fid) return;
  step.made = number;
  step.fid = fresh_[number] = std::make_shared<Fid>(tree_);
  step.fid->can_write = has_letter(mode, 'w') || has_letter(mode, 'a');
  number = step.fid->number;
}

// The last holder's clunk goes to the server; others only let go.
Result<void> Group::clunk(Tclunk& message, Step& step) {
  if (const auto fresh = fresh_.find(message.fid); fresh != fresh_.end()) {
    step.fid = fresh->second;
  } else {
    step.fid = process_.take(tree_.number, message.fid);
    if (step.fid == nullptr) return fail(EBADF);
    step.answered_here = step.fid.use_count() > 1;
  }
  message.fid = step.fid->number;
  return {};
}

template <class T>
Result<void> Group::translate_one(T& m, Step& step) {
  if constexpr (std::is_same_v<T, Tattach>) {
    make(m.fid, step, "");
    return {};
  } else if constexpr (std::is_same_v<T, Topen>) {
    OSP_TRY(act_on(m.fid, step));
    make(m.nfid, step, m.mode);
    mutates_ = mutates_ || has_letter(m.mode, 't');
    return {};
  } else if constexpr (std::is_same_v<T, Tcreate>) {
    mutates_ = true;
    OSP_TRY(act_on(m.fid, step));
    make(m.nfid, step, m.mode);
    return {};
  } else if constexpr (std::is_same_v<T, Tclunk>) {
    return clunk(m, step);
  } else if constexpr (std::is_same_v<T, Tread> || std::is_same_v<T, Tcommit>) {
    return act_on(m.fid, step);
  } else if constexpr (std::is_same_v<T, Twrite> || std::is_same_v<T, Tremove>) {
    mutates_ = true;
    return act_on(m.fid, step);
  } else if constexpr (std::is_same_v<T, Trename> || std::is_same_v<T, Tlink>) {
    mutates_ = true;
    OSP_TRY(act_on(m.dfid, step));
    return act_on(m.fid, step);
  } else if constexpr (std::is_same_v<T, Tping> || std::is_same_v<T, Tflush>) {
    return {};
  } else {
    return fail(EPROTO);
  }
}

Result<void> Group::translate(Message& message) {
  Step step;
  OSP_TRY(std::visit([&](auto& m) { return translate_one(m, step); }, message));
  if (step.answered_here) message = Tping{};
  if (std::holds_alternative<Twrite>(message) && step.fid->is_regular)
    if (PageFilePtr pages = pages_.find(step.fid)) changed_pages_ = pages, changed_fid_ = step.fid;
  steps_.push_back(std::move(step));
  return {};
}

// A file with pages that this group changes: its version is then known to be our own doing.
void Group::ask_version() {
  if (changed_pages_) messages_.emplace_back(ask_attributes(*changed_fid_));
}

Result<std::string> Group::run(std::vector<Message> messages) {
  messages_ = std::move(messages);
  OSP_TRY(pages_.flush(&tree_));
  for (Message& message : messages_) OSP_TRY(translate(message));
  const size_t count = messages_.size();
  ask_version();
  const bool all_here = count == 1 && steps_[0].answered_here;
  Answer answer;
  if (all_here) {
    answer.replies.emplace_back(Rping{});
  } else {
    OSP_ASSIGN(answer, tree_.channel->exchange(messages_));
  }
  for (size_t i = 0; i < answer.replies.size() && i < count; ++i) take_reply(i, messages_[i], answer.replies[i]);
  if (answer.replies.size() > count) {
    if (const auto attributes = attributes_in(answer, count)) changed_pages_->set_version(attributes->version);
    answer.replies.resize(count);
  }
  if (mutates_) tree_.changed();
  std::string packet;
  OSP_TRY(encode_group(Rgroup{}, answer.replies, options, shm::area_size, packet));
  return packet.substr(length_size);
}

void Group::opened(const Step& step, std::string_view packed) {
  const auto attributes = unpack_attributes(packed);
  if (!attributes) return;
  step.fid->id = attributes->id;
  step.fid->opened_at = pages_.made();
  step.fid->is_regular = S_ISREG(attributes->mode);
  if (PageFilePtr pages = pages_.find(tree_, attributes->id)) pages->meet(attributes->version, attributes->size);
}

void Group::written(const Step& step, const Twrite& request, const Rwrite& reply) {
  if (!step.fid->is_regular) return;
  const PageFilePtr pages = pages_.find(step.fid);
  if (pages == nullptr) return;
  if (request.attr.empty()) {
    pages->write(reply.offset - reply.count, request.dat.substr(0, reply.count));
  } else if (request.attr == "stat") {
    const auto change = unpack_change(request.dat);
    if (change && change->has_size) pages->resize(change->size);
  }
}

void Group::take_reply(size_t index, const Message& request, Message& reply) {
  Step& step = steps_[index];
  if (step.answered_here) {
    reply = Rclunk{};
    return;
  }
  if (std::holds_alternative<Tclunk>(request)) step.fid->is_open = false;  // an error closes it too
  if (std::holds_alternative<Rerror>(reply)) return;
  if (step.made != no_fid) {
    const auto* open = std::get_if<Topen>(&request);
    const bool is_name = open != nullptr && open->mode.size() == 1 && open->mode[0] == name_fid_letter;
    if (is_name) return;  // it has ended with the group
    step.fid->is_open = true;
    if (const auto* r = std::get_if<Ropen>(&reply)) opened(step, r->attributes);
    if (const auto* r = std::get_if<Rcreate>(&reply)) opened(step, r->attributes);
    process_.put(tree_.number, step.made, step.fid);
  }
  if (const auto* write = std::get_if<Twrite>(&request))
    if (const auto* r = std::get_if<Rwrite>(&reply)) written(step, *write, *r);
  // Clunked in the same group: out of the table again.
  if (std::holds_alternative<Tclunk>(request))
    for (const Step& other : steps_)
      if (other.made != no_fid && other.fid == step.fid) (void)process_.take(tree_.number, other.made);
}

}  // namespace osp::keeper
