#include "kernel/device/cmos.h"

#include "kernel/cpu/registers.h"

namespace osp::kernel {
namespace {

constexpr uint16_t index_port = 0x70, data_port = 0x71;
constexpr uint8_t status_a = 0x0a, status_b = 0x0b;
constexpr uint8_t updating = 0x80, binary = 0x04, all_day = 0x02, afternoon = 0x80;

struct Date {
  int64_t second, minute, hour, day, month, year;
  bool operator==(const Date&) const = default;
};

uint8_t read(uint8_t index) {
  cpu::out8(index_port, index);
  return cpu::in8(data_port);
}

int64_t number(uint8_t raw, uint8_t format) {
  return (format & binary) != 0 ? raw : (raw >> 4) * int64_t{10} + (raw & 15);
}

Date read_date(uint8_t format) {
  const uint8_t raw_hour = read(4);
  int64_t hour = number(raw_hour & ~afternoon, format);
  if ((format & all_day) == 0) hour = hour % 12 + ((raw_hour & afternoon) != 0 ? 12 : 0);
  return {number(read(0), format), number(read(2), format), hour,
          number(read(7), format), number(read(8), format), 2000 + number(read(9), format)};
}

// Days since 1970 of a date of the Gregorian calendar, with years that begin in March.
int64_t days_of(const Date& date) {
  const int64_t year = date.month <= 2 ? date.year - 1 : date.year;
  const int64_t month = (date.month + 9) % 12;
  return 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + date.day - 1 - 719'468;
}

}  // namespace

int64_t read_realtime_seconds() {
  constexpr int patience = 10'000;
  if (read(status_a) == 0xff) return 0;
  const uint8_t format = read(status_b);
  Date date = {}, again = {};
  for (int i = 0; i < patience; ++i) {  // until it reads the same twice, outside of an update
    if ((read(status_a) & updating) != 0) continue;
    date = read_date(format);
    again = read_date(format);
    if (date == again) break;
  }
  return days_of(date) * 86'400 + date.hour * 3600 + date.minute * 60 + date.second;
}

}  // namespace osp::kernel
