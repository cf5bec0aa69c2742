#include "tools/unpack/hash.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

namespace osp::unpack {

Outcome<std::string> sha256_of(int fd, Progress& progress) {
  constexpr size_t piece = 1 << 20;
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  if (context == nullptr || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1)
    return wrong("SHA-256 is not to be had of libcrypto");
  std::vector<unsigned char> buffer(piece);
  for (off_t offset = 0;;) {
    const ssize_t size = pread(fd, buffer.data(), buffer.size(), offset);
    if (size < 0) return wrong(strerror(errno));
    if (size == 0) break;
    EVP_DigestUpdate(context.get(), buffer.data(), static_cast<size_t>(size));
    offset += size;
    progress.at(static_cast<uint64_t>(offset));
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest = {};
  unsigned size = 0;
  EVP_DigestFinal_ex(context.get(), digest.data(), &size);
  std::string text;
  for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

}  // namespace osp::unpack
