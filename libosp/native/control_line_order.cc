#include "libosp/native/control_line_order.h"

#include <algorithm>
#include <charconv>

namespace osp::native {
namespace {

// Takes the next word off the line.
std::string_view next_word(std::string_view& line) {
  const size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

template <class T>
std::optional<T> next_number(std::string_view& line) {
  const std::string_view word = next_word(line);
  T number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (word.empty() || error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return number;
}

std::optional<Order> parse_size(std::string_view line) {
  const auto rows = next_number<uint16_t>(line), columns = next_number<uint16_t>(line);
  if (!rows || !columns || !line.empty()) return std::nullopt;
  return order::Resize{*rows, *columns};
}

std::optional<Order> parse_signal(std::string_view line) {
  constexpr int last_signal = 64;
  const auto number = next_number<int>(line);
  if (!number || *number < 1 || *number > last_signal || !line.empty()) return std::nullopt;
  return order::Signal{*number};
}

}  // namespace

std::optional<Order> parse_order(std::string_view line) {
  const std::string_view word = next_word(line);
  if (word == "signal") return parse_signal(line);
  if (word == "size") return parse_size(line);
  if (word == "closed" && line.empty()) return order::Closed{};
  if (word == "tasks" && line.empty()) return order::Tasks{};
  if (word != "eof") return std::nullopt;
  const auto count = next_number<uint64_t>(line);
  return count && line.empty() ? std::optional<Order>(order::End{*count}) : std::nullopt;
}

}  // namespace osp::native
