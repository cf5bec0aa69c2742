#include "kernel/cpu/random.h"

#include <bit>

#include "kernel/cpu/panic.h"
#include "kernel/cpu/registers.h"
#include "kernel/library/bytes.h"
#include "kernel/library/lock.h"

namespace osp::kernel {
namespace {

constexpr int key_words = 8, block_words = 16, double_rounds = 10;
constexpr uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

struct Generator {
  uint32_t key[key_words] = {};
};

constinit Spinlock lock;
constinit Generator generator;

void quarter_round(uint32_t* s, int a, int b, int c, int d) {
  s[a] += s[b], s[d] = std::rotl(s[d] ^ s[a], 16);
  s[c] += s[d], s[b] = std::rotl(s[b] ^ s[c], 12);
  s[a] += s[b], s[d] = std::rotl(s[d] ^ s[a], 8);
  s[c] += s[d], s[b] = std::rotl(s[b] ^ s[c], 7);
}

void make_block(const uint32_t* key, uint64_t counter, uint32_t* out) {
  uint32_t start[block_words] = {};
  memcpy(start, constants, sizeof constants);
  memcpy(start + 4, key, key_words * sizeof(uint32_t));
  start[12] = static_cast<uint32_t>(counter), start[13] = static_cast<uint32_t>(counter >> 32);
  memcpy(out, start, sizeof start);
  for (int i = 0; i < double_rounds; ++i) {
    for (int column = 0; column < 4; ++column) quarter_round(out, column, column + 4, column + 8, column + 12);
    for (int at = 0; at < 4; ++at) quarter_round(out, at, 4 + (at + 1) % 4, 8 + (at + 2) % 4, 12 + (at + 3) % 4);
  }
  for (int i = 0; i < block_words; ++i) out[i] += start[i];
}

bool hardware_word(uint32_t& word) {
  constexpr int tries = 64;
  const bool has_seed = (cpu::cpuid(7).b >> 18 & 1) != 0, has_random = (cpu::cpuid(1).c >> 30 & 1) != 0;
  for (int i = 0; i < tries; ++i) {
    bool good = false;
    if (has_seed) asm volatile("rdseed %0" : "=r"(word), "=@ccc"(good));
    if (!good && has_random) asm volatile("rdrand %0" : "=r"(word), "=@ccc"(good));
    if (good) return true;
  }
  return false;
}

}  // namespace

void start_random() {
  for (uint32_t& word : generator.key)
    if (!hardware_word(word)) panic("this processor gives no random numbers");
}

void fill_random(void* to, size_t size) {
  uint32_t key[key_words], block[block_words];
  {
    Locked guard(lock);  // the next caller's key is the first half of block 0, ours the second
    make_block(generator.key, 0, block);
    memcpy(generator.key, block, sizeof key);
    memcpy(key, block + key_words, sizeof key);
  }
  auto* at = static_cast<char*>(to);
  for (uint64_t counter = 1; size > 0; ++counter) {
    make_block(key, counter, block);
    const size_t part = size < sizeof block ? size : sizeof block;
    memcpy(at, block, part);
    at += part, size -= part;
  }
  memset(key, 0, sizeof key), memset(block, 0, sizeof block);
}

}  // namespace osp::kernel
