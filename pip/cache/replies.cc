#include "pip/cache/replies.h"

#include <sys/stat.h>

#include "pip/codec.h"

namespace osp::pip {
namespace {

constexpr OptionSet options = OptionSet::all();
constexpr uint32_t file_type_directory = 1;  // Ropen's Ftype, as the server's
constexpr uint32_t file_type_versioned = 4;
constexpr size_t length_size = 4;

}  // namespace

Answer make_answer(const std::vector<Message>& replies) {
  Answer answer{.bytes = std::make_unique<std::string>(), .replies = {}};
  (void)encode_group(Rgroup{}, replies, options, UINT32_MAX, *answer.bytes);
  auto packet = decode_body(std::string_view(*answer.bytes).substr(length_size), options, UINT16_MAX);
  if (packet) answer.replies = std::move(packet->messages);
  return answer;
}

Ropen opened(const Attributes& attributes, std::string_view packed, uint32_t iounit) {
  return {.iounit = iounit,
          .ftype = S_ISDIR(attributes.mode) ? file_type_directory : file_type_versioned,
          .version = attributes.version,
          .attributes = packed};
}

}  // namespace osp::pip
