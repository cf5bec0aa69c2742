#include <fmt/format.h>

#include "pip/codec.h"

namespace osp::pip {
namespace {

constexpr size_t printed_bytes = 32;
constexpr std::string_view protocol_name = "πp";

struct OptionName {
  Option option;
  std::string_view name;
};
constexpr OptionName option_names[] = {
    {Option::resume, "resume"}, {Option::linux_, "linux"}, {Option::lease, "lease"}, {Option::lock, "lock"}};

void print_bytes(std::string_view bytes, std::string& out) {
  out += '"';
  for (const char c : bytes.substr(0, printed_bytes)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\') {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", byte);
    }
  }
  out += '"';
  if (bytes.size() > printed_bytes) out += fmt::format("…({})", bytes.size());
}

struct FieldPrinter {
  std::string& out;

  template <class T>
  void operator()(const char* name, const T& value, Option, const char*) {
    out += fmt::format(" {} ", name);
    if constexpr (std::is_same_v<T, std::string_view>) {
      print_bytes(value, out);
    } else {
      out += fmt::format("{}", value);
    }
  }
};

std::string_view option_label(Option option) {
  for (const OptionName& known : option_names)
    if (known.option == option) return known.name;
  return "";
}

struct FieldRow {
  std::string& out;
  bool first = true;

  template <class T>
  void operator()(const char* name, const T&, Option option, std::string_view kind_name) {
    out += first ? "" : ", ";
    out += fmt::format("{} {}", name, kind_name == "text" ? "string" : kind_name);
    if (const auto label = option_label(option); !label.empty()) out += fmt::format(" ({})", label);
    first = false;
  }
};

template <class T>
std::string table_row() {
  std::string row = fmt::format("| {} | {} | ", T::type_name, T::type);
  T message;
  visit_fields(message, FieldRow{row});
  return row + fmt::format(" | {} |\n", option_label(T::needs));
}

OptionSet parse_option_words(std::string_view words) {
  OptionSet options;
  while (!words.empty()) {
    const std::string_view word = words.substr(0, words.find('+'));
    for (const OptionName& known : option_names)
      if (known.name == word) options = options.with(known.option);
    words.remove_prefix(std::min(words.size(), word.size() + 1));
  }
  return options;
}

}  // namespace

std::string option_text(OptionSet options) {
  std::string text(protocol_name);
  for (const OptionName& known : option_names)
    if (options.has(known.option)) (text += '+') += known.name;
  return text;
}

Result<OptionSet> parse_options(std::string_view text) {
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    if (word == protocol_name) return OptionSet();
    if (word.starts_with(protocol_name) && word[protocol_name.size()] == '+')
      return parse_option_words(word.substr(protocol_name.size() + 1));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
  }
  return fail(EPROTONOSUPPORT);
}

std::string print(const Message& message) {
  return std::visit(
      []<class T>(const T& value) -> std::string {
        if constexpr (std::is_same_v<T, std::monostate>) {
          return "nothing";
        } else {
          std::string out(T::type_name);
          T copy = value;
          visit_fields(copy, FieldPrinter{out});
          return out;
        }
      },
      message);
}

std::string print(const Packet& packet) {
  std::string out = print(packet.head);
  for (const Message& message : packet.messages) out += "; " + print(message);
  return out;
}

std::string message_table() {
  std::string table = "| message | code | fields (option) | needs option |\n|---|---|---|---|\n";
#define MESSAGE(name, code, option) table += table_row<name>();
#define FIELD(kind_, member, wire, option)
#define END()
#include "pip/messages.def"
  return table;
}

}  // namespace osp::pip
