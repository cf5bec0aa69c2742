#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// πp's messages as C++ types, made from messages.def. Text and data are views: whoever builds or decodes a
// message keeps the bytes alive as long as the message.
namespace osp::pip {

// What a peer may agree to in Tproto; base is always agreed to.
enum class Option : uint8_t { base, resume, linux_, lease, lock };

class OptionSet {
 public:
  constexpr OptionSet() = default;
  static constexpr OptionSet all() {
    return OptionSet().with(Option::resume).with(Option::linux_).with(Option::lease).with(Option::lock);
  }
  [[nodiscard]] constexpr OptionSet with(Option option) const {
    OptionSet set = *this;
    set.bits_ |= 1U << static_cast<unsigned>(option);
    return set;
  }
  [[nodiscard]] constexpr bool has(Option option) const { return ((bits_ >> static_cast<unsigned>(option)) & 1U) != 0; }
  friend constexpr bool operator==(OptionSet, OptionSet) = default;

 private:
  unsigned bits_ = 1;
};

namespace kind {
using u8 = uint8_t;
using u16 = uint16_t;
using u32 = uint32_t;
using u64 = uint64_t;
using text = std::string_view;
using data = std::string_view;
}  // namespace kind

#define MESSAGE(name, code, option)                      \
  struct name {                                          \
    static constexpr uint8_t type = code;                \
    static constexpr std::string_view type_name = #name; \
    static constexpr Option needs = Option::option;
#define FIELD(kind_, member, wire, option) kind::kind_ member{};
#define END() \
  }           \
  ;
#include "pip/messages.def"

// v(wire name, member, option, kind name) for each field, in wire order.
#define MESSAGE(name, code, option) \
  template <class Visitor>          \
  void visit_fields([[maybe_unused]] name& message, [[maybe_unused]] Visitor&& v) {
#define FIELD(kind_, member, wire, option) v(#wire, message.member, Option::option, #kind_);
#define END() }
#include "pip/messages.def"

using Message = std::variant<std::monostate
#define MESSAGE(name, code, option) , name
#define FIELD(kind_, member, wire, option)
#define END()
#include "pip/messages.def"
                             >;

constexpr uint32_t no_fid = 0xffffffff;  // Nfid: make no fid; Afid: nobody was asked
constexpr uint32_t latest_session = 0;   // Tgroup's Ssid: that of the connection's last Tsession
constexpr uint16_t flag_ordered = 1;     // Tgroup: only after all with a smaller tag
constexpr uint16_t flag_each = 2;        // Tgroup: do not stop at an error
constexpr uint8_t created_first =
    2;  // Rcreate's Created: nobody else has a lease on the directory, nor will beside ours
constexpr uint16_t flag_overtakes = 4;      // Tgroup: need not wait for groups that wait for leases
constexpr uint8_t lock_granted = 0;         // Rlock's State
constexpr uint8_t lock_in_use = 1;          // another session's programs have it
constexpr uint8_t lock_asked_for = 2;       // another session has it, and is asked whether its programs do
constexpr uint64_t abandon = ~uint64_t{0};  // Tclunk Version
constexpr uint32_t remove_directory = 1;    // Tremove Flags
constexpr uint64_t attr_create = 1;         // Twrite Offset with an Attr: XATTR_CREATE
constexpr uint64_t attr_replace = 2;        // XATTR_REPLACE
constexpr uint64_t attr_remove = 4;         // take the attribute away

constexpr uint32_t default_msize = 1U << 20;  // of a packet, its length not counted
constexpr uint32_t least_msize = 4096;
constexpr uint16_t default_nmsgs = 64;  // messages in a group

// The most that one Tread or Twrite carries: there is room for small messages beside it.
constexpr uint32_t iounit_of(uint32_t msize) { return msize - (msize / 2 < 16384 ? msize / 2 : 16384); }

}  // namespace osp::pip
