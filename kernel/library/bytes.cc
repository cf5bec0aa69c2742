#include "kernel/library/bytes.h"

extern "C" {

void* memcpy(void* to, const void* from, size_t size) {
  void* at = to;
  size_t words = size / 8, rest = size % 8;
  asm volatile("rep movsq" : "+D"(at), "+S"(from), "+c"(words) : : "memory");
  asm volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(rest) : : "memory");
  return to;
}

void* memmove(void* to, const void* from, size_t size) {
  auto* target = static_cast<char*>(to);
  const auto* source = static_cast<const char*>(from);
  if (target <= source || target >= source + size) return memcpy(to, from, size);
  for (size_t i = size; i > 0; --i) {
    target[i - 1] = source[i - 1];
    asm volatile("" : : : "memory");  // or the compiler makes this loop a call of memmove
  }
  return to;
}

void* memset(void* to, int value, size_t size) {
  void* at = to;
  const uint64_t pattern = static_cast<unsigned char>(value) * uint64_t{0x0101'0101'0101'0101};
  size_t words = size / 8, rest = size % 8;
  asm volatile("rep stosq" : "+D"(at), "+c"(words) : "a"(pattern) : "memory");
  asm volatile("rep stosb" : "+D"(at), "+c"(rest) : "a"(pattern) : "memory");
  return to;
}

int memcmp(const void* one, const void* other, size_t size) {
  const auto* left = static_cast<const unsigned char*>(one);
  const auto* right = static_cast<const unsigned char*>(other);
  for (size_t i = 0; i < size; ++i)
    if (left[i] != right[i]) return left[i] - right[i];
  return 0;
}

}  // extern "C"
