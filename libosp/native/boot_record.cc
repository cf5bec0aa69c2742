#include "libosp/native/boot_record.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace osp::native {
namespace {

using load::Outcome;
using load::refuse;
using Kind = host::NamespaceOption::Kind;

constexpr std::string_view version_key = "osp-boot";
constexpr unsigned umask_max = 0777, size_max = 65535, terminal_fd_max = 2;

std::unexpected<load::Refusal> bad(std::string_view key, std::string_view why) {
  return refuse(EBADMSG, std::string("boot record: ").append(key).append(": ").append(why));
}

// An unsigned number and nothing else.
template <class Number>
Outcome<void> read_number(std::string_view key, std::string_view value, Number& into, unsigned most, int base = 10) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number, base);
  if (error != std::errc() || end != value.data() + value.size()) return bad(key, "is no number");
  if (number > most) return bad(key, "is out of range");
  into = static_cast<Number>(number);
  return {};
}

Outcome<void> read_terminal(BootRecord& record, std::string_view key, std::string_view value) {
  unsigned fd = 0;
  if (auto read = read_number(key, value, fd, terminal_fd_max); !read) return read;
  record.terminal[fd] = true;
  return {};
}

Outcome<void> read_text_of_file(BootRecord& record, std::string_view key, std::string_view value) {
  if (record.names.empty() || record.names.back().kind != Kind::file) return bad(key, "there is no file before it");
  record.names.back().text = value;
  return {};
}

Outcome<void> read_variable(BootRecord& record, std::string_view key, std::string_view value) {
  if (value.find('=') == std::string_view::npos) return bad(key, "has no '='");
  record.environment.emplace_back(value);
  return {};
}

struct Key {
  std::string_view name;
  Outcome<void> (*read)(BootRecord& record, std::string_view key, std::string_view value);
};

template <auto member>
Outcome<void> assign(BootRecord& record, std::string_view, std::string_view value) {
  record.*member = std::string(value);
  return {};
}

template <Kind kind>
Outcome<void> add_name(BootRecord& record, std::string_view, std::string_view value) {
  const std::string text(value);
  record.names.push_back(kind == Kind::file ? BootRecord::NameOption{kind, {}, text}
                                            : BootRecord::NameOption{kind, text});
  return {};
}

template <auto member, unsigned most, int base = 10>
Outcome<void> number(BootRecord& record, std::string_view key, std::string_view value) {
  return read_number(key, value, record.*member, most, base);
}

Outcome<void> add_argument(BootRecord& record, std::string_view, std::string_view value) {
  record.arguments.emplace_back(value);
  return {};
}

constexpr Key keys[] = {
    {"program", assign<&BootRecord::program>},
    {"argument", add_argument},
    {"variable", read_variable},
    {"directory", assign<&BootRecord::directory>},
    {"ns-file", add_name<Kind::file>},
    {"ns-text", read_text_of_file},
    {"ns-mount", add_name<Kind::mount>},
    {"ns-bind", add_name<Kind::bind>},
    {"trace", assign<&BootRecord::trace>},
    {"hostname", assign<&BootRecord::hostname>},
    {"umask", number<&BootRecord::umask, umask_max, 8>},
    {"uid", number<&BootRecord::uid, UINT32_MAX>},
    {"gid", number<&BootRecord::gid, UINT32_MAX>},
    {"terminal", read_terminal},
    {"rows", number<&BootRecord::rows, size_max>},
    {"columns", number<&BootRecord::columns, size_max>},
};

Outcome<void> read_entry(BootRecord& record, std::string_view entry) {
  const size_t sign = entry.find('=');
  if (sign == std::string_view::npos) return bad(entry.substr(0, 40), "has no '='");
  const std::string_view name = entry.substr(0, sign);
  const auto* key = std::ranges::find(keys, name, &Key::name);
  if (key == std::end(keys)) return bad(name.substr(0, 40), "no such key");
  return key->read(record, name, entry.substr(sign + 1));
}

Outcome<void> read_version(std::string_view entry) {
  unsigned version = 0;
  if (!entry.starts_with(version_key) || entry.substr(version_key.size(), 1) != "=")
    return refuse(EBADMSG, "this is no boot record");
  const std::string_view value = entry.substr(version_key.size() + 1);
  if (auto read = read_number(version_key, value, version, UINT32_MAX); !read) return read;
  if (version != BootRecord::version)
    return refuse(EPROTONOSUPPORT,
                  "boot record: this is version " + std::string(value) + "; osp-boot and osp-core are of two builds");
  return {};
}

// What no record may lack, or have otherwise.
Outcome<void> check(const BootRecord& record) {
  if (record.program.empty()) return bad("program", "is missing");
  if (record.arguments.empty()) return bad("argument", "is missing");
  if (!record.directory.starts_with('/')) return bad("directory", "is not absolute");
  return {};
}

class Encoder {
 public:
  void put(std::string_view key, std::string_view value) {
    if (value.find('\0') != std::string_view::npos && wrong_.empty()) wrong_ = key;
    for (const std::string_view part : {key, std::string_view("="), value, std::string_view("\0", 1)}) {
      const auto bytes = std::as_bytes(std::span(part));
      bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    }
  }
  void put_number(std::string_view key, unsigned value, int base = 10) {
    char text[40];
    put(key, std::string_view(text, std::to_chars(text, std::end(text), value, base).ptr));
  }
  void put(const BootRecord::NameOption& option) {
    if (option.kind == Kind::file) {
      put("ns-file", option.name);
      put("ns-text", option.text);
    } else {
      put(option.kind == Kind::mount ? "ns-mount" : "ns-bind", option.text);
    }
  }
  // The key whose value holds a NUL, or empty.
  [[nodiscard]] std::string_view wrong() const { return wrong_; }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
  std::string_view wrong_;
};

void put_terminal(Encoder& out, const BootRecord& record) {
  for (unsigned fd = 0; fd < record.terminal.size(); ++fd)
    if (record.terminal[fd]) out.put_number("terminal", fd);
  out.put_number("rows", record.rows);
  out.put_number("columns", record.columns);
}

}  // namespace

Outcome<std::vector<std::byte>> BootRecord::encode() const {
  Encoder out;
  out.put_number(version_key, version);
  out.put("program", program);
  for (const std::string& argument : arguments) out.put("argument", argument);
  for (const std::string& variable : environment) out.put("variable", variable);
  out.put("directory", directory);
  for (const NameOption& option : names) out.put(option);
  if (trace) out.put("trace", *trace);
  out.put("hostname", hostname);
  out.put_number("umask", umask, 8);
  out.put_number("uid", uid);
  out.put_number("gid", gid);
  put_terminal(out, *this);
  if (!out.wrong().empty())
    return refuse(EINVAL, "boot record: " + std::string(out.wrong()) + ": holds a NUL character");
  std::vector<std::byte> bytes = out.take();
  if (auto again = decode(bytes); !again) return refuse(EINVAL, again.error().reason);
  return bytes;
}

Outcome<BootRecord> BootRecord::decode(std::span<const std::byte> bytes) {
  std::string_view rest(reinterpret_cast<const char*>(bytes.data()), bytes.size());  // bytes are what it is made of
  BootRecord record;
  for (bool first = true; !rest.empty() || first; first = false) {
    const size_t end = rest.find('\0');
    if (end == std::string_view::npos)
      return refuse(EBADMSG, first ? "this is no boot record" : "boot record: is cut off");
    const std::string_view entry = rest.substr(0, end);
    if (auto read = first ? read_version(entry) : read_entry(record, entry); !read)
      return std::unexpected(read.error());
    rest.remove_prefix(end + 1);
  }
  if (auto good = check(record); !good) return std::unexpected(good.error());
  return record;
}

}  // namespace osp::native
