// Convolution and pooling.
#include "wengert/op.h"

namespace wg {

extern const ForwardEntry conv_forwards[] = {{nullptr, nullptr}};

}  // namespace wg
