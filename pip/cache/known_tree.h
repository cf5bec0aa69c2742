#pragma once

#include <sys/stat.h>

#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pip/cache/content.h"
#include "pip/listing.h"

namespace osp::pip {

// Whether the owner of a directory may make something in it.
constexpr bool is_open_to_owner(uint32_t mode) { return (mode & 0300) == 0300; }

// The directories on which we have leases, with all that these let us know. Nothing here blocks.
class KnownTree {
 public:
  struct Limits {
    size_t directories = 4096;
    size_t entries = 500'000;       // of all
    uint64_t content = 256U << 20;  // bytes of contents
  };
  explicit KnownTree(Limits limits) : limits_(limits) {}

  // To whom belongs what we make.
  struct Owner {
    uint32_t uid = 0, gid = 0;
  };
  // Files and directories without attributes by name answer alike when they are asked for one.
  static uint32_t kind_of(const Attributes& file) {
    return S_ISDIR(file.mode) ? uint32_t{S_IFREG} : file.mode & uint32_t{S_IFMT};
  }
  struct Entry {
    DirectoryEntry entry;
    uint64_t place = 0;  // in the order of the listing
    bool is_plain = false;
    bool is_known = true;  // false: something of ours may have changed it, or made or removed it
    bool is_ours = false;  // we made it: its type and owner are known even so
    ContentPtr content{};  // null: nothing is known
  };
  struct Directory {
    std::string path;
    uint64_t lease = 0;
    Attributes attributes;
    bool is_plain = false;
    bool has_attributes = true;  // false: something of ours may have changed them
    std::map<std::string, Entry, std::less<>> entries;
    std::map<uint64_t, const Entry*> in_order{};  // of the listing
    size_t unknown = 0;                           // entries
    uint64_t next_place = 0;
    bool is_exclusive = false;     // nobody else had a lease when it was listed, nor has been given one
    bool was_top = false;          // what is below it was asked for, as much as fits
    uint64_t making = 0;           // not 0: it was just made, and its lease is on its way
    std::optional<Owner> makes{};  // of what we make in it, where we surely may, and first: the lease is ours alone
    uint64_t used = 0;
    size_t listed = 0;  // entries, as it came
  };

  enum class Answer : uint8_t { unknown, here, absent, not_directory, link };
  struct Found {
    Answer answer = Answer::unknown;
    Attributes attributes{};
    const Entry* entry = nullptr;          // here, and no directory whose own lease we have; until the next change
    const Directory* directory = nullptr;  // here, and one whose lease we have
    size_t consumed = 0;                   // link: how much of the path names it
    std::string_view target{};
  };
  // What is at a path (a link at its end is what is there).
  Found find(std::string_view path);
  // Whether a name in a directory that is known is one of a directory, itself known or not.
  [[nodiscard]] bool is_directory_name(std::string_view path) const;
  // A file that is known, by its id. Null: it is not.
  Entry* find_file(uint64_t id);
  // Null: we have no lease on it.
  Directory* find_directory(std::string_view path);

  // What a server has listed. Returns the directories (and their leases) that had to give way.
  std::vector<std::pair<std::string, uint64_t>> put(ListedDirectory listed, bool is_top);
  // What is now at a path whose directory is known: a file, or a directory (whose attributes are its own lease's).
  void put_entry(std::string_view path, const Attributes& attributes);
  void add_content(Entry& entry, uint64_t offset, std::string_view bytes);

  // Something is made by us in a directory that we know. With a number it is a directory that is known to be empty, and
  // whose lease will come with adopt().
  void make(std::string_view path, const Attributes& attributes, uint64_t number);
  // False: the directory is not known any more.
  bool adopt(std::string_view path, uint64_t number, uint64_t lease);
  [[nodiscard]] bool has_room() const { return directories_.size() < limits_.directories; }
  // Whether what has this name is what we are making, or has this number.
  [[nodiscard]] bool is_name_of(std::string_view path, uint64_t id) const;
  [[nodiscard]] bool has_lease(uint64_t lease) const { return by_lease_.contains(lease); }
  bool unmake(std::string_view path, uint64_t number);
  // Those whose lease is on its way.
  void forget_unleased();
  // We made something in a directory; or may not any more.
  void learn_owner(std::string_view directory, std::optional<Owner> owner);
  // Type, permissions and owner of what we made; nothing: we did not, or do not know it.
  [[nodiscard]] std::optional<Attributes> ours(std::string_view path) const;

  // Something of ours changes what is at a path.
  void forget(std::string_view path);
  // And may make it, or take the name away.
  void forget_name(std::string_view path);
  void forget_file(uint64_t id);
  // And what is below it: the leases there have ended.
  void forget_tree(std::string_view path);
  // It has no name any more.
  void remove(std::string_view path);
  // The lease ends. Returns the directory's path; false: we had no such lease.
  bool end(uint64_t lease, std::string& path);
  void clear();
  [[nodiscard]] bool is_empty() const { return directories_.empty(); }

 private:
  using Directories = std::map<std::string, Directory, std::less<>>;
  void erase(Directories::iterator at);
  void forget_entry(Directory& directory, Entry& entry);
  void drop_content(Entry& entry);
  static void keep_content(Entry& before, Entry& now);
  Found find_above(std::string_view path);
  static void put_last(Directory& directory, Entry& entry);
  void forget_id(const std::string& directory, const Entry& entry);
  void index(const Directory& directory, const Entry& entry);
  void trim_content();

  Limits limits_;
  Directories directories_;
  std::map<uint64_t, std::string> by_lease_;
  std::map<uint64_t, std::pair<std::string, std::string>> by_id_;  // directory and name of a file with one name
  uint64_t clock_ = 0;
  uint64_t content_held_ = 0;
  size_t entries_ = 0;
};

}  // namespace osp::pip
