#pragma once

#include <map>
#include <memory>
#include <string>

#include "pip/client.h"
#include "pip/stream_channel.h"
#include "pip/url.h"

namespace osp::piptool {

// What went wrong with which file, for a person.
struct Failure {
  std::string what;
};
template <class T>
using Outcome = std::expected<T, Failure>;

// Connections by server, made when first needed, and paths whose symbolic links are followed in the server's own tree.
class Remotes {
 public:
  explicit Remotes(std::chrono::seconds give_up_after) : give_up_after_(give_up_after) {}

  Outcome<pip::Client*> client(const pip::Url& url);

  // Calls `operation(path)` and follows the links that it meets, at most 40.
  template <class Operation>
  static auto follow(std::string path, Operation&& operation) -> decltype(operation(path)) {
    constexpr int most_links = 40;
    for (int links = 0;; ++links) {
      auto result = operation(path);
      if (result || !result.error().is_link()) return result;
      if (links == most_links || !splice(path, result.error())) return std::unexpected(pip::WalkError(ELOOP));
    }
  }

 private:
  struct Remote {
    std::unique_ptr<pip::StreamChannel> channel;
    std::unique_ptr<pip::Client> client;
  };
  // Puts a link's target in its place. False: it leads out of the tree.
  static bool splice(std::string& path, const pip::WalkError& link);

  std::chrono::seconds give_up_after_;
  std::map<std::string, Remote> remotes_;
};

std::unexpected<Failure> failure(std::string_view doing, std::string_view name, int code);

}  // namespace osp::piptool
