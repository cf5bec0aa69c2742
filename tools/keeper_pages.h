#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tools/keeper_tree.h"

namespace osp::keeper {

class Process;

// A file's contents as pages: a memfd that processes map. What goes through fids is written to it too, so while the
// environment alone changes the file it agrees with the server. All calls but write() and resize() run in jobs.
class PageFile {
 public:
  // `size` and `version` as the server says now. EMFILE, ENOMEM.
  static Result<std::shared_ptr<PageFile>> create(Tree& tree, uint64_t id, uint64_t version, uint64_t size);

  // Makes the range (all of a file that is not large) agree with the server, reading through `by`.
  Result<void> fill(const FidPtr& by, uint64_t offset, uint64_t size);
  // Somebody may write through a mapping from now on; `by` is open for writing.
  Result<void> begin_writing(const FidPtr& by, Process* process);
  void inherit(Process* parent, Process* child);
  // Returns the fid that was written through, if this was the last one.
  FidPtr end_writing(Process* process);
  [[nodiscard]] bool is_written() const { return !writers_.empty(); }
  // Sends what was written through mappings to the server.
  Result<void> flush();

  // What has been written through a fid, or made of its size.
  void write(uint64_t offset, std::string_view bytes);
  void resize(uint64_t size);
  // The server's version: another than ours means that others have changed the file.
  // True: they have.
  bool meet(uint64_t version, uint64_t size);
  void set_version(uint64_t version) { version_ = version; }

  [[nodiscard]] int fd() const { return memory_.get(); }
  [[nodiscard]] uint64_t size() const { return size_; }
  [[nodiscard]] uint64_t cached_size() const { return cached_; }
  [[nodiscard]] Tree& tree() const { return tree_; }
  uint64_t used = 0;       // PageCache's clock
  bool is_pinned = false;  // locks of the environment are held on the memfd: it must stay the one

 private:
  PageFile(Tree& tree, uint64_t version, uint64_t size, pip::HostFd memory)
      : tree_(tree), version_(version), size_(size), memory_(std::move(memory)) {}
  Result<void> fetch(const Fid& by, uint64_t first, uint64_t last);
  Result<void> send_range(uint64_t offset, std::string_view bytes);
  Result<void> flush_page(uint64_t offset, std::string_view now);

  static constexpr uint64_t chunk = 256 * 1024;

  Tree& tree_;
  uint64_t version_;
  uint64_t size_;
  pip::HostFd memory_;
  std::vector<bool> valid_;  // by chunk
  uint64_t cached_ = 0;      // bytes
  bool busy_ = false;
  WaitList idle_;
  FidPtr writer_;
  std::string written_;  // what the server has, while there are writers
  std::set<Process*> writers_;
};
using PageFilePtr = std::shared_ptr<PageFile>;

// The files whose pages are kept, bounded.
class PageCache {
 public:
  explicit PageCache(uint64_t limit) : limit_(limit) {}
  // Null: there is none.
  PageFilePtr find(const Tree& tree, uint64_t id);
  // Of an open file. In a job: it may have to ask for the file's id.
  PageFilePtr find(const FidPtr& fid);
  // How many were ever made.
  [[nodiscard]] uint64_t made() const { return made_; }
  // The one of an open file, made if need be. In a job.
  Result<PageFilePtr> get(const FidPtr& fid);
  // Drops what was used longest ago, but nothing that is being written.
  void trim();

  // Sends what was written through mappings of this tree (null: any) to the server. In a job.
  Result<void> flush(const Tree* tree);
  [[nodiscard]] bool has_written() const;
  void inherit(Process* parent, Process* child);
  // The process has ended: what it wrote is sent. In a job.
  void end(Process* process);

 private:
  using Key = std::pair<uint32_t, uint64_t>;
  std::vector<PageFilePtr> written(const Tree* tree) const;

  uint64_t limit_;
  uint64_t clock_ = 0;
  uint64_t made_ = 0;
  std::map<Key, PageFilePtr> files_;
};

}  // namespace osp::keeper
