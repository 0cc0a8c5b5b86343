// Scans, sorting, variance.
#include "wengert/op.h"

namespace wg {

extern const ForwardEntry scan_forwards[] = {{nullptr, nullptr}};

}  // namespace wg
