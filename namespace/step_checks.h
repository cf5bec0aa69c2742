#pragma once

#include "namespace/walker.h"

// What several operations check before they act. For operations.cc and its parts only.
namespace osp::ns {

// For operations that act on a link at the end themselves: reports the link where it is to be followed,
// and ENOTDIR where the path asks for a directory. No call to the server where neither is asked.
pip::Walked<void> settle_end(const Step& step);

// The answer of a read-only member to a change of what is there: the links and errors of the way, then EROFS.
pip::Walked<void> refuse_change(const Step& step);

// The answer of a read-only member to the making of a name: EEXIST, ENOENT and so on first, then EROFS.
pip::Walked<void> refuse_make(const Step& step);

// Looks up the directory that the step's path lies in; ENOTDIR, and links on the way.
pip::Walked<void> look_up_parent(const Step& step);

inline pip::Walked<void> failed(int code) { return std::unexpected(pip::WalkError(code)); }

}  // namespace osp::ns
