#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "migrate/image_error.h"
#include "migrate/manifest.h"

// What validate.cc is made of; nothing else includes this.
namespace osp::migrate::validation {

template <class... Args>
std::unexpected<ImageError> bad(fmt::format_string<Args...> format, Args&&... args) {
  return refuse("manifest", fmt::format(format, std::forward<Args>(args)...));
}

template <class T>
bool in_list(uint32_t index, const std::vector<T>& list) {
  return index < list.size();
}
template <class T>
bool none_or_in_list(uint32_t index, const std::vector<T>& list) {
  return index == none || index < list.size();
}

ImageResult<void> check_files(const Manifest& manifest);  // files, objects, pipes, sessions, descriptions
ImageResult<void> check_areas(const Manifest& manifest, const Process& process);
ImageResult<void> check_thread(const Process& process, const Thread& thread);
ImageResult<void> check_pending(const std::vector<PendingSignal>& signals, std::string_view whose);

inline constexpr int last_signal = 64;

}  // namespace osp::migrate::validation
