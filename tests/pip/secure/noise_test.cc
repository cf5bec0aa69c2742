#include "pip/secure/noise.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/pip/secure/hex.h"
#include "tests/pip/secure/noise_vectors.h"

namespace osp::pip::noise {
namespace {

KeyPair pair_of(std::string_view secret_hex) {
  Key secret;
  std::ranges::copy(unhex(secret_hex), secret.begin());
  return KeyPair::of(secret);
}

struct Both {
  Handshake initiator, responder;
  explicit Both(Pattern pattern, std::string_view initiators = "p", std::string_view responders = "p",
                const KeyPair& server = KeyPair::random(), const KeyPair& dialled = KeyPair())
      : initiator(
            KeyPair::random(),
            {.pattern = pattern, .prologue = initiators, .peer = dialled.open == Key() ? server.open : dialled.open}),
        responder(server, {.pattern = pattern, .role = Role::responder, .prologue = responders}) {}
};

// Runs it to the end; what the first failing step said.
Result<void> finish(Handshake& initiator, Handshake& responder) {
  while (!initiator.is_done() || !responder.is_done()) {
    Handshake& writer = initiator.is_writing() ? initiator : responder;
    Handshake& reader = initiator.is_writing() ? responder : initiator;
    std::string message;
    OSP_TRY(writer.write("hello", message));
    OSP_ASSIGN(const std::string payload, reader.read(message));
    EXPECT_EQ(payload, "hello");
  }
  return {};
}

TEST(NoiseTest, PublishedVectors) {
  for (const Vector& vector : vectors) {
    SCOPED_TRACE(vector.name);
    const Pattern pattern = vector.is_ik ? Pattern::ik : Pattern::xx;
    const KeyPair server = pair_of(responder_static);
    const std::string before = unhex(prologue);
    Handshake initiator(
        pair_of(initiator_static),
        {.pattern = pattern, .prologue = before, .peer = server.open, .ephemeral = pair_of(initiator_ephemeral)});
    Handshake responder(
        server,
        {.pattern = pattern, .role = Role::responder, .prologue = before, .ephemeral = pair_of(responder_ephemeral)});
    size_t at = 0;
    for (; !initiator.is_done(); ++at) {
      Handshake& writer = initiator.is_writing() ? initiator : responder;
      Handshake& reader = initiator.is_writing() ? responder : initiator;
      std::string message;
      ASSERT_TRUE(writer.write(unhex(vector.messages[at].payload), message));
      EXPECT_EQ(message, unhex(vector.messages[at].ciphertext));
      const auto payload = reader.read(message);
      ASSERT_TRUE(payload);
      EXPECT_EQ(*payload, unhex(vector.messages[at].payload));
    }
    ASSERT_TRUE(responder.is_done());
    const std::string hash(initiator.hash().begin(), initiator.hash().end());
    EXPECT_EQ(hash, unhex(vector.hash));
    EXPECT_EQ(initiator.hash(), responder.hash());
    auto ours = initiator.ciphers(), theirs = responder.ciphers();
    for (; at < std::size(vector.messages); ++at) {
      const bool initiators = at % 2 == 0;
      std::string sealed, opened;
      ASSERT_TRUE((initiators ? ours : theirs).send.seal({}, unhex(vector.messages[at].payload), sealed));
      EXPECT_EQ(sealed, unhex(vector.messages[at].ciphertext));
      ASSERT_TRUE((initiators ? theirs : ours).receive.unseal({}, sealed, opened));
      EXPECT_EQ(opened, unhex(vector.messages[at].payload));
    }
  }
}

TEST(NoiseTest, BothEndsKnowEachOther) {
  for (const Pattern pattern : {Pattern::ik, Pattern::xx}) {
    const KeyPair client = KeyPair::random(), server = KeyPair::random();
    Handshake initiator(client, {.pattern = pattern, .peer = server.open});
    Handshake responder(server, {.pattern = pattern, .role = Role::responder});
    ASSERT_TRUE(finish(initiator, responder));
    EXPECT_EQ(responder.peer(), client.open);
    EXPECT_EQ(initiator.peer(), server.open);
  }
}

TEST(NoiseTest, AnotherServersKeyIsNoticedAtOnce) {
  Both both(Pattern::ik, "p", "p", KeyPair::random(), KeyPair::random());
  EXPECT_EQ(finish(both.initiator, both.responder).error().code, EBADMSG);
}

TEST(NoiseTest, AnotherPrologueIsNoticed) {
  for (const Pattern pattern : {Pattern::ik, Pattern::xx}) {
    Both both(pattern, "πp 1", "πp 2");
    EXPECT_EQ(finish(both.initiator, both.responder).error().code, EBADMSG);
  }
}

TEST(NoiseTest, EachFlippedBitOfAHandshakeIsNoticed) {
  for (const Pattern pattern : {Pattern::ik, Pattern::xx})
    for (size_t bit = 0; bit < 8 * 112; bit += 7) {
      Both both(pattern);
      bool noticed = false, flipped = false;
      while (!noticed && !(both.initiator.is_done() && both.responder.is_done())) {
        Handshake& writer = both.initiator.is_writing() ? both.initiator : both.responder;
        Handshake& reader = both.initiator.is_writing() ? both.responder : both.initiator;
        std::string message;
        ASSERT_TRUE(writer.write("hello", message));
        const size_t at = bit / 8;
        if (!flipped && at < message.size() && &reader == &both.initiator) {
          message[at] = static_cast<char>(message[at] ^ (1 << (bit % 8)));
          flipped = true;
        }
        noticed = !reader.read(message);
      }
      EXPECT_TRUE(noticed || !flipped) << "bit " << bit;
    }
}

TEST(NoiseTest, AKeyThatSharesNothingIsRefused) {
  const KeyPair server = KeyPair::random();
  Handshake responder(server, {.pattern = Pattern::ik, .role = Role::responder});
  EXPECT_FALSE(responder.read(std::string(96 + 16, '\0')));
}

TEST(NoiseTest, SealedTextIsGoodOnceAndInItsTurn) {
  Both both(Pattern::ik);
  ASSERT_TRUE(finish(both.initiator, both.responder));
  Cipher send = both.initiator.ciphers().send, receive = both.responder.ciphers().receive;
  std::string first, second, out;
  ASSERT_TRUE(send.seal({}, "one", first) && send.seal({}, "two", second));
  EXPECT_EQ(receive.unseal({}, second, out).error().code, EBADMSG);
  ASSERT_TRUE(receive.unseal({}, first, out));
  EXPECT_EQ(receive.unseal({}, first, out).error().code, EBADMSG);
  ASSERT_TRUE(receive.unseal({}, second, out));
  EXPECT_EQ(out, "onetwo");
  EXPECT_EQ(receive.unseal({}, "short", out).error().code, EBADMSG);
}

TEST(NoiseTest, NextKeys) {
  Both both(Pattern::xx);
  ASSERT_TRUE(finish(both.initiator, both.responder));
  Cipher send = both.initiator.ciphers().send, receive = both.responder.ciphers().receive;
  Cipher old = receive;
  send.rekey(), receive.rekey();
  std::string sealed, out;
  ASSERT_TRUE(send.seal({}, "after", sealed));
  EXPECT_FALSE(old.unseal({}, sealed, out));
  ASSERT_TRUE(receive.unseal({}, sealed, out));
  EXPECT_EQ(out, "after");
}

TEST(NoiseTest, TooMuchForAMessage) {
  Both both(Pattern::ik);
  std::string message;
  EXPECT_EQ(both.initiator.write(std::string(most_payload + 1, 'x'), message).error().code, EMSGSIZE);
  EXPECT_TRUE(message.empty());
  ASSERT_TRUE(both.initiator.write(std::string(most_payload, 'x'), message));
  EXPECT_LE(message.size(), most_message);
  EXPECT_EQ(both.responder.read(message)->size(), most_payload);
}

}  // namespace
}  // namespace osp::pip::noise
