#include "migrate/manifest_json.h"

#include <fmt/format.h>

#include <array>
#include <type_traits>

#include "migrate/image_summary.h"
#include "migrate/manifest_fields.h"

namespace osp::migrate {
namespace {

template <size_t N, class E>
std::string_view pick(const std::array<std::string_view, N>& names, E value) {
  const auto index = static_cast<size_t>(value);
  return index < N ? names[index] : "unknown";
}

// The length of the well-formed UTF-8 sequence that `text` begins with (RFC 3629, 4), or 0.
size_t utf8_length(std::string_view text) {
  const auto at = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto follows = [&](size_t i, unsigned low = 0x80, unsigned high = 0xbf) {
    return at(i) >= low && at(i) <= high;
  };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef)
    return follows(1, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf) && follows(2) ? 3 : 0;
  if (first >= 0xf0 && first <= 0xf4)
    return follows(1, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf) && follows(2) && follows(3) ? 4 : 0;
  return 0;
}

void append_hex(std::string& out, const Bytes& bytes) {
  out += '"';
  for (const std::byte byte : bytes) fmt::format_to(std::back_inserter(out), "{:02x}", static_cast<unsigned>(byte));
  out += '"';
}

template <class T>
void append(std::string& out, const T& value);

template <class T>
void append_list(std::string& out, const std::vector<T>& values) {
  out += '[';
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) out += ',';
    append(out, values[i]);
  }
  out += ']';
}

template <class T>
void append_object(std::string& out, const T& value) {
  char separator = '{';
  visit_fields(value, [&](const char* name, const auto& member) {
    fmt::format_to(std::back_inserter(out), "{}\"{}\":", separator, name);
    append(out, member);
    separator = ',';
  });
  out += '}';
}

template <class T>
void append(std::string& out, const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (std::is_enum_v<T>) {
    out += json_string(name_of(value));
  } else if constexpr (std::is_integral_v<T>) {
    out += std::to_string(value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    out += json_string(value);
  } else if constexpr (std::is_same_v<T, Bytes>) {
    append_hex(out, value);
  } else if constexpr (requires { value.begin(); }) {
    append_list(out, value);
  } else {
    append_object(out, value);
  }
}

}  // namespace

std::string_view name_of(AreaKind kind) {
  static constexpr std::array<std::string_view, 8> names = {"anonymous", "file",  "shared_file", "shared_object",
                                                            "vdso",      "stack", "heap",        "reserved"};
  return pick(names, kind);
}
std::string_view name_of(ObjectKind kind) {
  static constexpr std::array<std::string_view, 5> names = {"shared_anonymous", "memfd", "unlinked_file", "sysv",
                                                            "tree_contents"};
  return pick(names, kind);
}
std::string_view name_of(DescriptionKind kind) {
  static constexpr std::array<std::string_view, 14> names = {"file",     "directory", "path_only", "pipe",   "eventfd",
                                                             "timerfd",  "signalfd",  "epoll",     "socket", "memfd",
                                                             "terminal", "device",    "inotify",   "pidfd"};
  return pick(names, kind);
}
std::string_view name_of(Comeback comeback) {
  static constexpr std::array<std::string_view, 6> names = {"reopen", "contents", "reconnect",
                                                            "listen", "reset",    "inherit"};
  return pick(names, comeback);
}
std::string_view name_of(VectorFormat format) {
  static constexpr std::array<std::string_view, 4> names = {"absent", "fxsave", "xsave", "xsavec"};
  return pick(names, format);
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text[0]);
    const size_t length = utf8_length(text);
    if (length == 0) {
      fmt::format_to(std::back_inserter(out), "\\udc{:02x}", byte);
    } else if (byte == '"' || byte == '\\') {
      out += {'\\', static_cast<char>(byte)};
    } else if (byte < 0x20 || byte == 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out + '"';
}

std::string to_json(const Manifest& manifest) {
  std::string out;
  append(out, manifest);
  return out;
}

std::string to_json(const ImageReader& image) {
  const PageCounts counts = count_pages(image.index());
  std::string out = fmt::format(
      R"({{"format":"{}.{}","digest":"{}","parent":{},"size":{},"mappable":{},"created_ns":{},"frames":{},)"
      R"("stored_pages":{},"stored_bytes":{},"zero_pages":{},"sections":[)",
      image.header().major, image.header().minor, to_hex(image.digest()),
      image.parent() ? json_string(to_hex(*image.parent())) : "null", image.file_size(), image.mappable(),
      image.header().created_ns, image.index().frames().size(), counts.stored, counts.stored_bytes, counts.zero);
  char separator = ' ';
  for (const auto& section : image.sections()) {
    out += fmt::format(R"({}{{"kind":{},"offset":{},"size":{},"hash":"{}"}})", separator, section.kind, section.offset,
                       section.size, to_hex(section.hash));
    separator = ',';
  }
  return out + R"(],"manifest":)" + to_json(image.manifest()) + '}';
}

}  // namespace osp::migrate
