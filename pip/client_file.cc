#include "pip/client_file.h"

#include <algorithm>
#include <cstring>

#include "pip/packing.h"

namespace osp::pip {
namespace {

constexpr size_t most_depth = 8;
constexpr uint32_t chunk_size = 256 * 1024;

template <class R>
Result<R> only_reply(const Answer& answer) {
  auto reply = reply_as<R>(answer, 0);
  if (!reply) return fail(reply.error().code);
  return *reply;
}

}  // namespace

ClientFile::~ClientFile() {
  if (open_) (void)close();
}

Result<Answer> ClientFile::exchange(const Message& message) { return shared_->channel->exchange({message}); }

void ClientFile::prefetched(Answer answer, size_t index, uint32_t asked, uint64_t seen) {
  seen_ = seen;
  const auto read = reply_as<Rread>(answer, index);
  if (!read) return;
  if (is_directory_) {
    if (auto entries = unpack_entries(read->dat)) {
      entries_ = std::move(*entries);
      entries_fresh_ = true;
    }
    return;
  }
  Chunk& chunk = chunks_.emplace_back();
  chunk.count = asked, chunk.data = read->dat, chunk.here = true;
  chunk.answer = std::move(answer);
}

Result<size_t> ClientFile::read(uint64_t offset, std::span<std::byte> into) {
  if (!mode_.read || mode_.path_only) return fail(EBADF);
  if (is_directory_) return fail(EISDIR);
  if (into.empty()) return size_t{0};
  if (mode_.write || busy_) return read_direct(offset, into);
  busy_ = true;
  auto result = read_ahead(offset, into);
  busy_ = false;
  return result;
}

// All pieces are asked for before the first is awaited.
Result<size_t> ClientFile::read_direct(uint64_t offset, std::span<std::byte> into) {
  const size_t unit = shared_->channel->iounit();
  std::vector<uint64_t> tags;
  for (size_t at = 0; at < into.size(); at += unit) {
    const auto count = static_cast<uint32_t>(std::min(unit, into.size() - at));
    OSP_ASSIGN(const uint64_t tag,
               shared_->channel->submit({Tread{.fid = fid_, .offset = offset + at, .count = count, .attrs = ""}}, 0));
    tags.push_back(tag);
  }
  size_t done = 0;
  Result<void> error;
  bool ended = false;
  for (size_t i = 0; i < tags.size(); ++i) {
    const auto answer = shared_->channel->wait(tags[i]);
    const auto read = answer ? only_reply<Rread>(*answer) : std::unexpected(answer.error());
    if (!read && !ended) error = std::unexpected(read.error());
    if (!read || ended) {
      ended = true;
      continue;
    }
    const size_t wanted = std::min(unit, into.size() - i * unit);
    const size_t size = std::min(read->dat.size(), wanted);
    memcpy(into.data() + i * unit, read->dat.data(), size);
    done += size;
    ended = size < wanted;
  }
  if (done == 0 && !error) return std::unexpected(error.error());
  return done;
}

Result<void> ClientFile::ask(uint64_t offset, uint32_t count) {
  OSP_ASSIGN(const uint64_t tag,
             shared_->channel->submit({Tread{.fid = fid_, .offset = offset, .count = count, .attrs = ""}}, 0));
  Chunk& chunk = chunks_.emplace_back();
  chunk.offset = offset, chunk.count = count, chunk.tag = tag;
  return {};
}

Result<void> ClientFile::await(Chunk& chunk) {
  if (chunk.here) return {};
  OSP_ASSIGN(chunk.answer, shared_->channel->wait(chunk.tag));
  chunk.here = true;
  OSP_ASSIGN(const Rread read, only_reply<Rread>(chunk.answer));
  chunk.data = read.dat.substr(0, chunk.count);
  return {};
}

void ClientFile::drop_chunks() {
  for (const Chunk& chunk : chunks_)
    if (!chunk.here) shared_->channel->forget(chunk.tag);
  chunks_.clear();
}

// Makes the first chunk one that holds `offset`, and asks for those after it if the file is read in sequence.
Result<void> ClientFile::aim(uint64_t offset, size_t size) {
  if (seen_ != shared_->changes()) drop_chunks();
  seen_ = shared_->changes();
  while (!chunks_.empty() && offset >= chunks_.front().offset + chunks_.front().count) {
    if (!chunks_.front().here) shared_->channel->forget(chunks_.front().tag);
    chunks_.pop_front();
  }
  if (!chunks_.empty() && offset < chunks_.front().offset + chunks_.front().served) drop_chunks();
  const bool in_sequence = offset == next_ && offset > 0;
  depth_ = in_sequence ? std::min(most_depth, depth_ + 1) : 0;
  const uint32_t most = std::min(chunk_size, shared_->channel->iounit());
  if (chunks_.empty()) {
    const auto wanted = static_cast<uint32_t>(std::min<size_t>(size, most));
    OSP_TRY(ask(offset, in_sequence ? most : wanted));
  }
  const Chunk& last = chunks_.back();
  const bool ended = last.here && last.data.size() < last.count;
  while (!ended && chunks_.size() <= depth_) OSP_TRY(ask(chunks_.back().offset + chunks_.back().count, most));
  return {};
}

Result<size_t> ClientFile::read_ahead(uint64_t offset, std::span<std::byte> into) {
  size_t done = 0;
  while (done < into.size()) {
    const uint64_t at = offset + done;
    if (auto aimed = aim(at, into.size() - done); !aimed) return std::unexpected(aimed.error());
    Chunk& chunk = chunks_.front();
    if (auto here = await(chunk); !here) {
      drop_chunks();
      if (done > 0) break;
      return std::unexpected(here.error());
    }
    const uint64_t skip = at - chunk.offset;
    if (skip >= chunk.data.size()) {  // the end as it was when asked; another call asks again
      drop_chunks();
      break;
    }
    const size_t size = std::min<size_t>(chunk.data.size() - skip, into.size() - done);
    memcpy(into.data() + done, chunk.data.data() + skip, size);
    done += size;
    chunk.served = skip + size;
    next_ = at + size;
    const bool short_chunk = chunk.data.size() < chunk.count;
    if (short_chunk && skip + size == chunk.data.size()) break;
  }
  return done;
}

Result<size_t> ClientFile::write(uint64_t offset, std::span<const std::byte> from) {
  if (!mode_.write) return fail(EBADF);
  shared_->changed();
  const std::string_view bytes(reinterpret_cast<const char*>(from.data()), from.size());  // bytes are chars in πp
  const size_t unit = shared_->channel->iounit();
  std::vector<uint64_t> tags;
  for (size_t at = 0; at < bytes.size(); at += unit) {
    OSP_ASSIGN(const uint64_t tag,
               shared_->channel->submit(
                   {Twrite{.fid = fid_, .offset = offset + at, .dat = bytes.substr(at, unit), .attr = ""}}, 0));
    tags.push_back(tag);
  }
  size_t done = 0;
  Result<void> error;
  for (bool ended = false; const uint64_t tag : tags) {
    const auto answer = shared_->channel->wait(tag);
    const auto written = answer ? only_reply<Rwrite>(*answer) : std::unexpected(answer.error());
    if (ended) continue;
    if (!written) error = std::unexpected(written.error());
    const size_t wanted = std::min(unit, bytes.size() - done);
    const size_t size = written ? std::min<size_t>(written->count, wanted) : 0;
    done += size;
    ended = size < wanted;  // what lies behind a hole does not count
  }
  if (done == 0 && !error) return std::unexpected(error.error());
  return done;
}

// Where the server takes less, it is asked for the rest: it says then why.
Result<uint64_t> ClientFile::append(std::span<const std::byte> from) {
  if (!mode_.write) return fail(EBADF);
  shared_->changed();
  const std::string_view bytes(reinterpret_cast<const char*>(from.data()), from.size());  // bytes are chars in πp
  const size_t unit = shared_->channel->iounit();
  uint64_t end = 0;
  size_t done = 0;
  do {
    const std::string_view part = bytes.substr(done, unit);
    OSP_ASSIGN(const Answer answer, exchange(Twrite{.fid = fid_, .offset = append_offset, .dat = part, .attr = ""}));
    OSP_ASSIGN(const Rwrite written, only_reply<Rwrite>(answer));
    if (written.count == 0 && !part.empty()) return fail(ENOSPC);
    done += std::min<size_t>(written.count, part.size());
    end = written.offset;
  } while (done < bytes.size());
  return end;
}

Result<void> ClientFile::fetch_entries(uint64_t first) {
  const uint32_t count = std::min(chunk_size, shared_->channel->iounit());
  OSP_ASSIGN(const Answer answer, exchange(Tread{.fid = fid_, .offset = first, .count = count, .attrs = ""}));
  OSP_ASSIGN(const Rread read, only_reply<Rread>(answer));
  OSP_ASSIGN(entries_, unpack_entries(read.dat));
  entries_first_ = first;
  return {};
}

Result<std::vector<DirectoryEntry>> ClientFile::read_directory(uint64_t first, size_t count) {
  if (!is_directory_) return fail(ENOTDIR);
  const bool rewound = first == 0 && (!entries_fresh_ || seen_ != shared_->changes());
  entries_fresh_ = false;
  if (rewound || first < entries_first_ || first >= entries_first_ + entries_.size()) OSP_TRY(fetch_entries(first));
  const auto begin = entries_.begin() + static_cast<ptrdiff_t>(first - entries_first_);
  const auto size = std::min<size_t>(count, static_cast<size_t>(entries_.end() - begin));
  return std::vector<DirectoryEntry>(begin, begin + static_cast<ptrdiff_t>(size));
}

Result<PageRange> ClientFile::map(uint64_t offset, uint64_t size, bool writable) {
  if (is_directory_ || mode_.path_only) return fail(ENODEV);
  return shared_->channel->map(fid_, offset, size, writable);
}

Result<Attributes> ClientFile::stat() {
  OSP_ASSIGN(const Answer answer, exchange(Tread{.fid = fid_, .offset = 0, .count = 4096, .attrs = "stat"}));
  OSP_ASSIGN(const Rread read, only_reply<Rread>(answer));
  return unpack_attributes(read.dat);
}

Result<void> ClientFile::change(const AttributeChange& change) {
  shared_->changed();
  const std::string packed = pack(change);
  OSP_ASSIGN(const Answer answer, exchange(Twrite{.fid = fid_, .offset = 0, .dat = packed, .attr = "stat"}));
  OSP_TRY(only_reply<Rwrite>(answer));
  return {};
}

Result<void> ClientFile::commit() {
  OSP_ASSIGN(const Answer answer, exchange(Tcommit{.fid = fid_}));
  OSP_TRY(only_reply<Rcommit>(answer));
  return {};
}

// Only a file that was written has anything to tell.
Result<void> ClientFile::close() {
  if (!open_) return fail(EBADF);
  open_ = false;
  drop_chunks();
  OSP_ASSIGN(const uint64_t tag, shared_->channel->submit({Tclunk{.fid = fid_, .version = 0}}, 0));
  shared_->fids.give_back(fid_);
  if (!mode_.write) {
    shared_->channel->forget(tag);
    return {};
  }
  OSP_ASSIGN(const Answer answer, shared_->channel->wait(tag));
  OSP_TRY(only_reply<Rclunk>(answer));
  return {};
}

}  // namespace osp::pip
