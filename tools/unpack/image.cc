#include "tools/unpack/image.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "tools/unpack/archive.h"

namespace osp::unpack {
namespace {

using nlohmann::json;

constexpr int most_indexes = 4;       // one in the other
constexpr size_t most_layers = 1024;  // docker has 127

bool is_hex(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// docker-save of old: HEX/layer.tar and HEX/VERSION and HEX/json, HEX.json; of now and OCI: blobs/sha256/HEX.
bool may_be_of_image(const std::string& path) {
  static constexpr std::string_view known[] = {"",           "blobs",         "blobs/sha256", "oci-layout",
                                               "index.json", "manifest.json", "repositories"};
  if (std::ranges::find(known, path) != std::end(known)) return true;
  if (path.starts_with("blobs/sha256/")) return is_hex(path.substr(13));
  const size_t end = std::min(path.find_first_of("/."), path.size());
  const std::string_view rest = std::string_view(path).substr(end);
  return is_hex(std::string_view(path).substr(0, end)) &&
         (rest.empty() || rest == ".json" || rest == ".tar" || rest == "/layer.tar" || rest == "/VERSION" ||
          rest == "/json");
}

Outcome<std::string> blob_of(const json& descriptor) {
  const std::string digest = descriptor.is_object() ? descriptor.value("digest", "") : "";
  if (!digest.starts_with("sha256:") || !is_hex(std::string_view(digest).substr(7)))
    return wrong(fmt::format("the image names a part by '{}', which is no sha256 digest", digest));
  return "blobs/sha256/" + digest.substr(7);
}

Outcome<json> parse(MemberReader& reader, const std::string& member) {
  const auto text = reader.text(member);
  if (!text) return wrong(text.error());
  json parsed = json::parse(*text, nullptr, false);
  if (parsed.is_discarded()) return wrong(fmt::format("member '{}' is not JSON", member));
  return parsed;
}

std::vector<std::string> words_of(const json& config, const char* name) {
  const json words = config.value(name, json());
  return words.is_array() ? words.get<std::vector<std::string>>() : std::vector<std::string>();
}

Outcome<command::StartRecord> read_config(MemberReader& reader, const std::string& member) {
  const auto parsed = parse(reader, member);
  if (!parsed) return wrong(parsed.error());
  const std::string processor = parsed->value("architecture", "amd64");
  if (processor != "amd64") return wrong(fmt::format("the image is for {}, this machine is amd64", processor));
  const json found = parsed->value("config", json());
  const json config = found.is_object() ? found : json::object();
  command::StartRecord start;
  start.environment = words_of(config, "Env");
  start.directory = config.value("WorkingDir", "");
  start.program = words_of(config, "Entrypoint");
  std::ranges::copy(words_of(config, "Cmd"), std::back_inserter(start.program));
  return start;
}

bool is_for_here(const json& descriptor) {
  const json platform = descriptor.value("platform", json());
  return !platform.is_object() ||
         (platform.value("os", "linux") == "linux" && platform.value("architecture", "amd64") == "amd64");
}

// The one manifest that an index, or what it names, has for this machine.
Outcome<json> find_manifest(MemberReader& reader, const json& index, int depth) {
  std::set<std::string> found;
  const json entries = index.value("manifests", json::array());
  for (const json& descriptor : entries) {
    if (!descriptor.is_object() || !is_for_here(descriptor)) continue;
    const auto blob = blob_of(descriptor);
    if (!blob) return wrong(blob.error());
    found.insert(*blob);
  }
  if (found.empty()) return wrong("the archive has no image for linux on amd64");
  if (found.size() > 1)
    return wrong(fmt::format("the archive has {} images; save the one that is wanted alone", found.size()));
  auto manifest = parse(reader, *found.begin());
  if (!manifest) return wrong(manifest.error());
  if (!manifest->contains("manifests")) return manifest;
  if (depth == most_indexes) return wrong("the image's indexes do not come to an end");
  return find_manifest(reader, *manifest, depth + 1);
}

Outcome<Image> read_oci(MemberReader& reader) {
  const auto index = parse(reader, "index.json");
  if (!index) return wrong(index.error());
  const auto manifest = find_manifest(reader, *index, 0);
  if (!manifest) return wrong(manifest.error());
  Image image;
  for (const json& layer : manifest->value("layers", json::array())) {
    auto blob = blob_of(layer);
    if (!blob) return wrong(blob.error());
    image.layers.push_back(std::move(*blob));
  }
  const auto config = blob_of(manifest->value("config", json()));
  if (!config) return wrong(config.error());
  auto start = read_config(reader, *config);
  if (!start) return wrong(start.error());
  image.start = std::move(*start);
  return image;
}

Outcome<Image> read_docker(MemberReader& reader) {
  const auto manifest = parse(reader, "manifest.json");
  if (!manifest) return wrong(manifest.error());
  if (!manifest->is_array() || manifest->empty()) return wrong("manifest.json names no image");
  if (manifest->size() > 1)
    return wrong(fmt::format("the archive has {} images; save the one that is wanted alone", manifest->size()));
  const json& only = manifest->front();
  Image image;
  for (const std::string& layer : words_of(only, "Layers")) {
    auto name = clean_name(layer.c_str());
    if (!name) return wrong(name.error());
    image.layers.push_back(std::move(*name));
  }
  const auto config = clean_name(only.value("Config", "").c_str());
  if (!config) return wrong(config.error());
  auto start = read_config(reader, *config);
  if (!start) return wrong(start.error());
  image.start = std::move(*start);
  return image;
}

}  // namespace

Outcome<bool> is_image(const std::string& path, Members& members) {
  auto archive = Archive::open(path);
  if (!archive) return wrong(archive.error());
  for (;;) {
    const auto entry = archive->next();
    if (!entry) return wrong(entry.error());
    if (*entry == nullptr) return members.contains("manifest.json") || members.contains("index.json");
    auto name = clean_name(archive_entry_pathname(*entry));
    if (!name) return wrong(name.error());
    if (!may_be_of_image(*name)) return false;
    const char* link = archive_entry_filetype(*entry) == AE_IFLNK ? archive_entry_symlink(*entry) : nullptr;
    members[*name] = link != nullptr ? link : "";
  }
}

Outcome<Image> read_image(MemberReader& reader) {
  try {  // of json, where something is of another kind than it is to be
    auto image = reader.has("manifest.json") ? read_docker(reader) : read_oci(reader);
    if (image && image->layers.size() > most_layers) return wrong("the image has too many layers");
    return image;
  } catch (const json::exception& error) {
    return wrong(fmt::format("the image's description is not as it should be: {}", error.what()));
  }
}

}  // namespace osp::unpack
