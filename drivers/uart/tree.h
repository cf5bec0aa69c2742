#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/uart/port.h"
#include "pip/server.h"

namespace osp::uart {

// What the driver serves: /dev/uart with two files for each port.
class Tree {
 public:
  enum class Kind { directory, data, control };
  struct Node {
    std::string path;
    Kind kind = Kind::directory;
    Port* port = nullptr;
  };

  // The ports are the caller's: eia0 and so on.
  explicit Tree(std::span<Port* const> ports);

  // Null: there is none.
  [[nodiscard]] const Node* find(std::string_view path) const;
  [[nodiscard]] pip::Attributes attributes(const Node& node) const;
  // What a directory holds, in a lasting order.
  [[nodiscard]] std::vector<pip::DirectoryEntry> entries(const Node& directory) const;
  // After an interrupt or a request; the two ends of a round in which requests go on.
  void begin_round();
  void settle();

 private:
  std::vector<Node> nodes_;
  std::vector<Port*> ports_;
};

}  // namespace osp::uart
