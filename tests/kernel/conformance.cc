// The conformance suite of the microkernel's own calls: see README.md.
#include <cstdio>

#include "tests/kernel/check.h"
#include "tests/kernel/native_calls.h"

namespace {

int failures;

}  // namespace

void expect(bool good, const char* what, const char* file, int line) {
  if (good) return;
  ++failures;
  std::printf("  %s:%d: not so: %s\n", file, line, what);
}

bool try_one(const Contract& contract) {
  const int before = failures;
  contract.check();
  std::printf("%s %s\n", failures == before ? "ok    " : "FAILED", contract.name);
  std::fflush(stdout);
  return failures == before;
}

int main() {
  if (native_calls::boot_info() == nullptr) {
    std::printf("this is not the microkernel\n");
    return 2;
  }
  bool good = try_upcalls();
  good &= try_spaces();
  good &= try_messages();
  good &= try_devices();
  good &= try_limits();
  std::fflush(stdout);
  osp::host::end(good ? 0 : 1);
}
