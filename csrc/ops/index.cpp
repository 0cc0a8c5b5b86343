// Gather, scatter, masks.
#include "wengert/op.h"

namespace wg {

extern const ForwardEntry index_forwards[] = {{nullptr, nullptr}};

}  // namespace wg
