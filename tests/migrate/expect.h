#pragma once

#include <cerrno>
#include <cstdio>

// What the programs that are checkpointed and restored find wrong afterwards: printed, and counted.
inline int failures = 0;

inline void expect(bool holds, const char* what) {
  if (holds) return;
  std::printf("wrong: %s (errno %d)\n", what, errno);
  ++failures;
}
