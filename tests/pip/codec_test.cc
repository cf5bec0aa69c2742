#include "pip/codec.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <random>

#include "pip/packing.h"

namespace osp::pip {
namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) out += static_cast<char>(value);
  return out;
}

std::string encoded(const Message& message, OptionSet options = OptionSet::all()) {
  std::string out;
  EXPECT_TRUE(encode_packet(message, options, default_msize, out));
  return out;
}

std::string group_of(const std::vector<Message>& messages) {
  std::string out;
  EXPECT_TRUE(encode_group(Tgroup{.ssid = 7, .tag = 258, .acked = 1, .flags = flag_ordered}, messages, OptionSet::all(),
                           default_msize, out));
  return out;
}

TEST(CodecGolden, Tproto) {
  EXPECT_EQ(encoded(Tproto{.msize = 65536, .nmsgs = 16, .options = "πp"}),
            bytes({0, 0, 0, 14, 100, 0, 1, 0, 0, 0, 16, 0, 0, 0, 3, 0xcf, 0x80, 'p'}));
}

TEST(CodecGolden, TsessionWithoutResumeIsThatOf2010) {
  const Tsession session{.csid = 1, .uname = "ab", .afid = no_fid, .token = "secret", .linger = 9};
  EXPECT_EQ(encoded(session, OptionSet()),
            bytes({0, 0, 0, 15, 102, 0, 0, 0, 1, 0, 0, 0, 2, 'a', 'b', 255, 255, 255, 255}));
}

TEST(CodecGolden, GroupOfOpenReadClunk) {
  const std::string packet =
      group_of({Topen{.fid = 0, .nfid = 5, .path = "a/b", .mode = "r"},
                Tread{.fid = 5, .offset = 0, .count = 512, .attrs = ""}, Tclunk{.fid = 5, .version = 0}});
  EXPECT_EQ(packet,
            bytes({0,   0, 0, 81,                                                                         // length
                   122, 0, 0, 0,  7, 0, 0, 0, 0, 0, 0, 1, 2, 0,   0,   0,   0, 0, 0, 0, 1,   0, 1, 0, 3,  // Tgroup
                   110, 0, 0, 0,  0, 0, 0, 0, 5, 0, 0, 0, 3, 'a', '/', 'b', 0, 0, 0, 1, 'r',              // Topen
                   114, 0, 0, 0,  5, 0, 0, 0, 0, 0, 0, 0, 0, 0,   0,   2,   0, 0, 0, 0, 0,                // Tread
                   120, 0, 0, 0,  5, 0, 0, 0, 0, 0, 0, 0, 0})
                .replace(3, 1, 1, static_cast<char>(packet.size() - 4)));
}

TEST(CodecGolden, RerrorOfALinkOnTheWalk) {
  EXPECT_EQ(encoded(Rerror{.ename = "E", .number = 40, .index = 1, .consumed = 3, .target = "/x", .which = 1}),
            bytes({0, 0, 0, 23, 107, 0, 0, 0, 1, 'E', 0, 0, 0, 40, 0, 1, 0, 0, 0, 3, 0, 0, 0, 2, '/', 'x', 1}));
}

TEST(CodecGolden, PackedAttributes) {
  Attributes attributes;
  attributes.id = 1, attributes.mode = 0100644, attributes.size = 256, attributes.version = 2;
  const std::string packed = pack(attributes);
  ASSERT_EQ(packed.size(), packed_attributes_size);
  EXPECT_EQ(packed.substr(0, 12), bytes({0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0x81, 0xa4}));
  EXPECT_EQ(packed.substr(36, 8), bytes({0, 0, 0, 0, 0, 0, 1, 0}));
  EXPECT_EQ(packed.substr(76), bytes({0, 0, 0, 0, 0, 0, 0, 2}));
}

TEST(Codec, EveryMessageComesBackTheSame) {
  const std::vector<Message> samples = {
#define MESSAGE(name, code, option) name{},
#define FIELD(kind_, member, wire, option)
#define END()
#include "pip/messages.def"
  };
  for (const Message& sample : samples) {
    if (std::holds_alternative<Tgroup>(sample) || std::holds_alternative<Rgroup>(sample)) continue;
    const std::string packet = encoded(sample);
    const auto decoded = decode_body(std::string_view(packet).substr(4), OptionSet::all(), 8);
    ASSERT_TRUE(decoded) << print(sample);
    EXPECT_EQ(print(decoded->head), print(sample));
  }
}

TEST(Codec, EveryTruncationIsRefused) {
  const std::string packet = group_of({Topen{.path = "a/b", .mode = "r"}, Twrite{.dat = "xyz"}});
  for (size_t size = 4; size < packet.size(); ++size)
    EXPECT_FALSE(decode_body(std::string_view(packet).substr(4, size - 4), OptionSet::all(), 8)) << size;
  EXPECT_FALSE(decode_body(packet.substr(4) + "x", OptionSet::all(), 8)) << "left over";
}

TEST(Codec, RefusesWhatIsNotAgreedOrMisplaced) {
  std::string out;
  EXPECT_EQ(encode_packet(Tcommit{}, OptionSet(), default_msize, out).error(), Error(EPROTONOSUPPORT));
  const std::string commit = encoded(Tcommit{.fid = 1});
  EXPECT_FALSE(decode_body(std::string_view(commit).substr(4), OptionSet(), 8));
  const std::string nested = group_of({Tproto{}});
  EXPECT_FALSE(decode_body(std::string_view(nested).substr(4), OptionSet::all(), 8));
  const std::string many = group_of(std::vector<Message>(9, Message(Tclunk{})));
  EXPECT_EQ(decode_body(std::string_view(many).substr(4), OptionSet::all(), 8).error(), Error(EMSGSIZE));
  EXPECT_EQ(encode_packet(Tping{.dat = "123456789"}, OptionSet::all(), 8, out).error(), Error(EMSGSIZE));
  EXPECT_TRUE(out.empty());
}

TEST(Codec, FramesComeWholeHoweverTheyArrive) {
  const std::string stream = encoded(Tping{.dat = "one"}) + encoded(Tping{.dat = "second"});
  FrameReader reader(1024);
  std::string seen;
  for (const char c : stream) {
    reader.feed(std::string_view(&c, 1));
    for (auto body = reader.next(); body && !body->empty(); body = reader.next())
      seen += print(*decode_body(*body, OptionSet::all(), 1)) + "\n";
  }
  EXPECT_EQ(seen, "Tping Dat \"one\"\nTping Dat \"second\"\n");
  reader.feed(bytes({1, 0, 0, 0}));
  EXPECT_EQ(reader.next().error(), Error(EMSGSIZE));
}

TEST(Codec, OptionsAreFoundAmongOtherProtocols) {
  EXPECT_EQ(option_text(OptionSet::all()), "πp+resume+linux+lease+lock");
  EXPECT_EQ(*parse_options("9P2000 πp+stream+linux"), OptionSet().with(Option::linux_));
  EXPECT_EQ(*parse_options("πp"), OptionSet());
  EXPECT_FALSE(parse_options("9P2000.L"));
}

TEST(Packing, RoundTripsAndPaths) {
  DirectoryEntry entry{.name = "n", .attributes = {}, .target = "t"};
  std::string packed;
  pack(entry, packed);
  pack(entry, packed);
  EXPECT_EQ(packed.size(), 2 * packed_size(entry));
  EXPECT_EQ(unpack_entries(packed)->size(), 2U);
  packed.pop_back();
  EXPECT_FALSE(unpack_entries(packed));
  for (const char* good : {"", "a", "a/b", "...", "a b"}) EXPECT_TRUE(is_clean_path(good)) << good;
  for (const char* bad : {"/", "/a", "a/", "a//b", ".", "..", "a/../b", "a/."}) EXPECT_FALSE(is_clean_path(bad)) << bad;
  OpenMode mode{.read = true, .write = true, .create = true, .exclusive = true};
  EXPECT_EQ(mode_text(mode), "rwce");
  EXPECT_EQ(mode_text(*parse_mode("rwce")), "rwce");
  EXPECT_FALSE(parse_mode("z"));
}

// docs/pip.md has the table of messages.def. OSP_WRITE_DOCS=1 writes it there.
TEST(Codec, TheDocumentHasTheTable) {
  std::ifstream in(OSP_PIP_DOCUMENT);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  const std::string begin_mark = "<!-- table -->\n", end_mark = "<!-- end of table -->";
  const size_t begin = text.find(begin_mark), end = text.find(end_mark);
  ASSERT_NE(end, std::string::npos);
  const size_t start = begin + begin_mark.size();
  if (getenv("OSP_WRITE_DOCS") != nullptr) {
    text.replace(start, end - start, message_table());
    std::ofstream(OSP_PIP_DOCUMENT) << text;
  } else {
    EXPECT_EQ(text.substr(start, end - start), message_table());
  }
}

// The same mutations in every run: a decoder that reads out of bounds is found by the sanitizers.
TEST(CodecFuzz, MutatedPacketsNeverHarm) {
  const std::string seed =
      group_of({Topen{.path = "a/b", .mode = "r"}, Tread{.count = 9}, Twrite{.dat = "data", .attr = "user.x"},
                Trename{.name = "n"}, Rerror{.ename = "E", .target = "/t"}, Tclunk{}})
          .substr(4);
  std::mt19937 random(1);  // deterministic
  for (int round = 0; round < 50000; ++round) {
    std::string body = seed;
    for (unsigned i = random() % 4 + 1; i > 0; --i) body[random() % body.size()] = static_cast<char>(random());
    body.resize(random() % 8 == 0 ? random() % body.size() : body.size());
    const auto decoded = decode_body(body, OptionSet::all(), 64);
    if (!decoded) continue;
    std::string again;
    ASSERT_TRUE(encode_group(decoded->head, decoded->messages, OptionSet::all(), default_msize, again));
    EXPECT_EQ(again.substr(4), body) << "the encoding is canonical";
  }
}

}  // namespace
}  // namespace osp::pip
