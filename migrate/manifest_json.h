#pragma once

#include <string>
#include <string_view>

#include "migrate/image_reader.h"
#include "migrate/manifest.h"

// Printing for tools; not linked into the core.
namespace osp::migrate {

std::string_view name_of(AreaKind kind);
std::string_view name_of(ObjectKind kind);
std::string_view name_of(DescriptionKind kind);
std::string_view name_of(Comeback comeback);
std::string_view name_of(VectorFormat format);

// A JSON string with its quotes. Bytes that are not UTF-8 become "\udcXX", as Python's surrogateescape has it.
std::string json_string(std::string_view text);

// All of a manifest: members by their names in manifest.h, enums by name, Bytes in hexadecimal. With secrets.
std::string to_json(const Manifest& manifest);

// The whole image: format, digest, sections, page counts, and the manifest.
std::string to_json(const ImageReader& image);

}  // namespace osp::migrate
