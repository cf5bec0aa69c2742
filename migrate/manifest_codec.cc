#include "migrate/manifest_codec.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <fmt/format.h>
#include <kj/exception.h>

#include <cstring>
#include <new>
#include <string_view>
#include <type_traits>

#include "migrate/manifest.capnp.h"
#include "migrate/manifest_fields.h"

// Everything is dispatched on the C++ type of a member; the names come from manifest_fields.h. Structs equal to
// their default are left as null pointers, so a description of a plain file takes no room for a socket.
namespace osp::migrate {
namespace {

template <class T>
inline constexpr bool is_list = false;
template <class T>
inline constexpr bool is_list<std::vector<T>> = !std::is_same_v<T, std::byte>;

template <class T>
inline constexpr bool is_scalar = std::is_integral_v<T> || std::is_enum_v<T>;

#define OSP_DECLARE_STRUCT(Type)                              \
  void put_struct(const Type& in, schema::Type::Builder out); \
  void get_struct(Type& out, schema::Type::Reader in);
OSP_IMAGE_STRUCTS(OSP_DECLARE_STRUCT)
#undef OSP_DECLARE_STRUCT

// Text or data, as Builder or Reader type B wants it.
template <class B, class T>
B to_blob(const T& value) {
  if constexpr (std::is_same_v<B, capnp::Text::Reader>) {
    return B(value.data(), value.size());  // std::string ends with the NUL that Text needs
  } else {
    return B(reinterpret_cast<const kj::byte*>(value.data()), value.size());  // bytes as bytes
  }
}

template <class List, class T>
void put_list(const std::vector<T>& values, List list) {
  for (uint32_t i = 0; i < list.size(); ++i) {
    if constexpr (std::is_integral_v<T>) {
      list.set(i, values[i]);
    } else if constexpr (std::is_same_v<T, std::string>) {
      list.set(i, to_blob<capnp::Data::Reader>(values[i]));
    } else {
      put_struct(values[i], list[i]);
    }
  }
}

// `Field` is what the getter of this field returns; `set` and `init` call the setter and initialiser of `out`.
template <class Field, class T, class Builder, class Set, class Init>
void put(const T& value, Builder& out, Set set, Init init) {
  if constexpr (is_scalar<T>) {
    set(out, static_cast<Field>(value));
  } else if constexpr (is_list<T>) {
    if (!value.empty()) put_list(value, init(out, static_cast<unsigned>(value.size())));
  } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, Bytes>) {
    if (!value.empty()) set(out, to_blob<Field>(value));
  } else {
    if (value != T{}) put_struct(value, init(out));
  }
}

template <class T, class List>
void get_list(std::vector<T>& out, List list);

template <class T, class Field>
void get(T& out, Field in) {
  if constexpr (is_scalar<T>) {
    out = static_cast<T>(in);
  } else if constexpr (is_list<T>) {
    get_list(out, in);
  } else if constexpr (std::is_same_v<T, std::string>) {
    out.assign(reinterpret_cast<const char*>(in.begin()), in.size());  // Data's bytes as characters
  } else if constexpr (std::is_same_v<T, Bytes>) {
    out.resize(in.size());
    if (in.size() > 0) std::memcpy(out.data(), in.begin(), in.size());
  } else {
    get_struct(out, in);
  }
}

template <class T, class List>
void get_list(std::vector<T>& out, List list) {
  out.clear();
  out.reserve(list.size());
  for (auto element : list) get(out.emplace_back(), element);
}

#define OSP_PUT_FIELD(member, Name)                                    \
  put<decltype(out.asReader().get##Name())>(                           \
      in.member, out, [](auto& b, auto value) { b.set##Name(value); }, \
      [](auto& b, auto... count) { return b.init##Name(count...); });
#define OSP_GET_FIELD(member, Name) get(out.member, in.get##Name());
#define OSP_DEFINE_STRUCT(Type)                                                                   \
  void put_struct(const Type& in, schema::Type::Builder out) { OSP_FIELDS_##Type(OSP_PUT_FIELD) } \
  void get_struct(Type& out, schema::Type::Reader in) { OSP_FIELDS_##Type(OSP_GET_FIELD) }
OSP_IMAGE_STRUCTS(OSP_DEFINE_STRUCT)
#undef OSP_DEFINE_STRUCT
#undef OSP_GET_FIELD
#undef OSP_PUT_FIELD

Result<Bytes> serialise(const Manifest& manifest) {
  capnp::MallocMessageBuilder message;
  put_struct(manifest, message.initRoot<schema::Manifest>());
  const size_t size = capnp::computeSerializedSizeInWords(message) * sizeof(capnp::word);
  if (size > max_manifest_size) return fail(E2BIG);
  Bytes bytes(size);
  kj::ArrayOutputStream stream(kj::arrayPtr(reinterpret_cast<kj::byte*>(bytes.data()), bytes.size()));
  capnp::writeMessage(stream, message);
  return bytes;
}

// Every object is visited once, so a message that makes us read more than its own size shares objects or
// declares lists that take no room: both are attacks.
capnp::ReaderOptions limits(size_t words) {
  capnp::ReaderOptions options;
  options.traversalLimitInWords = words + 1024;
  options.nestingLimit = 16;
  return options;
}

ImageResult<Manifest> parse(std::span<const std::byte> bytes) {
  const size_t words = bytes.size() / sizeof(capnp::word);
  auto aligned = kj::heapArray<capnp::word>(words);
  std::memcpy(static_cast<void*>(aligned.begin()), bytes.data(), bytes.size());
  capnp::FlatArrayMessageReader message(aligned, limits(words));
  if (message.getEnd() != aligned.end()) return refuse("manifest", "bytes after the end of the message");
  Manifest manifest;
  get_struct(manifest, message.getRoot<schema::Manifest>());
  return manifest;
}

}  // namespace

Result<Bytes> encode(const Manifest& manifest) {
  try {
    return serialise(manifest);
  } catch (const std::bad_alloc&) {
    return fail(ENOMEM);
  } catch (const kj::Exception&) {
    return fail(E2BIG);
  }
}

ImageResult<Manifest> decode(std::span<const std::byte> bytes) {
  if (bytes.empty() || bytes.size() % sizeof(capnp::word) != 0 || bytes.size() > max_manifest_size)
    return refuse("manifest", fmt::format("a manifest cannot have {} bytes", bytes.size()));
  try {
    return parse(bytes);
  } catch (const std::bad_alloc&) {
    return refuse("manifest", "not enough memory to read it");
  } catch (const kj::Exception& exception) {
    return refuse("manifest", fmt::format("not a Cap'n Proto message: {}", exception.getDescription().cStr()));
  }
}

}  // namespace osp::migrate
