// The registry of forward functions, and what all of them share: results, promotion, broadcasting, axes.
#include <cstring>
#include <string>

#include "wengert/kernels.h"
#include "wengert/op.h"

namespace wg {

int default_dtype = kFloat32;

OpInfo* op_register(const char* name, const char* forward, const char* kernel, const char* schema, int nin,
                    int nout, std::uint32_t flags) {
  ForwardFn fn = nullptr;
  bool prepares = false;
#define WG_SEARCH(list)                                       \
  for (const ForwardEntry* e = list##_forwards; e->name; ++e) \
    if (!std::strcmp(e->name, forward)) fn = e->fn, prepares = e->prepares;
  WG_FORWARD_LISTS(WG_SEARCH)
#undef WG_SEARCH
  if (!fn) {
    fail(kRuntimeError, "op table: row '%s' names the forward function '%s', which does not exist", name, forward);
    return nullptr;
  }
  static std::uint16_t next_id = 0;
  auto* op = new OpInfo();
  auto* name_copy = new std::string(name);
  auto* kernel_copy = new std::string(kernel);
  op->name = name_copy->c_str();
  op->kernel = kernel_copy->c_str();
  op->schema = (new std::string(schema))->c_str();
  op->forward = fn;
  op->prepares = prepares;
  op->nin = static_cast<std::int16_t>(nin);
  op->nout = static_cast<std::int16_t>(nout);
  op->flags = flags;
  if (flags & kElementwise) {
    bool any = false;
    for (int dt = 0; dt < kNumDTypes; ++dt) {
      const KernelEntry* e = find_kernel(kernel, dt);
      if (!e || e->kind != nin) continue;
      op->fn[dt] = e->fn;
      op->out_dtype[dt] = e->out;
      any = true;
    }
    if (!any) {
      fail(kRuntimeError, "op table: row '%s' names the kernel '%s', which does not exist with %d operands", name,
           kernel, nin);
      delete op;
      return nullptr;
    }
  }
  op->id = next_id++;
  return op;
}

int OpCall::emit(int i, int dtype, Layout* layout) {
  if (dest && (i == 0 || all_dests)) {
    const Array& to = dest[i];
    bool same = same_shape(layout, to.layout);
    if (!same) {
      fail(kRuntimeError,
           "%s: expected an output of shape %s, got one of shape %s. In-place results do not broadcast.", op->name,
           shape_text(layout), shape_text(to.layout));
      layout_decref(layout);
      return -1;
    }
    layout_decref(layout);
    out[i] = to;
    array_ref(out[i]);
    return 1;
  }
  if (dry) {
    out[i] = Array{};
    out[i].layout = layout;
    out[i].dtype = static_cast<std::uint8_t>(dtype);
    out[i].flags = kShapeOnly;
    return 0;
  }
  index_t bytes = layout->numel * itemsize(dtype);
  if (!array_new(&out[i], dtype, layout)) return fail_memory(op->name, bytes);
  return 1;
}

int left_off(OpCall& c, int status) {
  for (int i = 0; i < c.nout && status >= 0; ++i) array_unref(c.out[i]);
  // What was written in place may be half old and half new: no saved operand may take it for what it was.
  for (int i = 0; c.dest && i < (c.all_dests ? c.nout : 1); ++i) array_wrote(c.dest[i]);
  return fail_interrupted();
}

DType result_dtype(const Array* in, int n) {
  // Three ranks: tensors with dimensions, 0-d tensors, Python numbers. A lower rank only counts when its category
  // is higher (torch.result_type).
  int by_rank[3] = {-1, -1, -1};
  for (int i = 0; i < n; ++i) {
    int rank = in[i].flags & kWeak ? 2 : in[i].ndim() == 0 ? 1 : 0;
    int dt = in[i].dtype;
    if (rank == 2) dt = dt == kFloat64 ? default_dtype : dt == kComplex128 ? complex_type(default_dtype) : dt;
    by_rank[rank] = by_rank[rank] < 0 ? dt : promote(by_rank[rank], dt);
  }
  int result = by_rank[0];
  for (int r = 1; r < 3; ++r) {
    int lower = by_rank[r];
    if (lower < 0) continue;
    if (result < 0) {
      result = lower;
    } else if (category(lower) > category(result)) {
      // The precision of a floating result is not a matter of category: a lower rank makes it complex, not wider.
      result = is_float(result) ? complex_type(result) : promote(result, lower);
    }
  }
  return static_cast<DType>(result);
}

Layout* broadcast_layout(const char* op, const Array* in, int n) {
  Layout* first = nullptr;
  bool same = true;
  int ndim = 0;
  for (int i = 0; i < n; ++i) {
    if (in[i].ndim() > ndim) ndim = in[i].ndim();
    if (in[i].ndim() == 0) continue;
    if (!first) {
      first = in[i].layout;
    } else if (!same_shape(first, in[i].layout)) {
      same = false;
    }
  }
  if (!first) return layout_contiguous(0, nullptr);
  if (same) return layout_dense(first);
  index_t shape[kMaxDims];
  for (int d = 0; d < ndim; ++d) {
    index_t size = 1;
    for (int i = 0; i < n; ++i) {
      int own = d - (ndim - in[i].ndim());
      if (own < 0) continue;
      index_t s = in[i].shape()[own];
      if (s == 1) continue;
      if (size != 1 && size != s) {
        char text[400] = "";
        for (int k = 0; k < n; ++k) {
          if (k) std::strncat(text, k + 1 < n ? ", " : " and ", sizeof text - std::strlen(text) - 1);
          std::strncat(text, shape_text(in[k].layout), sizeof text - std::strlen(text) - 1);
        }
        fail(kRuntimeError,
             "%s: expected shapes that broadcast together, got %s (sizes %lld and %lld at dimension "
             "%d). Sizes must be equal or 1.",
             op, text, static_cast<long long>(size), static_cast<long long>(s), d);
        return nullptr;
      }
      size = s;
    }
    shape[d] = size;
  }
  return layout_contiguous(ndim, shape);
}

Layout* expand_layout(const Array& a, int ndim, const index_t* shape) {
  index_t strides[kMaxDims];
  for (int d = 0; d < ndim; ++d) {
    int own = d - (ndim - a.ndim());
    strides[d] = own < 0 || (a.shape()[own] == 1 && shape[d] != 1) ? 0 : a.strides()[own];
  }
  return layout_strided(ndim, shape, strides);
}

int expect_shape(const OpCall& c, int k, int ndim, const index_t* shape) {
  const Array& a = c.in[k];
  if (!a.defined()) return 0;
  bool same = a.ndim() == ndim;
  for (int d = 0; same && d < ndim; ++d) same = a.shape()[d] == shape[d];
  if (same) return 0;
  return fail(kRuntimeError, "%s: expected an operand %d of shape %s, got %s.", c.op->name, k,
              shape_text(ndim, shape), shape_text(a.layout));
}

int expect_reduced(const OpCall& c, const bool* mask, bool keepdim) {
  const Array& like = c.in[1];
  index_t shape[kMaxDims];
  int n = 0;
  for (int d = 0; d < like.ndim(); ++d) {
    if (mask[d] && !keepdim) continue;
    shape[n++] = mask[d] ? 1 : like.shape()[d];
  }
  return expect_shape(c, 0, n, shape);
}

int normalize_dim(const char* op, std::int64_t dim, int ndim) {
  int limit = ndim == 0 ? 1 : ndim;
  if (dim < -limit || dim >= limit)
    return fail(kIndexError, "%s: expected a dimension in [%d, %d], got %lld. The tensor has %d dimension%s.", op,
                -limit, limit - 1, static_cast<long long>(dim), ndim, ndim == 1 ? "" : "s");
  return static_cast<int>(dim < 0 ? dim + limit : dim);
}

int dims_mask(const char* op, const std::int64_t* dims, int n, int ndim, bool* mask) {
  for (int d = 0; d < ndim; ++d) mask[d] = n <= 0;
  for (int i = 0; i < n; ++i) {
    int d = normalize_dim(op, dims[i], ndim);
    if (d < 0) return -1;
    if (ndim == 0) continue;
    if (mask[d])
      return fail(kRuntimeError, "%s: expected each dimension once, got dimension %d twice. Remove the repeat.", op,
                  d);
    mask[d] = true;
  }
  return 0;
}

}  // namespace wg
