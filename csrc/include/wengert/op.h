// Ops as the runtime sees them: one OpInfo for each row of the op table, one OpCall for each execution.
//
// A forward function checks shapes and dtypes, allocates the results (OpCall::emit) and runs the kernel. It is
// used by eager execution, by gradient rules and by plans alike. It runs with the interpreter lock held; the
// parts above a size release it (Unlocked).
#pragma once
#include <memory>

#include "wengert/array.h"
#include "wengert/interrupt.h"

namespace wg {

// ---- errors -------------------------------------------------------------------------------------------

enum ErrorKind {
  kNoError = 0,
  kTypeError,
  kValueError,
  kIndexError,
  kRuntimeError,
  kMemoryError,
  kNotImplemented,
  kInterrupted,
};

struct Error {
  ErrorKind kind;
  char text[600];
};
Error& last_error();  // of the calling thread
// Sets the error and returns -1. The text follows the grammar "op: expected X, got Y. Do Z."
int fail(ErrorKind kind, const char* format, ...) __attribute__((format(printf, 2, 3)));
int fail_memory(const char* op, index_t bytes);
// Takes the calling thread's mark away and fails with kInterrupted (Note [Leaving off]).
int fail_interrupted();
// Text of a shape, "(2, 3)", in one of a few rotating buffers of the calling thread.
const char* shape_text(int ndim, const index_t* shape);
inline const char* shape_text(const Layout* l) { return shape_text(l->ndim, l->shape()); }

// ---- attributes ---------------------------------------------------------------------------------------

// The attributes of one call, flattened into words by the schema of the row: an int, bool, dtype or float is one
// word (a float by its bits), a list is its length and then its items, an optional value is 0, or 1 and the
// value; a list of length -1 is an absent one. Immutable and shared.
struct Attr {
  std::int32_t refs;
  std::int32_t count;
  std::int64_t words[1];
};
Attr* attr_new(const std::int64_t* words, int count);  // refs == 1
void attr_decref(Attr* a);
inline Attr* attr_incref(Attr* a) {
  if (a) ++a->refs;
  return a;
}

// Reads the words of an Attr in schema order.
class AttrReader {
 public:
  explicit AttrReader(const Attr* a) : p_(a ? a->words : nullptr) {}
  std::int64_t integer() { return *p_++; }
  bool boolean() { return *p_++ != 0; }
  double real() {
    double d;
    std::memcpy(&d, p_++, 8);
    return d;
  }
  // Length -1: the list is absent.
  const std::int64_t* list(int* n) {
    *n = static_cast<int>(*p_++);
    const std::int64_t* items = p_;
    if (*n > 0) p_ += *n;
    return items;
  }
  bool maybe_integer(std::int64_t* v) {
    bool has = *p_++ != 0;
    if (has) *v = *p_++;
    return has;
  }
  bool maybe_real(double* v) {
    bool has = *p_++ != 0;
    if (has) *v = real();
    return has;
  }

 private:
  const std::int64_t* p_;
};

// ---- ops ----------------------------------------------------------------------------------------------

enum OpFlag : std::uint32_t {
  kElementwise = 1,   // result element i depends on operand elements i alone; operands broadcast
  kView = 2,          // the result looks at the storage of input 0
  kRandom = 4,        // draws random numbers; the last two attributes are seed and offset
  kFloatResult = 8,   // integers are computed in the default floating dtype
  kAccumulates = 16,  // honours OpCall::accumulate
  kNoGrad = 32,       // has no gradient rule
  kDivides = 64,      // of integers: a divisor of 0 is an error
  kConjugates =
      128,  // its rule says itself what is conjugated; other rules read conjugates of complex saved values
};

// What a forward function returns, beside 0 (done) and -1 (error): the result cannot be added to `dest` directly,
// call again without it.
constexpr int kCannotAccumulate = 1;

// A sum over the middle of [outer][n][inner], contiguous; for a mean, what the results are divided by.
struct SumShape {
  index_t outer, n, inner;
  bool mean;
  alignas(8) char count[8];
};

// A call whose checks are done: what is left is a kernel and its operands. Plans keep one for each call that has
// it.
struct Prepared {
  virtual ~Prepared() = default;
  // Of sums and means: what a group needs to add up its elements where they are made.
  virtual const SumShape* sum() const { return nullptr; }
  // The data of the operands in order, and of the result.
  virtual void run(char* const* in, char* out) const = 0;
};

struct OpCall;
using ForwardFn = int (*)(OpCall&);

struct OpInfo {
  std::uint16_t id;
  std::int16_t nin;  // -1: any number
  std::int16_t nout;
  std::uint32_t flags;
  const char* name;
  const char* kernel;
  const char*
      schema;  // one letter for each attribute: i integer, b bool, d dtype, f float, I list; j, g optional i, f
  ForwardFn forward;
  bool prepares;  // forward honours OpCall::prepare
  // Elementwise ops: the kernel for each element type it computes in, and the type of its result.
  void* fn[kNumDTypes];
  std::uint8_t out_dtype[kNumDTypes];
  // Room for what a forward function looks up once for each dtype (reduce: its two kernels).
  mutable const void* found[2][kNumDTypes];
};

struct OpCall {
  const OpInfo* op;
  Array* in;
  int nin;
  const Attr* attr;
  Array* out;  // nout results, undefined before the call; each new reference belongs to the caller
  int nout;
  Array* dest = nullptr;    // in-place and out=: the result is written here (shape as the op gives it)
  bool all_dests = false;   // dest points to one array for each result, in memory that no operand shares
  bool accumulate = false;  // with dest: add to it instead (ops with kAccumulates only)
  // Forward functions with ForwardEntry::prepares: fill this and compute nothing, or leave it empty. Operands and
  // `dest` then have memory of their layouts, but no values.
  std::unique_ptr<Prepared>* prepare = nullptr;
  bool dry = false;  // shapes and dtypes only: results have no storage
  // Bit i: somebody reads result i. What nobody reads may be left out, as an empty 0-d value.
  std::uint32_t wanted = ~0u;

  // Prepares result i: new contents-undefined array over `layout` (steals the reference), or dest. Returns 1 when
  // the caller is to fill it, 0 when there is nothing to compute (dry run), -1 on error.
  int emit(int i, int dtype, Layout* layout);
};

// Runs a call's forward function; one that was left off hands out no results.
int left_off(OpCall& c, int status);
inline int run_forward(OpCall& c) {
  int status = c.op->forward(c);
  return interrupted() ? left_off(c, status) : status;
}

// A new op for a row; nullptr with the error set when forward or kernel do not exist.
OpInfo* op_register(const char* name, const char* forward, const char* kernel, const char* schema, int nin,
                    int nout, std::uint32_t flags);

struct ForwardEntry {
  const char* name;
  ForwardFn fn;
  bool prepares = false;
};
// Each file of csrc/ops lists its forward functions; registry.cpp joins the lists.
// clang-format off
#define WG_FORWARD_LISTS(X) \
  X(elementwise) X(reduce) X(view) X(copy) X(matmul) X(random) X(nn) X(norm) X(conv) X(index) X(join) X(scan) \
  X(recurrent) X(attention) X(bag) X(complex) X(resample) X(linalg)
// clang-format on
#define WG_DECLARE_LIST(name) extern const ForwardEntry name##_forwards[];
WG_FORWARD_LISTS(WG_DECLARE_LIST)
#undef WG_DECLARE_LIST

// ---- shared by the forward functions --------------------------------------------------------------------

extern int default_dtype;  // kFloat32 unless set_default_dtype changed it

// PyTorch's result type: tensors with dimensions before 0-d tensors before Python numbers.
DType result_dtype(const Array* in, int n);
// New layout of the broadcast shape; nullptr with the error set.
Layout* broadcast_layout(const char* op, const Array* in, int n);
// The array viewed with `layout`'s shape by broadcasting (stride 0); new layout. The shapes must be compatible.
Layout* expand_layout(const Array& a, int ndim, const index_t* shape);
// dst (any layout, same shape) = src converted to dst's dtype.
int copy_into(const Array& src, const Array& dst);
// New contiguous array with the same values in `dtype`; shares the storage when nothing has to change.
int as_contiguous(const Array& src, int dtype, Array* out);
int normalize_dim(const char* op, std::int64_t dim, int ndim);  // -1 with the error set (IndexError)
// A wrap-around or range error for dims lists; fills mask[ndim]. n < 0 or an empty list means all dims.
int dims_mask(const char* op, const std::int64_t* dims, int n, int ndim, bool* mask);
// -1 with the error set where operand k is there and has another shape. Rows of gradients check with it what
// their rules promise, because graphs can come from files.
int expect_shape(const OpCall& c, int k, int ndim, const index_t* shape);
inline int expect_shape(const OpCall& c, int k, const Layout* l) { return expect_shape(c, k, l->ndim, l->shape()); }
// Operand 0 has the shape of operand 1 reduced over the masked dimensions.
int expect_reduced(const OpCall& c, const bool* mask, bool keepdim);
int fill_zero(const Array& a);
// dst += src (same shape and dtype).
int add_into(const Array& src, const Array& dst);
// New array: `a` summed over the dimensions in which `like` was broadcast.
int sum_to_layout(const Array& a, Layout* like, Array* out);
// Size above which a kernel releases the interpreter lock, in bytes touched.
constexpr index_t kUnlockBytes = 1 << 16;

}  // namespace wg
