#include "libosp/linux/trace.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <array>
#include <string_view>

#include "libosp/file/files.h"
#include "libosp/host/side.h"

namespace osp::linux {
namespace {

constexpr size_t longest_data = 32;

int trace_fd = 2;
void write_to_fd(std::string_view text) { raw::write(trace_fd, text.data(), text.size()); }
void (*write_line)(std::string_view text) = &write_to_fd;
std::string line;  // of the call that is being served; calls of other threads print their own beginning

struct Flag {
  int value;
  const char* name;
};
constexpr std::array open_flags = {
    Flag{O_CREAT, "O_CREAT"},     Flag{O_EXCL, "O_EXCL"},         Flag{O_NOCTTY, "O_NOCTTY"},
    Flag{O_TRUNC, "O_TRUNC"},     Flag{O_APPEND, "O_APPEND"},     Flag{O_NONBLOCK, "O_NONBLOCK"},
    Flag{O_CLOEXEC, "O_CLOEXEC"}, Flag{O_NOFOLLOW, "O_NOFOLLOW"}, Flag{O_DIRECTORY, "O_DIRECTORY"},
    Flag{O_PATH, "O_PATH"},       Flag{O_DIRECT, "O_DIRECT"}};
constexpr std::array protections = {Flag{PROT_READ, "PROT_READ"}, Flag{PROT_WRITE, "PROT_WRITE"},
                                    Flag{PROT_EXEC, "PROT_EXEC"}};

std::string quoted(std::string_view text, bool whole) {
  std::string out = "\"";
  for (const char ch : text) {
    if (ch == '\n') {
      out += "\\n";
    } else if (ch == '"' || ch == '\\') {
      out += {'\\', ch};
    } else if (ch >= 0x20 && ch < 0x7f) {
      out += ch;
    } else {
      out += fmt::format("\\{:o}", static_cast<unsigned char>(ch));
    }
  }
  return out + (whole ? "\"" : "\"…");
}

std::string string_at(uint64_t address) {
  if (address == 0) return "NULL";
  const auto text = get_string(address);
  return text ? quoted(*text, true) : fmt::format("{:#x}", address);
}

std::string data_at(uint64_t address, uint64_t size) {
  std::array<char, longest_data> data = {};
  const size_t shown = std::min<uint64_t>(size, data.size());
  if (osp_user_copy(data.data(), reinterpret_cast<void*>(address), shown) != 0) return fmt::format("{:#x}", address);
  return quoted({data.data(), shown}, shown == size);
}

template <size_t n>
std::string flags_of(const std::array<Flag, n>& names, uint64_t value, std::string out) {
  for (const Flag& flag : names) {
    const auto bits = static_cast<uint64_t>(flag.value);
    if ((value & bits) != bits || bits == 0) continue;
    out += (out.empty() ? "" : "|") + std::string(flag.name);
    value &= ~bits;
  }
  return out;
}

std::string open_mode(uint64_t value) {
  constexpr std::array access = {"O_RDONLY", "O_WRONLY", "O_RDWR", "3"};
  return flags_of(open_flags, value & ~uint64_t{O_ACCMODE}, access[value & O_ACCMODE]);
}

std::string timespec_at(uint64_t address) {
  timespec t = {};
  return get(address, t) ? fmt::format("{{{}, {}}}", t.tv_sec, t.tv_nsec) : fmt::format("{:#x}", address);
}

std::string signal_name(uint64_t value) {
  const char* name = sigabbrev_np(static_cast<int>(value));
  return name != nullptr ? fmt::format("SIG{}", name) : fmt::format("{}", value);
}

std::string argument(const Call& c, char form, uint64_t value) {
  switch (form) {
    case 'f':
    case 'd':
      return fmt::format("{}", static_cast<int32_t>(value));
    case 'D':
      return static_cast<int>(value) == AT_FDCWD ? "AT_FDCWD" : fmt::format("{}", static_cast<int>(value));
    case 's':
      return string_at(value);
    case 'b':
      return data_at(value, c.c);
    case 'u':
      return fmt::format("{}", value);
    case 'o':
      return open_mode(value);
    case 'm':
      return fmt::format("0{:o}", static_cast<uint32_t>(value));
    case 'P':
      return value == 0 ? "PROT_NONE" : flags_of(protections, value, "");
    case 'S':
      return signal_name(value);
    case 't':
      return timespec_at(value);
    case 'p':
      return value == 0 ? "NULL" : fmt::format("{:#x}", value);
    default:
      return fmt::format("{:#x}", value);
  }
}

void emit(const std::string& text) { write_line(text); }

}  // namespace

Result<void> trace_to(const std::string& path) {
  if (path.empty()) {
    trace_fd = static_cast<int>(file::keep_fd(static_cast<int>(raw::syscall(SYS_dup, 2))));
    return {};
  }
  const long fd =
      raw::syscall(SYS_openat, AT_FDCWD, path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return fail(static_cast<int>(-fd));
  trace_fd = static_cast<int>(file::keep_fd(static_cast<int>(fd)));
  return {};
}

void trace_with(void (*write)(std::string_view text)) { write_line = write; }

void trace_begin(const Call& c, const Entry& e) {
  const std::array<uint64_t, 6> values = {c.a, c.b, c.c, c.d, c.e, c.f};
  line = fmt::format("[{}] {}(", c.thread.tid, e.name);
  size_t index = 0;
  for (const char* form = e.format; *form != '\0' && index < values.size(); ++form) {
    if (*form == ',' || (*form >= '0' && *form <= '9')) continue;
    if (index > 0) line += ", ";
    line += argument(c, *form, values[index++]);
  }
  line += ")";
}

void trace_end(const Call& c, const Entry& e, long result) {
  if (line.empty()) line = fmt::format("[{}] {} resumed", c.thread.tid, e.name);
  if (result == task::call_was_replaced) {
    line += "\n";
  } else if (result < 0 && result >= -4095) {
    const char* name = strerrorname_np(static_cast<int>(-result));
    line += name != nullptr ? fmt::format(" = -1 {} ({})\n", name, describe(Error(static_cast<int>(-result))))
                            : fmt::format(" = ? (to be restarted)\n");
  } else {
    line += result > 0xffff'ffff ? fmt::format(" = {:#x}\n", result) : fmt::format(" = {}\n", result);
  }
  emit(std::exchange(line, {}));
}

void trace_signal(const task::Thread& thread, const siginfo_t& info) {
  const bool fault = info.si_code > 0 && (info.si_signo == SIGSEGV || info.si_signo == SIGBUS ||
                                          info.si_signo == SIGFPE || info.si_signo == SIGILL);
  const std::string from = fault ? fmt::format("si_addr={}", info.si_addr) : fmt::format("si_pid={}", info.si_pid);
  emit(fmt::format("[{}] --- {} {{si_code={}, {}}} ---\n", thread.tid,
                   signal_name(static_cast<uint64_t>(info.si_signo)), info.si_code, from));
}

}  // namespace osp::linux
