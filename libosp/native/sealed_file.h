#pragma once

#include <memory>

#include "pip/server.h"

namespace osp::native {

// A file of memfd_create(2) with its seals (fcntl(2), F_ADD_SEALS): what they forbid answers EPERM.
class SealedFile final : public pip::File {
 public:
  // `seals`: those that it begins with. F_SEAL_SEAL: there can be no others.
  SealedFile(std::unique_ptr<pip::File> file, unsigned seals) : file_(std::move(file)), seals_(seals) {}

  Result<size_t> read(uint64_t offset, std::span<std::byte> into) override { return file_->read(offset, into); }
  Result<size_t> write(uint64_t offset, std::span<const std::byte> from) override;
  Result<uint64_t> append(std::span<const std::byte> from) override;
  Result<pip::Attributes> stat() override { return file_->stat(); }
  Result<void> change(const pip::AttributeChange& change) override;
  Result<pip::PageRange> map(uint64_t offset, uint64_t size, bool writable) override;

  [[nodiscard]] unsigned seals() const { return seals_; }
  // EINVAL: of an unknown kind; EPERM: F_SEAL_SEAL; EBUSY: F_SEAL_WRITE while the file is mapped to be written.
  Result<void> add_seals(unsigned seals);

 private:
  [[nodiscard]] Result<void> check_write(uint64_t end) const;
  [[nodiscard]] Result<bool> is_mapped_for_writing();

  std::unique_ptr<pip::File> file_;
  unsigned seals_;
};

}  // namespace osp::native
