#pragma once

#include <kj/string.h>

// Included before everything else where clang compiles what uses Cap'n Proto. KJ 0.9 leaves these two out for
// compilers that reverse ==, but clang 16 does not reverse one that has a != beside it (C++ paper P2468).
namespace kj {
inline bool operator==(const char* a, const StringPtr& b) { return b == StringPtr(a); }
inline bool operator!=(const char* a, const StringPtr& b) { return b != StringPtr(a); }
}  // namespace kj
