#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "pip/cache/known_tree.h"
#include "pip/cache/lease_channel.h"
#include "pip/cache/read_ahead.h"
#include "pip/footprint.h"

namespace osp::pip {

// Answers what leases let it know, and passes on the rest. For one thread; fibers that take turns may overlap calls.
class Cache final : public Channel, public LeaseHolder {
 public:
  // Runs work where it may wait, after the call that asks for it.
  using Spawn = std::function<void(std::function<void()>)>;

  Cache(std::unique_ptr<LeaseChannel> below, KnownTree::Limits limits, Spawn spawn);
  ~Cache() override;
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  Result<uint64_t> submit(const std::vector<Message>& messages, uint16_t flags) override;
  Result<Answer> wait(uint64_t tag) override;
  void forget(uint64_t tag) override;
  [[nodiscard]] uint32_t iounit() const override { return below_.iounit(); }

  // Grows with what others change of what is known: what was read ahead is stale.
  [[nodiscard]] uint64_t outside_changes() const override { return recalls_; }
  // Called when that happens.
  void on_recall(std::function<void()> call) { on_recall_ = std::move(call); }

  // What was answered and then failed, of a file that was closed before: taken, it is told to nobody else.
  struct Failure {
    int error = 0;  // 0: nothing
    std::string path{};
  };
  Failure take_failure() { return std::exchange(failure_, {}); }
  // The paths of what was answered and is still to be done.
  [[nodiscard]] std::vector<std::string> behind() const;
  // Whether something that was answered is still to be done.
  [[nodiscard]] bool is_behind() const { return !behind_.empty(); }
  // The last of that so far, and whether all up to such a one is done.
  [[nodiscard]] uint64_t last_behind() const { return behind_.empty() ? 0 : behind_.rbegin()->first; }
  [[nodiscard]] bool is_done(uint64_t behind) const { return behind_.empty() || behind_.begin()->first > behind; }
  // Called when some of it is done.
  void on_idle(std::function<void()> call) { on_idle_ = std::move(call); }

  void recalled(uint64_t lease) override;
  void leases_lost() override;

  struct Counts {
    uint64_t answered = 0, passed = 0;  // groups
  };
  [[nodiscard]] Counts counts() const { return counts_; }

  // What a message is about: what its reply teaches, and what it changes.
  struct Note {
    Footprint changes{};
    std::string path{};       // of Topen, Tcreate and Tread
    std::string mode{};       // of Topen and Tcreate
    std::string attribute{};  // of Tread
    uint32_t fid = no_fid;    // that is made, read, written or clunked
    uint64_t id = 0;          // of the file that is written
    uint64_t offset = 0;      // of Tread
    uint32_t count = 0;
    bool is_clunk = false, exchanges = false, is_link = false;
  };

 private:
  // A fid as those above know it.
  struct OpenFile {
    std::string path;
    std::string mode;
    uint64_t id = 0;
    uint32_t file_mode = 0;    // st_mode
    bool is_attached = false;  // the root of a Tattach
    bool is_here = false;      // not open at the server
    bool is_orphan = false;    // nor can it be any more: what was known of it is what there is
    bool is_ours = false;      // this session made it
    bool is_written = false;   // by what may still be on its way
    bool is_lost = false;      // it was answered that it is made, and it could not be
    uint64_t opening = 0;      // number of what was answered before it was done
    int error = 0;             // of what was answered before it was done
    Attributes attributes{};   // of one that is here
    ContentPtr content{};
    std::vector<DirectoryEntry> listing{};
  };
  // An open to read that waits for something else to come.
  struct Open {
    std::string path, mode;
    uint32_t fid = no_fid, nfid = no_fid, count = 0;
    bool reads = false, clunks = false;
    [[nodiscard]] std::vector<Message> messages() const;
  };
  struct Listing {
    std::string path;
    uint16_t depth = 1;
    uint32_t count = 0;
    bool is_instead = false;  // of the group, as which `open` stays
    bool is_behind = false;   // the group: it is of the directory that this makes
    Open open{};
  };
  struct Pending {
    std::optional<Answer> ready{};
    std::optional<Listing> listing{};  // asked for in the same group, in front or behind
    std::optional<Open> fetched{};     // this, once the file has come
    uint64_t opening = 0;              // tag of a group that opens `opened`, 0: none
    std::vector<uint32_t> opened{};
    std::vector<uint32_t> closing{};  // whose numbers are in use until it is answered
    uint32_t tells = no_fid;          // of a single Tcommit, or change of an attribute
    bool commits = false;             // it is a Tcommit
    uint64_t below = 0;               // tag
    bool stops = true;                // at the first error
    std::vector<Note> notes{};
    uint64_t serial = 0;  // changes_ that were begun or ended before
    uint64_t epoch = 0;
    bool is_unsure = false;  // it changes something, and may have to wait for others
  };
  // Files that are read before somebody asks.
  struct Fetch {
    uint64_t below = 0;  // tag
    uint64_t serial = 0, epoch = 0;
    std::vector<std::string> paths{};
    bool is_awaited = false;
  };
  // What was answered before it is done.
  struct Behind {
    uint32_t fid = no_fid;
    std::string path{};
    size_t size = 0;
    uint64_t making = 0;   // number of the directory that it makes
    uint64_t opening = 0;  // of the fid
    bool makes_fid = false;
  };
  // An answer before it is done, and what is then so.
  struct Prediction {
    Answer answer;
    std::string path{};                // that it is about
    std::optional<Attributes> made{};  // at the path
    uint32_t opens = no_fid;
    OpenFile file{};
    uint64_t opening = 0;  // of the fid that it is about
  };
  struct Change {
    uint64_t serial;
    Footprint what;
  };

  // answers.cc: what needs no message.
  std::optional<Answer> answer(const std::vector<Message>& messages);
  std::optional<Answer> answer_stat(const Topen& open);
  std::optional<Answer> answer_attribute(const Topen& open, const Tread& read);
  std::optional<Answer> answer_open(const Topen& open, const Tread* read, const Tclunk* clunk);
  std::optional<Answer> answer_read(const Tread& read);
  std::optional<Answer> answer_clunk(const Tclunk& clunk);
  std::optional<std::string> named_attribute(const KnownTree::Found& found, std::string_view name, int& error);
  std::optional<OpenFile> open_here(const std::string& path, std::string_view mode, const KnownTree::Found& found);
  std::optional<std::string> bytes(OpenFile& file, uint64_t offset, uint32_t count);
  std::optional<std::string> entries(OpenFile& file, uint64_t offset, uint32_t count);
  std::optional<Attributes> attributes_of(const OpenFile& file);

  // cache.cc: what does.
  Result<Pending> begin(const std::vector<Message>& messages, uint16_t flags);
  Result<Pending> pass(const std::vector<Message>& messages, uint16_t flags, bool may_list);
  Result<void> open_at_server(const std::vector<uint32_t>& fids, Pending& pending);
  std::vector<uint32_t> needed_at_server(const std::vector<Message>& messages, const std::vector<Note>& notes) const;
  void open_all(const std::function<std::vector<uint32_t>()>& left);
  Result<Answer> wait_for_listing(Pending& pending);
  Result<Answer> wait_for_fetched(const Open& open);
  Result<Answer> go_on(const Open& open);
  std::optional<Open> as_open(const std::vector<Message>& messages) const;
  void end_opening(const Pending& pending);
  Answer finish(Pending& pending, Answer answer);
  static std::optional<Message> take_listing(const Pending& pending, Answer& answer);
  void change(const Footprint& what);
  void log_change(const Footprint& what);
  [[nodiscard]] bool may_keep(const Pending& pending, std::string_view path) const;
  // Of what is at the path alone, whatever happens beside it.
  [[nodiscard]] bool may_keep_entry(const Pending& pending, std::string_view path) const;
  void sent(const Pending& pending);
  void arrived(const Pending& pending);
  [[nodiscard]] uint64_t last_sent_behind() const { return last_behind(); }
  void trim_changes();
  void give_back(uint64_t lease, const std::string& directory, bool is_recall);
  [[nodiscard]] std::vector<uint32_t> files_here(std::string_view directory) const;

  // writing.cc: what is answered before it is done.
  std::optional<Prediction> predict(const std::vector<Message>& messages);
  std::optional<Answer> predict_open_file(const std::vector<Message>& messages);
  std::optional<Answer> predict_write(const Twrite& write, OpenFile& file);
  std::optional<Answer> predict_change(const Twrite& write, OpenFile& file);
  std::optional<Answer> predict_clunk(const OpenFile& file);
  [[nodiscard]] std::vector<Message> with_stat(const std::vector<Message>& messages) const;
  static bool is_owners(const Twrite& write, const Attributes& file, bool may_resize);
  Result<Pending> begin_predicted(const std::vector<Message>& messages, Prediction prediction);
  std::optional<Answer> error_before(const Pending& pending);
  std::optional<Answer> late_error(const std::vector<Message>& messages);
  void send_behind(Pending pending, Behind what);
  static int error_in(const Answer& answer, const Behind& what);
  void end_behind(int error, const Behind& what);
  [[nodiscard]] bool may_be_first(const Tcreate& create) const;
  [[nodiscard]] bool is_sure(const std::vector<Note>& notes);

  // making.cc: of that, what makes something, or is about what we made.
  std::optional<Prediction> predict_create(const Tcreate& create);
  std::optional<Prediction> predict_path_open(const Topen& open);
  std::optional<Prediction> predict_named_change(const Topen& open, const Twrite& write);
  void learn_behind(const Pending& pending, const Behind& what, Answer answer);
  void made_directory(const Pending& pending, const Behind& what, const std::optional<Message>& listing);
  void made_file(const Pending& pending, const Behind& what, const Attributes& attributes);

  // fetching.cc: what is read before it is asked for.
  void read_ahead(std::string_view path);
  bool fetch_some(const KnownTree::Directory& directory, const std::vector<const KnownTree::Entry*>& files);
  void fetch(std::vector<std::string> paths);
  Fetch* is_fetched(std::string_view path);
  void take_fetched();
  void await_fetch(Fetch& fetch);
  void learn_whole(std::string_view path, const Ropen& open, std::string_view bytes);

  void probe();
  void learn_probed(const Answer& answer);

  // learning.cc: what replies teach.
  Note note(const Message& message, FootprintReader& reader);
  void note_mode(const Twrite& write, const Footprint& changes);
  void learn(const Pending& pending, const Note& note, const Message& reply);
  void rename(const std::string& from, const std::string& to, bool exchanges);
  void learn_open(const Pending& pending, const Note& note, std::string_view attributes, uint8_t created);
  void learn_read(const Pending& pending, const Note& note, const Rread& read);
  void learn_error(const Pending& pending, const Note& note, const Rerror& error);
  void learn_listing(const Pending& pending, const Message& reply);
  void learn_new_directory(const Pending& pending, const Message& reply, bool is_first);
  // A listing that would be worth having along with the group.
  std::optional<Listing> wish(const std::vector<Message>& messages);
  [[nodiscard]] uint32_t beside() const;
  std::optional<Listing> wish_made(const Tcreate& create);
  std::optional<Listing> wish_directory(Open open, const std::string& path);
  std::optional<Listing> wish_near(const std::string& path, bool is_opened);
  std::string top_for(const std::string& path);
  [[nodiscard]] bool is_listable(const std::string& path);

  // That a message acts on; no_fid: none.
  static uint32_t fid_of(const Message& message);
  [[nodiscard]] std::string path_of(uint32_t fid) const;
  [[nodiscard]] std::string path_of(uint32_t fid, std::string_view below) const;
  [[nodiscard]] std::optional<uint32_t> root() const;
  [[nodiscard]] bool knows() const { return below_.lease_epoch() != 0 && below_.leases_hold(); }

  std::unique_ptr<LeaseChannel> owned_;
  LeaseChannel& below_;
  KnownTree tree_;
  Spawn spawn_;
  std::map<uint32_t, OpenFile> fids_;
  std::map<uint64_t, Pending> pending_;
  uint64_t last_tag_ = 0;
  uint64_t last_making_ = 0;
  uint64_t last_opening_ = 0;
  std::set<uint64_t> lost_;  // openings that could not be made, until they are closed
  size_t unsure_ = 0;        // groups on their way
  std::list<Change> changes_;
  std::map<uint64_t, std::string> behind_;  // what was answered before it was done: tags and paths
  size_t behind_size_ = 0;                  // bytes of that
  Failure failure_;                         // of a file that was closed before
  ReadAhead ahead_;
  std::list<Fetch> fetches_;
  std::multiset<uint64_t> in_flight_;  // serials of what is on its way
  uint64_t serial_ = 0;
  std::map<std::string, unsigned, std::less<>> touched_;               // directories without a lease, how often
  std::map<std::string, uint64_t, std::less<>> unlistable_;            // until so many groups were passed
  std::map<std::pair<uint32_t, std::string>, uint32_t> plain_errors_;  // of files without attributes by name, by type
  std::multiset<uint32_t> closing_;                                    // fids whose Tclunk is on its way
  std::set<uint64_t> given_up_;                                        // leases that we gave back unasked
  std::vector<uint64_t> early_recalls_;                                // of leases that are not here yet
  bool has_probed_ = false;
  bool makes_links_ = false;  // the server made one
  size_t listings_ = 0;       // on their way
  Counts counts_;
  uint64_t recalls_ = 0;
  std::function<void()> on_recall_ = [] {};
  std::function<void()> on_idle_ = [] {};
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace osp::pip
