// osp-unpack: makes a folder of the root in an archive, for osp-run --root, which executes it.
#include <fmt/format.h>
#include <unistd.h>

#include <clocale>
#include <cstdlib>
#include <exception>
#include <string_view>

#include "tools/unpack/cache.h"

namespace {

constexpr int status_failed = 125;

int complain(const char* archive, const std::string& why) {
  fmt::print(stderr, "osp-run: --root {}: {}\n", archive, why);
  return status_failed;
}

int put(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
    if (written <= 0) return status_failed;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || isatty(STDOUT_FILENO) == 1) {
    fmt::print(stderr, "osp-unpack: this is for osp-run --root ARCHIVE, which reads what it prints\n");
    return status_failed;
  }
  setlocale(LC_CTYPE, "C.UTF-8");  // names in archives are in UTF-8
  try {
    const auto start = osp::unpack::find_root(argv[1]);
    return start ? put(start->text()) : complain(argv[1], start.error());
  } catch (const std::exception& error) {
    return complain(argv[1], error.what());
  }
}
