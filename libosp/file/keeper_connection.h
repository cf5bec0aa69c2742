#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libosp/file/keeper_link.h"
#include "pip/server.h"
#include "pip/shm_channel.h"

namespace osp::keeper {

// What this process has with the keeper.
struct Connection {
  struct Server {
    std::string url{};
    uint32_t number = 0;
    std::shared_ptr<pip::ShmChannel> channel{};
    std::shared_ptr<pip::Server> client{};  // one for all who attach: fids are numbered by it
  };
  // A channel for a child that is about to be forked.
  struct Child {
    int socket, segment, event;
  };

  std::unique_ptr<Link> link;
  std::unique_ptr<pip::ShmPort> port;
  const pip::shm::Environment* environment = nullptr;
  std::vector<Server> servers;
  std::optional<Child> child;
};

// Of this process; null: it has none yet. Made once.
Connection* connection();

}  // namespace osp::keeper
