#include "migrate/frame_codec.h"

#include <zstd.h>

namespace osp::migrate {

void FrameEncoder::Free::operator()(ZSTD_CCtx_s* context) const { ZSTD_freeCCtx(context); }
void FrameDecoder::Free::operator()(ZSTD_DCtx_s* context) const { ZSTD_freeDCtx(context); }

Result<FrameEncoder> FrameEncoder::create(int level, size_t frame_size) {
  FrameEncoder encoder;
  if (level == 0) return encoder;
  encoder.context_.reset(ZSTD_createCCtx());
  if (!encoder.context_) return fail(ENOMEM);
  if (ZSTD_isError(ZSTD_CCtx_setParameter(encoder.context_.get(), ZSTD_c_compressionLevel, level))) return fail(EINVAL);
  encoder.buffer_.resize(frame_size - frame_size / 16);
  return encoder;
}

EncodedFrame FrameEncoder::encode(std::span<const std::byte> raw) {
  if (!context_) return {format::Codec::raw, raw};
  const size_t room = std::min(buffer_.size(), raw.size() - raw.size() / 16);
  const size_t size = ZSTD_compress2(context_.get(), buffer_.data(), room, raw.data(), raw.size());
  if (ZSTD_isError(size)) return {format::Codec::raw, raw};  // it did not fit: incompressible
  return {format::Codec::zstd, std::span(buffer_).first(size)};
}

Result<FrameDecoder> FrameDecoder::create() {
  FrameDecoder decoder;
  decoder.context_.reset(ZSTD_createDCtx());
  if (!decoder.context_) return fail(ENOMEM);
  return decoder;
}

Result<void> FrameDecoder::decode(std::span<const std::byte> stored, std::span<std::byte> into) {
  if (ZSTD_findFrameCompressedSize(stored.data(), stored.size()) != stored.size()) return fail(EBADMSG);
  const size_t size = ZSTD_decompressDCtx(context_.get(), into.data(), into.size(), stored.data(), stored.size());
  if (ZSTD_isError(size) || size != into.size()) return fail(EBADMSG);
  return {};
}

}  // namespace osp::migrate
