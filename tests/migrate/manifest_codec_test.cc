#include "migrate/manifest_codec.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <gtest/gtest.h>

#include "image_fixture.h"
#include "migrate/manifest.capnp.h"
#include "random_manifest.h"

namespace osp::migrate {
namespace {

// Converts to any member, so that T{AnyMember(), …} compiles for as many as T has members.
struct AnyMember {
  template <class T>
  operator T() const;  // NOLINT: never defined
};

template <class T, class... Members>
consteval size_t count_members() {
  if constexpr (requires { T{Members()..., AnyMember()}; }) {
    return count_members<T, Members..., AnyMember>();
  } else {
    return sizeof...(Members);
  }
}

#define OSP_COUNT_FIELD(member, Name) +1
#define OSP_CHECK_STRUCT(Type) \
  static_assert(count_members<Type>() == 0 OSP_FIELDS_##Type(OSP_COUNT_FIELD), #Type " in manifest_fields.h");
OSP_IMAGE_STRUCTS(OSP_CHECK_STRUCT)
#undef OSP_CHECK_STRUCT
#undef OSP_COUNT_FIELD

Bytes to_bytes(capnp::MallocMessageBuilder& message) {
  const auto words = capnp::messageToFlatArray(message);
  const auto bytes = words.asBytes();
  const auto* begin = reinterpret_cast<const std::byte*>(bytes.begin());
  return {begin, begin + bytes.size()};
}

TEST(ManifestCodec, RandomManifestsComeBackAsTheyWere) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    std::mt19937_64 random(seed);
    Manifest manifest;
    test::randomise(random, manifest);
    const auto bytes = encode(manifest);
    ASSERT_TRUE(bytes) << "seed " << seed;
    const auto again = decode(*bytes);
    ASSERT_TRUE(again) << "seed " << seed << ": " << again.error().reason;
    ASSERT_EQ(*again, manifest) << "seed " << seed;
    ASSERT_EQ(*encode(*again), *bytes) << "seed " << seed;
  }
}

// Fields that an older image lacks mean what the structs' defaults mean.
TEST(ManifestCodec, AbsentFieldsAreTheDefaults) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<schema::Manifest>();
  auto process = root.initProcesses(1)[0];
  process.initThreads(1);
  process.initAreas(1);
  root.initFiles(1);
  root.initObjects(1);
  root.initPipes(1);
  root.initDescriptions(1)[0].initEpoll(1);
  Manifest expected;
  expected.processes.resize(1);
  expected.processes[0].threads.resize(1);
  expected.processes[0].areas.resize(1);
  expected.files.resize(1);
  expected.objects.resize(1);
  expected.pipes.resize(1);
  expected.descriptions.resize(1);
  expected.descriptions[0].epoll.resize(1);
  const auto manifest = decode(to_bytes(message));
  ASSERT_TRUE(manifest) << manifest.error().reason;
  EXPECT_EQ(*manifest, expected);
}

TEST(ManifestCodec, PlainDescriptionsAreSmall) {
  Manifest manifest;
  const size_t before = encode(manifest)->size();
  manifest.descriptions.resize(1000);
  EXPECT_LT(encode(manifest)->size() - before, 1000 * 256u);
}

TEST(ManifestCodec, RefusesWhatIsNotAMessage) {
  EXPECT_FALSE(decode({}));
  EXPECT_FALSE(decode(Bytes(7)));
  EXPECT_FALSE(decode(Bytes(64, std::byte{0xff})));
  auto bytes = *encode(test::small_manifest());
  bytes.resize(bytes.size() + 8);
  const auto longer = decode(bytes);
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().section, "manifest");
  EXPECT_FALSE(decode(std::span(bytes).first(bytes.size() - 64)));
}

// A list of structs without any words takes no room in the message: a few bytes must not become gigabytes.
TEST(ManifestCodec, RefusesListsThatAreOnlyALength) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<schema::Manifest>();
  root.initFiles(0);
  Bytes bytes = to_bytes(message);
  // The pointer to an inline-composite list (docs: Cap'n Proto encoding, "Lists") whose tag says 2^29 elements of no
  // size.
  const size_t pointers = 8 + 8 + schema::Manifest::_capnpPrivate::dataWordSize * 8;
  size_t slot = pointers;
  while (slot < bytes.size() &&
         std::all_of(bytes.begin() + static_cast<long>(slot), bytes.begin() + static_cast<long>(slot) + 8,
                     [](std::byte b) { return b == std::byte{0}; }))
    slot += 8;
  ASSERT_LT(slot, bytes.size());
  uint64_t pointer = 0;
  std::memcpy(&pointer, bytes.data() + slot, 8);
  const uint64_t tag = (uint64_t{(1u << 29) - 1} << 2);
  std::memcpy(bytes.data() + slot + 8 + (static_cast<uint32_t>(pointer) >> 2) * 8, &tag, 8);
  const auto manifest = decode(bytes);
  ASSERT_FALSE(manifest);
  EXPECT_NE(manifest.error().reason.find("Cap'n Proto"), std::string::npos) << manifest.error().reason;
}

TEST(ManifestCodec, AnyDamageIsRefusedOrDecodes) {
  const Bytes good = *encode(test::small_manifest());
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    Bytes bytes = good;
    for (uint64_t n = random() % 4 + 1; n > 0; --n) bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    const auto manifest = decode(bytes);  // no crash, no exception; the sanitizers watch
    if (!manifest) continue;
    const auto again = encode(*manifest);
    ASSERT_TRUE(again) << i;
    ASSERT_EQ(decode(*again), manifest) << i;
  }
}

}  // namespace
}  // namespace osp::migrate
