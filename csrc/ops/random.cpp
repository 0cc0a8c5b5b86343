// Random draws: uniform, normal, dropout and their like.
#include "wengert/op.h"

namespace wg {

extern const ForwardEntry random_forwards[] = {{nullptr, nullptr}};

}  // namespace wg
