#pragma once
#include <string_view>
// Published vectors of the Noise Protocol Framework (noise-c, tests/vector/noise-c-basic.txt, in the form of the
// Noise wiki's test vector page): hexadecimal.
namespace osp::pip::noise {
struct Vector {
  std::string_view name;
  bool is_ik;
  std::string_view hash;
  struct {
    std::string_view payload, ciphertext;
  } messages[6];
};
constexpr std::string_view prologue = "50726f6c6f677565313233";
constexpr std::string_view initiator_static = "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1";
constexpr std::string_view initiator_ephemeral = "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a";
constexpr std::string_view responder_static = "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893";
constexpr std::string_view responder_ephemeral = "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b";
constexpr Vector vectors[] = {
    {"Noise_XX_25519_ChaChaPoly_BLAKE2b",
     false,
     "7f6b8a1de1faf8b5e153ded74c950d09c5caf62a8e2eeb73277671d4e65ef9ca2421a748a4af050284fa6f3eb40bb77f"
     "4ace99b7f3ea01db2953233a546a72d2",
     {
         {"4c756477696720766f6e204d69736573",
          "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79444c756477696720766f6e204d69736573"},
         {"4d757272617920526f746862617264",
          "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f1448088430505b6745ce64a5f33f0e8e3b83f11ce"
          "8802bca507f4f2d8b564dbe277e1966157671ea3b8853f41ae9fb01b5198b7355056ae1319469b824a98d54bbaa82c26"
          "4bbb329d7b104cdeeda568b40a097c"},
         {"462e20412e20486179656b",
          "99579e1c1ee15e422a57ddd6b16d37087b17558e8369c18991b4b2ca3a824abf55433b8625300437ffbe733f1c6cf40b"
          "2de039eaaf156775e2d58021e5d46b9cb99b280c73026b50f27736"},
         {"4361726c204d656e676572", "fc56eea290b3f3a21aac0c70cd5787b5ee99be37d2f4d751329b55"},
         {"4a65616e2d426170746973746520536179", "bb31c9da10d5639a4cdb88a12f5c61de41bbc7df09bf75d94f8184fe4157f5c68f"},
         {"457567656e2042f6686d20766f6e2042617765726b",
          "f6199cadb152fb27f82be0a0891ec76a33598ae92a46cab2fb5a8ed5bf48b7f267f8370af7"},
     }},
    {"Noise_IK_25519_ChaChaPoly_BLAKE2b",
     true,
     "00e51d2aac81a9b8ebe441d6af3e1c8efc0f030cc608332edcb42588ff6a0ce26415ddc106e95277a5e6d54132f1e524"
     "5976b89caf96d262f1fe5a7f0c55c078",
     {
         {"4c756477696720766f6e204d69736573",
          "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944ba83a447b38c83e327ad936929812f62"
          "4884847b7831e95e197b2f797088efdd232fe541af156ec6d0657602902a8c3ee64e470f4b6fcd9298ce0b56fe20f86e"
          "60d9d933ec6e103ffb09e6001d6abb64"},
         {"4d757272617920526f746862617264",
          "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f1448088439f069b267a06b3de3ecb1043bcb09807"
          "c6cd101f3826192a65f11ef3fe4317"},
         {"462e20412e20486179656b", "cd54383060e7a28434cca27fb1cc524cfbabeb18181589df219d07"},
         {"4361726c204d656e676572", "a856d3bf0246bfc476c655009cd1ed677b8dcc5b349ae8ef2a05f2"},
         {"4a65616e2d426170746973746520536179", "49063084b2c51f098337cb8a13739ac848f907e67cfb2cc8a8b60586467aa02fc7"},
         {"457567656e2042f6686d20766f6e2042617765726b",
          "8b9709d23b47e4639df7678d7a21741eba4ef1e9c60383001c7435549c20f9d56f30e935d3"},
     }},
};
}  // namespace osp::pip::noise
