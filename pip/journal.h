#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

// Where the server keeps what a session needs after the server has been killed and started again.
// Calls may block as file writes do.
namespace osp::pip {

// One session's records, in the order they were appended.
class Journal {
 public:
  virtual ~Journal() = default;
  // After success the record survives the death of this process (not of the machine). ENOSPC, EIO: it is not there.
  virtual Result<void> append(std::string_view record) = 0;
  // Puts `records` in the place of everything, in one step.
  virtual Result<void> replace(const std::vector<std::string>& records) = 0;
  virtual void erase() = 0;                       // the session has ended
  [[nodiscard]] virtual size_t size() const = 0;  // bytes
};

struct LoadedJournal {
  std::string token;
  std::vector<std::string> records;
  std::unique_ptr<Journal> journal;
};

class JournalStore {
 public:
  virtual ~JournalStore() = default;
  virtual Result<std::unique_ptr<Journal>> create(std::string_view token) = 0;
  virtual Result<std::vector<LoadedJournal>> load() = 0;
  // Whether anything outlives the process.
  [[nodiscard]] virtual bool durable() const = 0;
};

// Keeps nothing: sessions outlive connections, not the server.
class NoJournalStore final : public JournalStore {
 public:
  Result<std::unique_ptr<Journal>> create(std::string_view token) override;
  Result<std::vector<LoadedJournal>> load() override { return std::vector<LoadedJournal>(); }
  [[nodiscard]] bool durable() const override { return false; }
};

// A file for each session in one directory: records of length[4] checksum[4] bytes; a torn last one is cut off. Only
// those that were written lately are open.
class FileJournalStore final : public JournalStore {
 public:
  // `directory` must exist and be the caller's alone.
  explicit FileJournalStore(std::string directory);
  Result<std::unique_ptr<Journal>> create(std::string_view token) override;
  Result<std::vector<LoadedJournal>> load() override;
  // Ends all sessions: what they speak of is not there any more.
  void erase_all();
  [[nodiscard]] bool durable() const override { return true; }

 private:
  std::string directory_;
  std::shared_ptr<class OpenJournals> open_;
};

}  // namespace osp::pip
