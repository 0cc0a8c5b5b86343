// Building plans: values and calls.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "wengert/kernels.h"
#include "wengert/plan.h"

namespace wg {

namespace {

constexpr int kMaxLoadDims = 8;  // merged dimensions of a strided operand

// Memory for operands that only lend their layout: never read for its content, so it costs address space alone.
Storage* phantom(std::size_t bytes) {
  static Storage s;
  if (bytes < 4096) bytes = 4096;
  if (s.bytes < bytes) {
    char* fresh = static_cast<char*>(std::calloc(bytes, 1));
    if (!fresh) return nullptr;
    std::free(s.data);
    s.data = fresh;
    s.bytes = bytes;
  }
  s.refs = 1 << 30;
  return &s;
}

index_t span_bytes(const Layout* l, int dtype) {
  index_t last = 0;
  for (int d = 0; d < l->ndim; ++d)
    if (l->shape()[d] > 1 && l->strides()[d] > 0) last += (l->shape()[d] - 1) * l->strides()[d];
  return (last + 1) * itemsize(dtype);
}

// Whether a view lies within its owner's own elements. Where it does not, an owner from outside notes how far it
// goes: the memory of a tensor may be larger than the tensor, which each run has to check.
bool inside(const PlanValue& v, PlanValue& owner) {
  if (v.layout->numel == 0 || (owner.place != Place::kArena && owner.place != Place::kOutside)) return true;
  const index_t item = itemsize(v.dtype);
  index_t low = v.delta, high = v.delta + item;
  for (int d = 0; d < v.layout->ndim; ++d) {
    const index_t reach = (v.layout->shape()[d] - 1) * v.layout->strides()[d] * item;
    (reach < 0 ? low : high) += reach;
  }
  if (owner.layout->numel > 0 && low >= 0 && high <= span_bytes(owner.layout, owner.dtype)) return true;
  owner.low = std::min(owner.low, low);
  owner.high = std::max(owner.high, high);
  return owner.place == Place::kOutside;
}

bool is_where(const OpInfo* op) { return op->nin == 3 && op->kernel[0] == 'w'; }

}  // namespace

Plan::~Plan() {
  for (PlanValue& v : values) {
    if (v.layout) layout_decref(v.layout);
    array_unref(v.number);
  }
  for (PlanCall& c : calls) {
    attr_decref(c.attr);
    for (Layout* l : c.own)
      if (l) layout_decref(l);
  }
  if (arena_) storage_decref(arena_);
}

// ---- values and calls -------------------------------------------------------------------------------------

int Plan::outside(int dtype, Layout* layout) {
  PlanValue v;
  v.layout = layout;
  v.dtype = static_cast<std::uint8_t>(dtype);
  v.place = Place::kOutside;
  v.owner = static_cast<std::int32_t>(values.size());
  v.slot = static_cast<std::int32_t>(slots.size());
  slots.push_back(v.owner);
  values.push_back(v);
  return v.owner;
}

int Plan::measure(int dtype, Layout* layout) {
  PlanValue v;
  v.layout = layout;
  v.dtype = static_cast<std::uint8_t>(dtype);
  v.place = Place::kMeasured;
  v.owner = static_cast<std::int32_t>(values.size());
  values.push_back(v);
  return v.owner;
}

int Plan::number(const Array& weak) {
  PlanValue v;
  v.layout = layout_scalar();
  layout_incref(v.layout);
  v.dtype = weak.dtype;
  v.place = Place::kNumber;
  v.owner = static_cast<std::int32_t>(values.size());
  v.number = weak;
  array_ref(v.number);
  values.push_back(v);
  return v.owner;
}

namespace {

// The type in which an elementwise call computes, where the plan's own groups can run it; -1 otherwise.
int groupable(const OpInfo* op, const Array* in, int nin) {
  if (!(op->flags & kElementwise) || nin != op->nin) return -1;
  int first = is_where(op) ? 1 : 0;
  for (int i = 0; i < nin; ++i)
    if (!in[i].defined() || in[i].ndim() > kMaxLoadDims) return -1;
  int dtype = result_dtype(in + first, nin - first);
  if (op->flags & kFloatResult && !is_float(dtype)) return -1;
  if (dtype != kFloat32 && dtype != kFloat64 && dtype != kBool && dtype != kInt64) return -1;
  if (!op->fn[dtype] || itemsize(op->out_dtype[dtype]) > 8) return -1;
  for (int i = 0; i < nin; ++i) {
    bool mask = first && i == 0;
    if (in[i].flags & kWeak) {
      if (mask || (!is_float(dtype) && in[i].dtype != dtype)) return -1;
    } else if (in[i].dtype != (mask ? static_cast<int>(kBool) : dtype)) {
      return -1;
    }
  }
  return dtype;
}

// The bytes of a Python number in a computing dtype.
void convert_number(const Array& a, int dtype, char* to) {
  double v = a.dtype == kInt64 ? static_cast<double>(a.u.i64) : a.dtype == kBool ? a.u.raw[0] : a.u.f64;
  if (dtype == kFloat32) {
    float f = static_cast<float>(v);
    std::memcpy(to, &f, 4);
  } else if (dtype == kFloat64) {
    std::memcpy(to, &v, 8);
  } else {
    std::memcpy(to, a.u.raw, static_cast<std::size_t>(itemsize(dtype)));
  }
}

// A copy of a result's layout; without gaps, so that its bytes are those of its elements.
Layout* own_layout(const Layout* l, int dtype) {
  const bool packed = l->numel > 0 && span_bytes(l, dtype) == l->numel * itemsize(dtype);
  return packed ? layout_strided(l->ndim, l->shape(), l->strides()) : layout_contiguous(l->ndim, l->shape());
}

}  // namespace

int Plan::call(const OpInfo* op, const std::int32_t* in, int nin, Attr* attr) {
  Array few[8];
  std::vector<Array> many;
  Array* arrays = few;
  if (nin > 8) {
    many.resize(static_cast<std::size_t>(nin));
    arrays = many.data();
  }
  index_t span = 0;
  for (int i = 0; i < nin; ++i)
    if (in[i] >= 0) span = std::max(span, span_bytes(values[in[i]].layout, values[in[i]].dtype));
  Storage* memory = phantom(static_cast<std::size_t>(span));
  if (!memory) {
    attr_decref(attr);
    return fail_memory(op->name, span);
  }
  for (int i = 0; i < nin; ++i) {
    arrays[i] = Array{};
    if (in[i] < 0) continue;
    const PlanValue& v = values[static_cast<std::size_t>(in[i])];
    if (v.place == Place::kNumber) {
      arrays[i] = v.number;
      continue;
    }
    arrays[i].layout = v.layout;
    arrays[i].dtype = v.dtype;
    if (v.place == Place::kMeasured) {
      arrays[i].flags = kShapeOnly;
    } else {
      arrays[i].storage = memory;
    }
  }
  Array outs[kMaxResults] = {};
  OpCall c{op, arrays, nin, attr, outs, op->nout};
  c.dry = !(op->flags & kView);
  if (op->forward(c) < 0) {
    attr_decref(attr);
    return -1;
  }
  const std::int32_t number = static_cast<std::int32_t>(calls.size());
  if (!c.dry && outs[0].storage == memory) {  // a view
    PlanValue v;
    const PlanValue& from = values[static_cast<std::size_t>(in[0])];
    v.layout = outs[0].layout;
    v.dtype = outs[0].dtype;
    v.owner = from.owner;
    v.delta = from.delta + outs[0].u.offset;
    storage_decref(memory);
    attr_decref(attr);
    if (!inside(v, values[static_cast<std::size_t>(v.owner)])) {
      layout_decref(v.layout);
      return fail(kRuntimeError,
                  "%s: expected a region inside the memory of its operand, got one that goes beyond.", op->name);
    }
    values.push_back(v);
    return static_cast<int>(values.size()) - 1;
  }
  PlanCall made;
  made.op = op;
  made.attr = attr;
  made.nin = nin;
  made.first_in = static_cast<std::int32_t>(operands.size());
  made.dtype = c.dry ? groupable(op, arrays, nin) : -1;
  for (int i = 0; i < nin; ++i)
    operands.push_back(made.dtype >= 0 && arrays[i].flags & kWeak ? constant(arrays[i], made.dtype) : in[i]);
  // Constants have taken numbers before the results.
  made.out = static_cast<std::int32_t>(values.size());
  for (int k = 0; k < op->nout; ++k) {
    PlanValue v;
    // A layout of the plan's own: eager code counts references of its layouts under the interpreter lock.
    v.layout = outs[k].layout ? own_layout(outs[k].layout, outs[k].dtype) : nullptr;
    v.dtype = outs[k].dtype;
    v.place = v.layout ? Place::kArena : Place::kNone;
    v.owner = made.out + k;
    v.call = number;
    array_unref(outs[k]);
    values.push_back(v);
  }
  calls.push_back(made);
  PlanStep s;
  s.kind = StepKind::kCall;
  s.index = number;
  steps.push_back(s);
  return made.out;
}

// A Python number as elements of one type.
int Plan::constant(const Array& weak, int dtype) {
  std::int64_t bits = 0;
  convert_number(weak, dtype, reinterpret_cast<char*>(&bits));
  auto place = constants_.emplace(std::make_pair(dtype, bits), static_cast<std::int32_t>(values.size()));
  if (place.second) {
    Array a{};
    a.layout = layout_scalar();
    a.dtype = static_cast<std::uint8_t>(dtype);
    std::memcpy(a.u.raw, &bits, 8);
    number(a);
  }
  return place.first->second;
}

// What a prepared call depends on: the op, its attributes, and dtypes and layouts of operands and result.
std::string Plan::form_of(const PlanCall& c) const {
  std::string key;
  auto add = [&key](const auto* from, std::size_t n) {
    key.append(reinterpret_cast<const char*>(from), n * sizeof *from);
  };
  add(&c.op, 1);
  const bool adds = c.added >= 0;
  add(&adds, 1);
  if (c.attr) add(c.attr->words, static_cast<std::size_t>(c.attr->count));
  for (int i = 0; i <= c.nin; ++i) {
    const std::int32_t v = i < c.nin ? operands[static_cast<std::size_t>(c.first_in + i)] : c.out;
    const std::int32_t ndim = v < 0 ? -1 : values[static_cast<std::size_t>(v)].layout->ndim;
    add(&ndim, 1);
    if (v < 0) continue;
    add(&values[static_cast<std::size_t>(v)].dtype, 1);
    add(values[static_cast<std::size_t>(v)].layout->dims, 2 * static_cast<std::size_t>(ndim));
  }
  return key;
}

// Lets a forward function that can do its checks once do them now. Calls of one form share what it made.
int Plan::prepare_call(PlanCall& c) {
  const PlanValue& result = values[static_cast<std::size_t>(c.out)];
  if (c.ready || !c.op->prepares || c.op->nout != 1 || c.nin > 3 || !result.layout) return 0;
  // Operands and the result side by side in memory that nobody reads.
  index_t at[4], end = 0;
  bool plain = true;
  for (int i = 0; i <= c.nin; ++i) {
    std::int32_t v = i < c.nin ? operands[static_cast<std::size_t>(c.first_in + i)] : c.out;
    at[i] = end;
    if (v < 0) continue;
    const PlanValue& value = values[static_cast<std::size_t>(v)];
    plain &= value.place != Place::kNumber && value.place != Place::kMeasured;
    end += (span_bytes(value.layout, value.dtype) + 63) / 64 * 64;
  }
  if (!plain) return 0;
  auto known = forms_.emplace(form_of(c), nullptr);
  if (!known.second) {
    c.ready = known.first->second;
    return 0;
  }
  Storage* memory = phantom(static_cast<std::size_t>(end));
  if (!memory) return fail_memory(c.op->name, end);
  Array in[3], dest{}, out{};
  for (int i = 0; i <= c.nin; ++i) {
    std::int32_t v = i < c.nin ? operands[static_cast<std::size_t>(c.first_in + i)] : c.out;
    Array& a = i < c.nin ? in[i] : dest;
    a = Array{};
    if (v < 0) continue;
    a.layout = values[static_cast<std::size_t>(v)].layout;
    a.dtype = values[static_cast<std::size_t>(v)].dtype;
    a.storage = memory;
    a.u.offset = at[i];
  }
  std::unique_ptr<Prepared> made;
  OpCall call{c.op, in, c.nin, c.attr, &out, 1};
  call.dest = &dest;
  call.all_dests = true;
  call.accumulate = c.added >= 0;
  call.prepare = &made;
  const int status = c.op->forward(call);  // or kCannotAccumulate
  array_unref(out);
  if (status < 0) return -1;
  c.ready = known.first->second = std::move(made);
  return 0;
}

int Plan::prepare_calls() {
  for (const PlanStep& s : steps)
    if (s.kind == StepKind::kCall && prepare_call(calls[static_cast<std::size_t>(s.index)]) < 0) return -1;
  return 0;
}

void Plan::host(const std::int32_t* uses, int n) {
  PlanStep s;
  s.kind = StepKind::kHost;
  s.index = host_steps_++;
  s.reads.assign(uses, uses + n);
  steps.push_back(s);
}

void Plan::fence() {
  PlanStep s;
  s.kind = StepKind::kFence;
  steps.push_back(s);
}

int Plan::result(std::int32_t v) {
  const PlanValue& from = values[static_cast<std::size_t>(v)];
  int made = outside(from.dtype, layout_contiguous(from.layout->ndim, from.layout->shape()));
  writes_.push_back({made, v, host_steps_, true});
  return values[static_cast<std::size_t>(made)].slot;
}

void Plan::write(std::int32_t target, std::int32_t v) { writes_.push_back({target, v, host_steps_, false}); }

}  // namespace wg
