#include "tools/keeper_pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/log.h"
#include "pip/packing.h"

namespace osp::keeper {
namespace {

constexpr uint64_t whole_file = 64U << 20;  // bytes: smaller files are read at once
constexpr size_t most_in_flight = 16;       // reads
constexpr size_t page = 4096;

}  // namespace

Result<PageFilePtr> PageFile::create(Tree& tree, uint64_t, uint64_t version, uint64_t size) {
  pip::HostFd memory(memfd_create("osp-pages", MFD_CLOEXEC));
  if (memory.get() < 0 || ftruncate(memory.get(), static_cast<off_t>(size)) != 0) return fail(errno);
  return PageFilePtr(new PageFile(tree, version, size, std::move(memory)));
}

Result<void> PageFile::fill(const FidPtr& by, uint64_t offset, uint64_t size) {
  while (busy_) idle_.wait();
  if (offset >= size_ || size == 0) return {};
  const uint64_t chunks = (size_ + chunk - 1) / chunk;
  valid_.resize(chunks);
  const bool whole = size_ <= whole_file;
  const uint64_t first = whole ? 0 : offset / chunk;
  const uint64_t last =
      whole ? chunks : std::min(chunks, (offset + std::min(size, size_ - offset) + chunk - 1) / chunk);
  busy_ = true;
  const auto fetched = fetch(*by, first, last);
  busy_ = false;
  idle_.wake_all();
  return fetched;
}

// Chunks `first` to before `last` that are not valid, several reads at a time.
Result<void> PageFile::fetch(const Fid& by, uint64_t first, uint64_t last) {
  std::deque<std::pair<uint64_t, uint64_t>> asked;  // chunk, tag
  Result<void> result;
  for (uint64_t at = first; (at < last && result) || !asked.empty();) {
    if (at < last && result && asked.size() < most_in_flight) {
      const uint64_t now = at++;
      if (valid_[now]) continue;
      valid_[now] = true;  // from now on writes through fids go to the pages too
      const auto tag = tree_.channel->submit(
          {pip::Tread{.fid = by.number, .offset = now * chunk, .count = static_cast<uint32_t>(chunk), .attrs = ""}}, 0);
      if (tag)
        asked.emplace_back(now, *tag);
      else
        result = std::unexpected(tag.error()), valid_[now] = false;
      continue;
    }
    const auto [now, tag] = asked.front();
    asked.pop_front();
    auto answer = tree_.channel->wait(tag);
    auto checked = answer ? check_answer(*answer, 1) : Result<void>(std::unexpected(answer.error()));
    if (!checked) {
      result = checked;
      if (now < valid_.size()) valid_[now] = false;
      continue;
    }
    const auto* read = std::get_if<pip::Rread>(&answer->replies[0]);
    if (read == nullptr) continue;
    const uint64_t room = size_ > now * chunk ? size_ - now * chunk : 0;
    const size_t size = std::min<size_t>(read->dat.size(), room);
    if (pwrite(memory_.get(), read->dat.data(), size, static_cast<off_t>(now * chunk)) < 0) result = fail(errno);
    if (is_written()) written_.replace(now * chunk, size, read->dat.substr(0, size));
    cached_ += size;
  }
  return result;
}

Result<void> PageFile::begin_writing(const FidPtr& by, Process* process) {
  if (!is_written()) {
    writer_ = by;
    written_.resize(size_);
    for (uint64_t at = 0; at < size_;) {
      const ssize_t got = pread(memory_.get(), written_.data() + at, size_ - at, static_cast<off_t>(at));
      if (got < 0) return fail(errno);
      if (got == 0) break;
      at += static_cast<uint64_t>(got);
    }
  }
  writers_.insert(process);
  return {};
}

void PageFile::inherit(Process* parent, Process* child) {
  if (writers_.contains(parent)) writers_.insert(child);
}

FidPtr PageFile::end_writing(Process* process) {
  if (writers_.erase(process) == 0 || is_written()) return nullptr;
  written_ = std::string();
  return std::move(writer_);
}

Result<void> PageFile::send_range(uint64_t offset, std::string_view bytes) {
  const FidPtr by = writer_;
  const std::string copy(bytes);
  written_.replace(offset, copy.size(), copy);
  OSP_ASSIGN(const pip::Answer answer,
             tree_.channel->exchange(
                 {pip::Twrite{.fid = by->number, .offset = offset, .dat = copy, .attr = ""}, ask_attributes(*by)}));
  OSP_TRY(check_answer(answer, 2));
  tree_.changed();
  if (const auto attributes = attributes_in(answer, 1)) version_ = attributes->version;
  return {};
}

// From the first to the last byte that differs.
Result<void> PageFile::flush_page(uint64_t offset, std::string_view now) {
  const std::string_view before = std::string_view(written_).substr(offset, now.size());
  if (now == before) return {};
  const size_t first = static_cast<size_t>(std::ranges::mismatch(now, before).in1 - now.begin());
  size_t end = now.size();
  while (now[end - 1] == before[end - 1]) --end;
  return send_range(offset + first, now.substr(first, end - first));
}

Result<void> PageFile::flush() {
  while (busy_) idle_.wait();
  if (!is_written()) return {};
  busy_ = true;
  std::array<char, 16 * page> buffer;
  Result<void> result;
  for (uint64_t at = 0; at < written_.size() && result;) {
    if (!valid_[at / chunk]) {
      at += chunk;
      continue;
    }
    const ssize_t got = pread(memory_.get(), buffer.data(), buffer.size(), static_cast<off_t>(at));
    if (got <= 0) break;
    const size_t size = std::min<size_t>(static_cast<size_t>(got), written_.size() - at);
    const std::string_view now(buffer.data(), size);
    if (now != std::string_view(written_).substr(at, size))
      for (size_t i = 0; i < size && result; i += page) result = flush_page(at + i, now.substr(i, page));
    at += static_cast<uint64_t>(got);
  }
  busy_ = false;
  idle_.wake_all();
  return result;
}

void PageFile::write(uint64_t offset, std::string_view bytes) {
  if (bytes.empty()) return;
  if (offset + bytes.size() > size_) resize(offset + bytes.size());
  if (pwrite(memory_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)) < 0)
    log::error("keeper", "the page cache cannot be written: {}", describe(Error(errno)));
  if (is_written()) written_.replace(offset, bytes.size(), bytes);
}

void PageFile::resize(uint64_t size) {
  if (ftruncate(memory_.get(), static_cast<off_t>(size)) != 0) return;
  // Chunks wholly behind the old end are holes, and known.
  const uint64_t chunks = (size + chunk - 1) / chunk, had = (size_ + chunk - 1) / chunk;
  valid_.resize(had);
  valid_.resize(chunks, true);
  size_ = size;
  if (is_written()) written_.resize(size);
}

bool PageFile::meet(uint64_t version, uint64_t size) {
  if (version == version_) return false;
  version_ = version;
  if (ftruncate(memory_.get(), static_cast<off_t>(size)) != 0) return true;
  size_ = size;
  valid_.assign((size + chunk - 1) / chunk, false);
  cached_ = 0;
  if (is_written()) written_.resize(size);
  return true;
}

namespace {

// As they are now; the fid then has its file's id.
Result<pip::Attributes> attributes_of(Fid& fid) {
  OSP_ASSIGN(const pip::Answer answer, fid.tree.channel->exchange({ask_attributes(fid)}));
  OSP_TRY(check_answer(answer, 1));
  OSP_ASSIGN(const pip::Attributes now, attributes_in(answer, 0));
  fid.id = now.id;
  return now;
}

}  // namespace

PageFilePtr PageCache::find(const Tree& tree, uint64_t id) {
  if (files_.empty()) return nullptr;
  const auto found = files_.find(Key{tree.number, id});
  if (found == files_.end()) return nullptr;
  found->second->used = ++clock_;
  return found->second;
}

PageFilePtr PageCache::find(const FidPtr& fid) {
  if (fid->id != 0) return find(fid->tree, fid->id);
  if (files_.empty() || fid->opened_at == made_) return nullptr;
  const auto now = attributes_of(*fid);
  if (!now) return nullptr;
  PageFilePtr pages = find(fid->tree, now->id);
  if (pages != nullptr) pages->meet(now->version, now->size);  // they may be those of one that had its number before
  return pages;
}

Result<PageFilePtr> PageCache::get(const FidPtr& fid) {
  if (PageFilePtr there = find(fid)) return there;
  OSP_ASSIGN(const pip::Attributes now, attributes_of(*fid));
  if (PageFilePtr there = find(fid->tree, fid->id)) return there;  // made by another job meanwhile
  OSP_ASSIGN(PageFilePtr made, PageFile::create(fid->tree, fid->id, now.version, now.size));
  made->used = ++clock_;
  ++made_;
  files_[Key{fid->tree.number, fid->id}] = made;
  return made;
}

void PageCache::trim() {
  uint64_t total = 0;
  for (const auto& [key, file] : files_) total += file->cached_size();
  while (total > limit_) {
    auto oldest = files_.end();
    for (auto it = files_.begin(); it != files_.end(); ++it)
      if (!it->second->is_written() && !it->second->is_pinned && it->second.use_count() == 1 &&
          (oldest == files_.end() || it->second->used < oldest->second->used))
        oldest = it;
    if (oldest == files_.end()) return;
    total -= oldest->second->cached_size();
    files_.erase(oldest);
  }
}

std::vector<PageFilePtr> PageCache::written(const Tree* tree) const {
  std::vector<PageFilePtr> found;
  for (const auto& [key, file] : files_)
    if (file->is_written() && (tree == nullptr || &file->tree() == tree)) found.push_back(file);
  return found;
}

bool PageCache::has_written() const { return !written(nullptr).empty(); }

Result<void> PageCache::flush(const Tree* tree) {
  if (files_.empty()) return {};
  Result<void> result;
  for (const PageFilePtr& file : written(tree))
    if (auto flushed = file->flush(); !flushed) result = flushed;
  return result;
}

void PageCache::inherit(Process* parent, Process* child) {
  for (const auto& [key, file] : files_) file->inherit(parent, child);
}

void PageCache::end(Process* process) {
  for (const PageFilePtr& file : written(nullptr)) {
    if (auto flushed = file->flush(); !flushed)
      log::error("keeper", "what was written through a mapping is lost: {}", describe(flushed.error()));
    close(file->end_writing(process));
  }
}

}  // namespace osp::keeper
