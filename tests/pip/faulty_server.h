#pragma once

#include <memory>
#include <string>

#include "pip/journal.h"
#include "pip/server.h"

namespace osp::pip::testing {

// Thrown through the server under test: the process was killed here.
struct Crash {};

// Counts down the points where a server can be killed: around every change of the tree and of the journal.
struct CrashPoints {
  int countdown = -1;  // -1: never
  void pass() {
    if (countdown < 0) return;
    if (countdown-- == 0) throw Crash();
  }
  template <class Change>
  auto around(Change&& change) {
    pass();
    auto result = change();
    pass();
    return result;
  }
};

class FaultyFile final : public File {
 public:
  FaultyFile(std::unique_ptr<File> file, CrashPoints& points) : file_(std::move(file)), points_(points) {}
  Result<size_t> read(uint64_t offset, std::span<std::byte> into) override { return file_->read(offset, into); }
  Result<size_t> write(uint64_t offset, std::span<const std::byte> from) override {
    points_.pass();
    // Killed half-way.
    if (points_.countdown == 0 && from.size() > 1) (void)file_->write(offset, from.first(from.size() / 2));
    return points_.around([&] { return file_->write(offset, from); });
  }
  Result<uint64_t> append(std::span<const std::byte> from) override {
    points_.pass();
    if (points_.countdown == 0 && from.size() > 1) (void)file_->append(from.first(from.size() / 2));
    return points_.around([&] { return file_->append(from); });
  }
  Result<std::vector<DirectoryEntry>> read_directory(uint64_t first, size_t count) override {
    return file_->read_directory(first, count);
  }
  Result<Attributes> stat() override { return file_->stat(); }
  Result<void> change(const AttributeChange& change) override {
    return points_.around([&] { return file_->change(change); });
  }
  Result<void> commit() override { return file_->commit(); }
  Result<void> close() override { return file_->close(); }

 private:
  std::unique_ptr<File> file_;
  CrashPoints& points_;
};

class FaultyServer final : public Server {
 public:
  FaultyServer(std::unique_ptr<Server> server, CrashPoints& points) : server_(std::move(server)), points_(points) {}

  Walked<Opened> open(std::string_view path, const OpenMode& mode) override {
    points_.pass();
    auto opened = server_->open(path, mode);
    points_.pass();
    if (opened) opened->file = std::make_unique<FaultyFile>(std::move(opened->file), points_);
    return opened;
  }
  Walked<Attributes> stat(std::string_view path) override { return server_->stat(path); }
  Walked<std::string> read_link(std::string_view path) override { return server_->read_link(path); }
  Walked<void> change(std::string_view path, const AttributeChange& change) override {
    return points_.around([&] { return server_->change(path, change); });
  }
  Walked<void> make(std::string_view path, const NewFile& file) override {
    return points_.around([&] { return server_->make(path, file); });
  }
  Walked<void> remove(std::string_view path, bool directory) override {
    return points_.around([&] { return server_->remove(path, directory); });
  }
  Walked<void> rename(std::string_view from, std::string_view to, unsigned flags) override {
    return points_.around([&] { return server_->rename(from, to, flags); });
  }
  Walked<void> link(std::string_view from, std::string_view to) override {
    return points_.around([&] { return server_->link(from, to); });
  }
  Walked<std::string> get_attribute(std::string_view path, std::string_view name) override {
    return server_->get_attribute(path, name);
  }
  Walked<void> set_attribute(std::string_view path, std::string_view name, std::string_view value, int flags) override {
    return points_.around([&] { return server_->set_attribute(path, name, value, flags); });
  }
  Walked<void> remove_attribute(std::string_view path, std::string_view name) override {
    return points_.around([&] { return server_->remove_attribute(path, name); });
  }
  Walked<std::vector<std::string>> list_attributes(std::string_view path) override {
    return server_->list_attributes(path);
  }
  Result<FileSystemStat> statfs() override { return server_->statfs(); }
  [[nodiscard]] std::string name() const override { return server_->name(); }

 private:
  std::unique_ptr<Server> server_;
  CrashPoints& points_;
};

class FaultyJournal final : public Journal {
 public:
  FaultyJournal(std::unique_ptr<Journal> journal, CrashPoints& points)
      : journal_(std::move(journal)), points_(points) {}
  Result<void> append(std::string_view record) override {
    return points_.around([&] { return journal_->append(record); });
  }
  Result<void> replace(const std::vector<std::string>& records) override {
    return points_.around([&] { return journal_->replace(records); });
  }
  void erase() override { journal_->erase(); }
  [[nodiscard]] size_t size() const override { return journal_->size() + (1U << 20); }  // compact always

 private:
  std::unique_ptr<Journal> journal_;
  CrashPoints& points_;
};

class FaultyJournalStore final : public JournalStore {
 public:
  FaultyJournalStore(std::string directory, CrashPoints& points) : store_(std::move(directory)), points_(points) {}
  Result<std::unique_ptr<Journal>> create(std::string_view token) override {
    OSP_ASSIGN(auto journal, store_.create(token));
    return std::make_unique<FaultyJournal>(std::move(journal), points_);
  }
  Result<std::vector<LoadedJournal>> load() override {
    OSP_ASSIGN(auto loaded, store_.load());
    for (LoadedJournal& one : loaded) one.journal = std::make_unique<FaultyJournal>(std::move(one.journal), points_);
    return loaded;
  }
  [[nodiscard]] bool durable() const override { return true; }

 private:
  FileJournalStore store_;
  CrashPoints& points_;
};

}  // namespace osp::pip::testing
