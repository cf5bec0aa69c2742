#include "libosp/load/stack.h"

#include <elf.h>

#include <algorithm>
#include <cstring>

#include "libosp/load/elf.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

namespace osp::load {
namespace {

constexpr uint64_t arg_floor = 131072;      // ARG_MAX: never less than this
constexpr uint64_t arg_ceiling = 6u << 20;  // three quarters of the default stack limit
constexpr std::string_view platform = "x86_64";
constexpr uint64_t clock_ticks = 100;

uint64_t strings_limit(uint64_t stack_limit) { return std::max(std::min(stack_limit / 4, arg_ceiling), arg_floor); }

// The bytes of all strings with their NULs, or E2BIG if one is too long.
Result<uint64_t> strings_size(std::span<const std::string> strings) {
  uint64_t size = 0;
  for (const std::string& string : strings) {
    if (string.size() + 1 > max_string_size) return fail(E2BIG);
    size += string.size() + 1;
  }
  return size;
}

// Writes downwards from the stack's top into a buffer that is large enough.
class Writer {
 public:
  Writer(uint64_t top, size_t capacity) : top_(top), bytes_(capacity), at_(capacity) {}

  uint64_t address() const { return top_ - (bytes_.size() - at_); }

  void skip(size_t size) { at_ -= size; }
  void align(uint64_t alignment) { at_ -= address() % alignment; }

  uint64_t put(const void* data, size_t size) {
    at_ -= size;
    std::memcpy(bytes_.data() + at_, data, size);
    return address();
  }
  uint64_t put_string(std::string_view text) {
    skip(1);
    return put(text.data(), text.size());
  }
  void put_words(std::span<const uint64_t> words) { put(words.data(), words.size_bytes()); }

  // Puts the strings so that the first is lowest, and appends their addresses to `pointers`.
  void put_strings(std::span<const std::string> strings, std::vector<uint64_t>& pointers) {
    const size_t first = pointers.size();
    for (size_t i = strings.size(); i-- > 0;) pointers.push_back(put_string(strings[i]));
    std::reverse(pointers.begin() + static_cast<ptrdiff_t>(first), pointers.end());
  }

  std::vector<std::byte> take() {
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<ptrdiff_t>(at_));
    return std::move(bytes_);
  }

 private:
  uint64_t top_;
  std::vector<std::byte> bytes_;
  size_t at_;
};

struct Strings {
  uint64_t execfn = 0, platform = 0, random = 0;
};

// In the order in which Linux lays them out.
std::vector<uint64_t> auxiliary_vector(const StackInput& input, const Strings& at) {
  std::vector<uint64_t> words;
  const auto add = [&words](uint64_t type, uint64_t value) { words.insert(words.end(), {type, value}); };
  if (input.vdso != 0) add(AT_SYSINFO_EHDR, input.vdso);
  add(AT_MINSIGSTKSZ, input.minsigstksz);
  add(AT_HWCAP, input.hwcap);
  add(AT_PAGESZ, page_size);
  add(AT_CLKTCK, clock_ticks);
  add(AT_PHDR, input.phdr_address);
  add(AT_PHENT, sizeof(Elf64_Phdr));
  add(AT_PHNUM, input.phdr_count);
  add(AT_BASE, input.interpreter_base);
  add(AT_FLAGS, 0);
  add(AT_ENTRY, input.entry);
  add(AT_UID, input.uid);
  add(AT_EUID, input.euid);
  add(AT_GID, input.gid);
  add(AT_EGID, input.egid);
  add(AT_SECURE, 0);
  add(AT_RANDOM, at.random);
  add(AT_HWCAP2, input.hwcap2);
  add(AT_EXECFN, at.execfn);
  add(AT_PLATFORM, at.platform);
  add(AT_NULL, 0);
  return words;
}

Strings put_all_strings(const StackInput& input, std::span<const std::string> argv, Writer& writer, StackImage& image,
                        std::vector<uint64_t>& pointers) {
  Strings at;
  writer.skip(sizeof(uint64_t));
  at.execfn = writer.put_string(input.execfn);
  image.envp_end = writer.address();
  std::vector<uint64_t> env_pointers;
  writer.put_strings(input.envp, env_pointers);
  image.envp_start = image.argv_end = writer.address();
  writer.put_strings(argv, pointers);
  image.argv_start = writer.address();
  pointers.push_back(0);
  pointers.insert(pointers.end(), env_pointers.begin(), env_pointers.end());
  pointers.push_back(0);
  at.platform = writer.put_string(platform);
  at.random = writer.put(input.random.data(), input.random.size());
  writer.align(16);
  return at;
}

// Checks the limits of execve(2) and returns the size of all strings.
Result<uint64_t> checked_size(const StackInput& input, std::span<const std::string> argv) {
  OSP_ASSIGN(const uint64_t argv_size, strings_size(argv));
  OSP_ASSIGN(const uint64_t envp_size, strings_size(input.envp));
  if (input.execfn.size() + 1 > max_string_size) return fail(E2BIG);
  const uint64_t pointers = (argv.size() + input.envp.size()) * sizeof(uint64_t);
  const uint64_t strings = argv_size + envp_size + input.execfn.size() + 1;
  if (strings + pointers > strings_limit(input.stack_limit)) return fail(E2BIG);
  return strings;
}

}  // namespace

Result<StackImage> build_stack(const StackInput& input) {
  if (input.top % page_size != 0) return fail(EINVAL);
  const std::string empty;
  const std::span<const std::string> argv = input.argv.empty() ? std::span(&empty, 1) : input.argv;
  OSP_ASSIGN(const uint64_t strings, checked_size(input, argv));
  constexpr size_t rest = 1024;  // auxv (21 pairs), argc, the NULLs, platform, random, alignment
  Writer writer(input.top, strings + (argv.size() + input.envp.size()) * sizeof(uint64_t) + rest);
  StackImage image;
  std::vector<uint64_t> words = {argv.size()};
  const Strings at = put_all_strings(input, argv, writer, image, words);
  const std::vector<uint64_t> auxv = auxiliary_vector(input, at);
  // rsp must be a multiple of 16 with argc there; an odd count of words moves all of it by one.
  if ((words.size() + auxv.size()) % 2 != 0) writer.skip(sizeof(uint64_t));
  image.auxv_end = writer.address();
  writer.put_words(auxv);
  image.auxv_start = writer.address();
  writer.put_words(words);
  image.stack_pointer = writer.address();
  image.bytes = writer.take();
  return image;
}

}  // namespace osp::load
