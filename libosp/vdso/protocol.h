#pragma once

// The offset from gs of the address that a call jumps to: a part of the checkpoint image's interface, since
// vDSO and trampolines are in the image. Must be OSP_GS_ENTRY (libosp/trap/layout.h).
#define OSP_VDSO_SLOT 8
