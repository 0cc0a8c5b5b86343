// How elementwise work is cut for threads.
#pragma once
#include "wengert/config.h"

namespace wg {

constexpr index_t kPartElements = 1 << 14;  // of one parallel part

}  // namespace wg
