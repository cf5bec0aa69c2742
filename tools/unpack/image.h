#pragma once

#include <map>
#include <string>
#include <vector>

#include "libosp/command/start_record.h"
#include "tools/unpack/outcome.h"

namespace osp::unpack {

// What an image archive holds, by the names that its own files use for it.
struct Image {
  std::vector<std::string> layers;  // members of the archive, lowest first
  command::StartRecord start;       // without the root
};

// The members of an archive that may be an image's: their names, and the target of those that are links.
using Members = std::map<std::string, std::string>;

// Whether all members can be those of an image archive of OCI or of docker-save, and one is its beginning. Stops at the
// first that cannot.
Outcome<bool> is_image(const std::string& path, Members& members);

// The contents of a member.
class MemberReader {
 public:
  virtual ~MemberReader() = default;
  // Checked against its digest where its name is one. The error names it.
  virtual Outcome<std::string> text(const std::string& member) = 0;
  [[nodiscard]] virtual bool has(const std::string& member) const = 0;
};

// Reads manifest.json (docker-save) or index.json (OCI). Of several platforms it takes this one's; several images that
// differ are refused, as is one for another processor.
Outcome<Image> read_image(MemberReader& reader);

}  // namespace osp::unpack
