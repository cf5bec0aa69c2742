#include "drivers/uart/port_settings.h"

#include <fmt/format.h>

#include <charconv>

#include "drivers/uart/registers.h"

namespace osp::uart {
namespace {

constexpr std::string_view separators = " \t\r\n";

Result<unsigned> parse_number(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return fail(EINVAL);
  return value;
}

Result<void> set_number(PortSettings& settings, char letter, unsigned value) {
  switch (letter) {
    case 'b':
      if (value == 0 || value > PortSettings::clock || PortSettings::clock / value > 0xffff) return fail(EINVAL);
      settings.speed = value;
      return {};
    case 'l':
      if (value < 5 || value > 8) return fail(EINVAL);
      settings.bits = value;
      return {};
    case 's':
      if (value < 1 || value > 2) return fail(EINVAL);
      settings.stops = value;
      return {};
    case 'd':
      settings.dtr = value != 0;
      return {};
    case 'r':
      settings.rts = value != 0;
      return {};
    case 'm':
      settings.obeys_cts = value != 0;
      return {};
    case 'i':
      settings.fifo = value != 0;
      return {};
    default:
      return fail(EINVAL);
  }
}

Result<void> apply(PortOrders& orders, std::string_view word) {
  if (word == "f") {
    orders.flush_output = true;
    return {};
  }
  if (word == "pn" || word == "po" || word == "pe") {
    orders.settings.parity = word[1];
    return {};
  }
  OSP_ASSIGN(const unsigned value, parse_number(word.substr(1)));
  return set_number(orders.settings, word[0], value);
}

}  // namespace

uint8_t PortSettings::line_control() const {
  unsigned value = bits - 5;
  if (stops == 2) value |= line_control::two_stops;
  if (parity != 'n') value |= line_control::parity;
  if (parity == 'e') value |= line_control::even;
  return static_cast<uint8_t>(value);
}

Result<PortOrders> parse_orders(std::string_view text, const PortSettings& before) {
  PortOrders orders{.settings = before};
  for (;;) {
    const size_t start = text.find_first_not_of(separators);
    if (start == std::string_view::npos) return orders;
    text.remove_prefix(start);
    const std::string_view word = text.substr(0, text.find_first_of(separators));
    OSP_TRY(apply(orders, word));
    text.remove_prefix(word.size());
  }
}

std::string status_text(const PortSettings& s, const PortErrors& errors, uint8_t modem) {
  std::string text = fmt::format("b{} d{} l{} m{} p{} r{} s{} i{}\n", s.speed, s.dtr ? 1 : 0, s.bits,
                                 s.obeys_cts ? 1 : 0, s.parity, s.rts ? 1 : 0, s.stops, s.fifo ? 1 : 0);
  text += fmt::format("framing({}) parity({}) overruns({}) breaks({})", errors.framing, errors.parity, errors.overruns,
                      errors.breaks);
  if ((modem & modem_status::cts) != 0) text += " cts";
  if ((modem & modem_status::dsr) != 0) text += " dsr";
  if ((modem & modem_status::dcd) != 0) text += " dcd";
  if ((modem & modem_status::ring) != 0) text += " ring";
  return text + '\n';
}

}  // namespace osp::uart
