#include "pip/store/store_file.h"

#include <sys/stat.h>

namespace osp::pip::store {
namespace {

// What is damaged cannot be read, for whoever asks.
Result<void> shown(Result<void> result) {
  if (!result && (result.error().code == EBADMSG || result.error().code == ENOENT)) return fail(EIO);
  return result;
}

}  // namespace

Result<Listing> Listing::of(TreeView& view, uint64_t directory) {
  Listing listing;
  listing.directory_ = directory;
  OSP_ASSIGN(listing.names_, view.names(directory));
  return listing;
}

StoreFile::StoreFile(StoreTree& tree, NodePtr node, const OpenMode& mode)
    : tree_(tree), node_(std::move(node)), mode_(mode) {
  ++node_->opens;
  if (mode_.write) ++node_->writers;
}

StoreFile::~StoreFile() { tree_.closed(node_, mode_.write); }

Result<size_t> StoreFile::read(uint64_t offset, std::span<std::byte> into) {
  if (S_ISDIR(node_->inode().mode)) return fail(EISDIR);
  if (!mode_.read) return fail(EBADF);
  return node_->read(offset, into);
}

Result<size_t> StoreFile::write(uint64_t offset, std::span<const std::byte> from) {
  if (!mode_.write) return fail(EBADF);
  if (mode_.append) offset = node_->inode().size;
  OSP_TRY(shown(node_->write(offset, from)));
  return from.size();
}

Result<uint64_t> StoreFile::append(std::span<const std::byte> from) {
  if (!mode_.write) return fail(EBADF);
  OSP_TRY(shown(node_->write(node_->inode().size, from)));
  return node_->inode().size;
}

Result<std::vector<DirectoryEntry>> StoreFile::read_directory(uint64_t first, size_t count) {
  if (!S_ISDIR(node_->inode().mode)) return fail(ENOTDIR);
  if (first == 0 || !listing_) {
    OSP_ASSIGN(listing_, Listing::of(tree_.view_, node_->id()));
  }
  return listing_->entries(tree_.view_, first, count,
                           [](uint64_t id, const Inode& inode) { return inode.describe(id); });
}

Result<void> StoreFile::change(const AttributeChange& change) {
  return shown(tree_.apply(node_, change, mode_.write || tree_.view_.may(node_->inode(), 2)));
}

Result<void> StoreFile::commit() {
  if (mode_.write) OSP_TRY(shown(node_->commit()));
  return tree_.store_.sync();
}

Result<void> StoreFile::close() { return mode_.write ? shown(node_->commit()) : Result<void>(); }

}  // namespace osp::pip::store
