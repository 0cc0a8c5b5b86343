// Sums of products: a product that is only added to another one adds to it where that lies.
//
// Note [Products that add]. In y = p + a @ b, where p is a product (or such a sum) and nothing else reads p or a @
// b, the sum is no call of its own: the later product adds its elements to the memory of the earlier one, with the
// same two roundings. The gradient of a weight that is used at every step is a chain of such sums. All values of a
// chain share the memory of the last one, which is their owner and lives from the first product on
// (PlanValue::begun).
#include <utility>

#include "wengert/kernels.h"
#include "wengert/plan.h"

namespace wg {

namespace {

bool is_sum(const PlanCall& c) {
  if (c.nin != 2 || (c.dtype != kFloat32 && c.dtype != kFloat64)) return false;
  static void* const add[2] = {find_kernel("add", kFloat32)->fn, find_kernel("add", kFloat64)->fn};
  return c.op->fn[c.dtype] == add[c.dtype == kFloat64];
}

}  // namespace

// How often each value's elements are read; values that others look at count as read more than once.
std::vector<std::int32_t> Plan::count_reads() const {
  std::vector<std::int32_t> reads(values.size(), 0);
  for (std::int32_t v : operands)
    if (v >= 0) ++reads[static_cast<std::size_t>(v)];
  for (std::size_t v = 0; v < values.size(); ++v)
    if (values[v].owner != static_cast<std::int32_t>(v)) reads[static_cast<std::size_t>(values[v].owner)] += 2;
  for (const PlanStep& s : steps)
    for (std::int32_t v : s.reads) ++reads[static_cast<std::size_t>(v)];
  for (const Write& w : writes_) ++reads[static_cast<std::size_t>(w.value)];
  return reads;
}

// Whether v is made by a product and read once, with elements that lie as those of y do.
int Plan::is_lone_product(std::int32_t v, const PlanValue& y, const std::vector<std::int32_t>& reads) {
  const PlanValue& value = values[static_cast<std::size_t>(v)];
  if (value.owner != v || value.place != Place::kArena || value.call < 0 || value.dtype != y.dtype ||
      reads[static_cast<std::size_t>(v)] != 1 || !value.layout->contiguous || !same_shape(value.layout, y.layout))
    return 0;
  PlanCall& c = calls[static_cast<std::size_t>(value.call)];
  if (!(c.op->flags & kAccumulates) || !c.op->prepares) return 0;
  return prepare_call(c) < 0 ? -1 : c.ready != nullptr;
}

// Lets the products of a sum add. 1: done, 0: not possible, -1 with the error set.
int Plan::join_sum(std::int32_t number, const std::vector<std::int32_t>& reads) {
  const PlanCall& sum = calls[static_cast<std::size_t>(number)];
  PlanValue& y = values[static_cast<std::size_t>(sum.out)];
  if (!y.layout->contiguous || y.layout->numel == 0) return 0;
  std::int32_t from = operands[static_cast<std::size_t>(sum.first_in)];
  std::int32_t v = operands[static_cast<std::size_t>(sum.first_in + 1)];
  for (std::int32_t operand : {from, v}) {
    const int fits = operand < 0 ? 0 : is_lone_product(operand, y, reads);
    if (fits <= 0) return fits;
  }
  if (values[static_cast<std::size_t>(from)].call > values[static_cast<std::size_t>(v)].call) std::swap(from, v);
  PlanValue &before = values[static_cast<std::size_t>(from)], &made = values[static_cast<std::size_t>(v)];
  PlanCall& product = calls[static_cast<std::size_t>(made.call)];
  if (product.added >= 0) return 0;  // it adds to something else
  std::shared_ptr<Prepared> plain = std::move(product.ready);
  product.added = number;
  product.out = sum.out;
  if (prepare_call(product) < 0) return -1;
  if (!product.ready) {
    product.ready = std::move(plain);
    product.added = -1;
    product.out = v;
    return 0;
  }
  y.call = made.call;
  y.begun = before.begun >= 0 ? before.begun : before.call;
  before.owner = sum.out;
  made.place = Place::kNone;
  return 1;
}

int Plan::join_products() {
  const std::vector<std::int32_t> reads = count_reads();
  std::vector<char> gone(calls.size(), 0);
  bool any = false;
  for (std::size_t c = 0; c < calls.size(); ++c) {
    if (!is_sum(calls[c])) continue;
    const int joined = join_sum(static_cast<std::int32_t>(c), reads);
    if (joined < 0) return -1;
    gone[c] = static_cast<char>(joined);
    any = any || joined;
  }
  if (!any) return 0;
  // The owner of a chain is its last value, whose number is the largest.
  for (std::size_t v = values.size(); v-- > 0;)
    values[v].owner = values[static_cast<std::size_t>(values[v].owner)].owner;
  std::size_t kept = 0;
  for (std::size_t k = 0; k < steps.size(); ++k) {
    if (steps[k].kind == StepKind::kCall && gone[static_cast<std::size_t>(steps[k].index)]) continue;
    if (kept != k) steps[kept] = std::move(steps[k]);
    ++kept;
  }
  steps.resize(kept, PlanStep{StepKind::kFence});
  return 0;
}

}  // namespace wg
