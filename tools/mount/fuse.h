#pragma once

// libfuse's interface for one request at a time, in the version that Debian 12 has.
#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
