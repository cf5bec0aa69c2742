// The core reads and writes no standard stream, but Boost's headers include <iostream>, and every file that does makes
// the streams, with all that a locale has, at start. These take the place of libstdc++'s.
#include <ios>

namespace std {

ios_base::Init::Init() = default;
ios_base::Init::~Init() = default;

}  // namespace std
