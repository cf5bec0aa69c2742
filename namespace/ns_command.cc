#include <fmt/format.h>

#include <utility>

#include "namespace/ns_parser.h"

// One command of a name space file: flags, options, operands.
namespace osp::ns {
namespace {

std::unexpected<NsError> error(const Position& at, std::string reason, std::string remedy) {
  return std::unexpected(NsError{at, {EINVAL, std::move(reason), std::move(remedy)}});
}

const char* usage(Command::Kind kind) {
  switch (kind) {
    case Command::Kind::mount:
      return "write: mount [-abcrp] [-o OPTIONS] URL PATH";
    case Command::Kind::bind:
      return "write: bind [-abcrp] OLD NEW";
    default:
      return "write: unmount [OLD] NEW";
  }
}

// One letter of a flag word; false: there is no such flag.
bool set_flag(char letter, MountFlags& flags) {
  switch (letter) {
    case 'a':
      flags.order = Order::after;
      return true;
    case 'b':
      flags.order = Order::before;
      return true;
    case 'c':
      return flags.create = true;
    case 'r':
      return flags.read_only = true;
    case 'p':
      return flags.make_up = true;
    default:
      return false;
  }
}

NsResult<void> read_flags(const Word& word, Command& command) {
  for (const char letter : word.text.substr(1)) {
    const Order before = command.flags.order;
    if (command.kind == Command::Kind::unmount || !set_flag(letter, command.flags))
      return error(word.at, fmt::format("there is no flag -{}", letter), usage(command.kind));
    if (before != Order::replace && before != command.flags.order)
      return error(word.at, "-a and -b exclude each other", "leave one out");
  }
  return {};
}

// "ro,at=2026-10-01": ro is ours; the rest is for whoever makes the server.
void read_options(std::string_view options, MountFlags& flags) {
  while (!options.empty()) {
    const std::string_view option = options.substr(0, options.find(','));
    options.remove_prefix(option.size() < options.size() ? option.size() + 1 : option.size());
    if (option == "ro") {
      flags.read_only = true;
    } else if (!option.empty()) {
      if (!flags.options.empty()) flags.options += ',';
      flags.options += option;
    }
  }
}

// Reads flags and -o from words[1] on; returns the index of the first operand.
NsResult<size_t> read_leading(const std::vector<Word>& words, Command& command) {
  size_t i = 1;
  for (; i < words.size() && words[i].text.starts_with('-') && words[i].text.size() > 1; ++i) {
    if (words[i].text == "--") return i + 1;
    if (words[i].text == "-o" && command.kind == Command::Kind::mount) {
      if (++i == words.size()) return error(words[i - 1].at, "-o takes a list of options", usage(command.kind));
      read_options(words[i].text, command.flags);
    } else if (auto done = read_flags(words[i], command); !done) {
      return std::unexpected(std::move(done.error()));
    }
  }
  return i;
}

NsResult<void> check_operands(const Command& command, const std::vector<Word>& words, size_t first) {
  for (size_t i = first; i < words.size(); ++i)
    if (words[i].text.empty()) return error(words[i].at, "an operand is empty", usage(command.kind));
  const Word& source = words[first];
  const bool url = source.text.contains("://");
  if (command.kind == Command::Kind::bind && url)
    return error(source.at, fmt::format("{} is a URL, not a path", source.text), "use mount for URLs");
  if (command.kind == Command::Kind::mount && !url && !source.text.starts_with("/srv/") && !is_device(source.text))
    return error(source.at, fmt::format("{} names no server", source.text),
                 "mount takes pip://…, /srv/NAME or #DEVICE; use bind for paths");
  if (is_device(words.back().text) && command.kind != Command::Kind::unmount)
    return error(words.back().at, fmt::format("{} is a device, not a mount point", words.back().text),
                 "the mount point comes last; a file of this name is ./#…");
  return {};
}

}  // namespace

NsResult<Command> parse_command(const std::vector<Word>& words) {
  Command command{.flags = {}, .source = {}, .target = {}, .at = words[0].at};
  const std::string& name = words[0].text;
  if (name == "mount") {
    command.kind = Command::Kind::mount;
  } else if (name == "unmount") {
    command.kind = Command::Kind::unmount;
  } else if (name != "bind") {
    return error(words[0].at, fmt::format("unknown command '{}'", name), "commands are mount, bind, unmount and .");
  }
  const auto first = read_leading(words, command);
  if (!first) return std::unexpected(first.error());
  const size_t count = words.size() - *first;
  const bool single = command.kind == Command::Kind::unmount && count == 1;
  if (count != 2 && !single)
    return error(words[0].at, fmt::format("{} has {} operands", name, count), usage(command.kind));
  if (auto good = check_operands(command, words, *first); !good) return std::unexpected(std::move(good.error()));
  if (!single) command.source = words[*first].text;
  command.target = words.back().text;
  return command;
}

namespace {

NsResult<Command> parse_option(const char* name, std::string_view argument, Position at) {
  std::vector<Word> words = {{name, at}};
  bool value = false;  // of -o
  while (argument.starts_with('-') || value) {
    const size_t blank = argument.find(' ');
    words.push_back({std::string(argument.substr(0, blank)), at});
    argument.remove_prefix(blank == std::string_view::npos ? argument.size() : blank + 1);
    value = !value && words.back().text == "-o";
  }
  const size_t equals = argument.rfind('=');
  if (equals == std::string_view::npos)
    return error(at, fmt::format("'{}' has no =", argument),
                 name == std::string_view("bind") ? "write: -b OLD=NEW" : "write: -m URL=PATH");
  words.push_back({"--", at});
  words.push_back({std::string(argument.substr(0, equals)), at});
  words.push_back({std::string(argument.substr(equals + 1)), at});
  return parse_command(words);
}

}  // namespace

NsResult<Command> parse_mount_option(std::string_view argument, unsigned number) {
  return parse_option("mount", argument, {fmt::format("command line, -m option {}", number), 0, 0});
}

NsResult<Command> parse_bind_option(std::string_view argument, unsigned number) {
  return parse_option("bind", argument, {fmt::format("command line, -b option {}", number), 0, 0});
}

}  // namespace osp::ns
