#pragma once

#include "tools/unpack/progress.h"
#include "tools/unpack/tree.h"

namespace osp::unpack {

// Puts a tar on the tree as it is.
Outcome<void> put_tar(const std::string& path, Tree& tree, Progress& progress);

// Puts a layer of an image on what the layers below it made (OCI image specification, "Image Layer Filesystem
// Changeset"): `.wh.NAME` takes NAME away, `.wh..wh..opq` what is in its directory, whatever their place in the layer.
// `lowest`: there is none below.
Outcome<void> put_layer(const std::string& path, Tree& tree, bool lowest, Progress& progress);

}  // namespace osp::unpack
