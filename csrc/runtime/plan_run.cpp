// Running plans: the block interpreter for groups, scalars one by one, everything else by its forward function.
#include <chrono>
#include <cstring>

#include "wengert/kernels.h"
#include "wengert/parallel.h"
#include "wengert/plan.h"

namespace wg {

namespace {

constexpr index_t kChunk = 1 << 14;          // elements of one parallel part
constexpr index_t kInterruptWork = 1 << 22;  // elements between two looks at pending signals
constexpr int kScratchSlot = 3;

// Two worlds of memory: arrays that are read and arrays that are written never lie in one storage, so forward
// functions see no overlap. Offsets are addresses.
Storage* world(bool written) {
  static Storage read, write;
  Storage* s = written ? &write : &read;
  s->refs = 1 << 30;
  s->bytes = std::size_t{1} << 62;
  s->size_class = kForeign;
  return s;
}

template <class T>
void fill_run(char* to, const char* from, index_t n) {
  T v;
  std::memcpy(&v, from, sizeof(T));
  T* t = reinterpret_cast<T*>(to);
  for (index_t i = 0; i < n; ++i) t[i] = v;
}

template <class T>
void gather_run(char* to, const char* from, index_t stride, index_t n) {
  T* t = reinterpret_cast<T*>(to);
  for (index_t i = 0; i < n; ++i) std::memcpy(&t[i], from + i * stride, sizeof(T));
}

void copy_run(int item, char* to, const char* from, index_t stride, index_t n) {
  if (stride == item) {
    std::memcpy(to, from, static_cast<std::size_t>(n * item));
  } else if (stride == 0) {
    item == 4   ? fill_run<std::uint32_t>(to, from, n)
    : item == 8 ? fill_run<std::uint64_t>(to, from, n)
                : static_cast<void>(std::memset(to, *from, static_cast<std::size_t>(n)));
  } else {
    item == 4   ? gather_run<std::uint32_t>(to, from, stride, n)
    : item == 8 ? gather_run<std::uint64_t>(to, from, stride, n)
                : gather_run<std::uint8_t>(to, from, stride, n);
  }
}

// Elements lo … lo + n of a strided operand, in the order of the group's shape.
void gather_block(const BlockLoad& l, const char* from, index_t lo, index_t n, char* to) {
  index_t at[8];
  index_t rest = lo;
  int inner = l.ndim - 1;
  for (int d = inner; d >= 0; --d) {
    at[d] = rest % l.shape[d];
    rest /= l.shape[d];
    from += at[d] * l.stride[d];
  }
  while (n > 0) {
    index_t run = l.shape[inner] - at[inner] < n ? l.shape[inner] - at[inner] : n;
    copy_run(l.item, to, from, l.stride[inner], run);
    to += run * l.item;
    n -= run;
    from += run * l.stride[inner];
    at[inner] += run;
    for (int d = inner; d > 0 && at[d] == l.shape[d]; --d) {
      from += l.stride[d - 1] - l.shape[d] * l.stride[d];
      at[d] = 0;
      ++at[d - 1];
    }
  }
}

// Adds the time since the step before to that step's place.
class Watch {
 public:
  explicit Watch(std::vector<double>* to) : to_(to) {}
  ~Watch() { next(); }
  void next() {
    if (!to_) return;
    auto now = std::chrono::steady_clock::now();
    if (step_ >= 0) (*to_)[static_cast<std::size_t>(step_)] += std::chrono::duration<double>(now - last_).count();
    ++step_;
    last_ = now;
  }

 private:
  std::vector<double>* to_;
  std::chrono::steady_clock::time_point last_;
  index_t step_ = -1;
};

}  // namespace

// ---- groups -----------------------------------------------------------------------------------------------

void Plan::run_blocks(const BlockGroup& g, index_t begin, index_t end) const {
  constexpr index_t kCell = kBlock * 8;  // bytes of a temporary
  char* pool = static_cast<char*>(scratch(kScratchSlot, static_cast<std::size_t>((g.temporaries + 1) * kCell)));
  char* few[96];
  std::vector<char*> many;
  char** reg = few;
  if (g.registers > 96) {
    many.resize(static_cast<std::size_t>(g.registers));
    reg = many.data();
  }
  for (index_t lo = begin; lo < end; lo += kBlock) {
    const index_t m = end - lo < kBlock ? end - lo : kBlock;
    for (const BlockLoad& l : g.loads) {
      char* from = data_[static_cast<std::size_t>(l.value)];
      if (l.uniform) {
        reg[l.reg] = from;
      } else if (l.dense) {
        reg[l.reg] = from + lo * l.item;
      } else {
        reg[l.reg] = pool + g.pool[static_cast<std::size_t>(l.reg)] * kCell;
        gather_block(l, from, lo, m, reg[l.reg]);
      }
    }
    for (const BlockOp& op : g.code)
      if (g.pool[static_cast<std::size_t>(op.out)] >= 0)
        reg[op.out] = pool + g.pool[static_cast<std::size_t>(op.out)] * kCell;
    for (const BlockStore& s : g.stores)
      if (!s.late) reg[s.reg] = data_[static_cast<std::size_t>(s.value)] + lo * s.item;
    for (const BlockOp& op : g.code) {
      switch (op.nin) {
        case 1:
          reinterpret_cast<UnaryFn>(op.fn)(reg[op.in[0]], reg[op.out], m);
          break;
        case 2:
          reinterpret_cast<BinaryFn>(op.fn)(reg[op.in[0]], reg[op.in[1]], reg[op.out], m, op.scalars);
          break;
        default:
          reinterpret_cast<TernaryFn>(op.fn)(reg[op.in[0]], reg[op.in[1]], reg[op.in[2]], reg[op.out], m,
                                             op.scalars);
      }
    }
    for (const BlockStore& s : g.stores)
      if (s.late)
        std::memcpy(data_[static_cast<std::size_t>(s.value)] + lo * s.item, reg[s.reg],
                    static_cast<std::size_t>(m * s.item));
  }
}

void Plan::run_group(const BlockGroup& g) {
  if (g.numel <= kChunk) {
    run_blocks(g, 0, g.numel);
    return;
  }
  Unlocked unlocked(true);
  parallel_for((g.numel + kChunk - 1) / kChunk, [&](index_t part) {
    index_t end = (part + 1) * kChunk;
    run_blocks(g, part * kChunk, end < g.numel ? end : g.numel);
  });
}

// ---- forward functions ------------------------------------------------------------------------------------

Array Plan::array(std::int32_t v, Storage* storage) const {
  const PlanValue& value = values[static_cast<std::size_t>(v)];
  if (value.place == Place::kNumber) return value.number;
  Array a{};
  a.layout = value.layout;
  a.dtype = value.dtype;
  if (value.place == Place::kMeasured) {
    a.flags = kShapeOnly;
    return a;
  }
  a.storage = storage;
  a.u.offset = reinterpret_cast<index_t>(data_[static_cast<std::size_t>(v)]);
  return a;
}

int Plan::run_call(const PlanCall& c) {
  Array few[8], out[kMaxResults] = {}, dest[kMaxResults] = {};
  std::vector<Array> many;
  Array* in = few;
  if (c.nin > 8) {
    many.resize(static_cast<std::size_t>(c.nin));
    in = many.data();
  }
  for (int i = 0; i < c.nin; ++i) {
    std::int32_t v = operands[static_cast<std::size_t>(c.first_in + i)];
    in[i] = v < 0 ? Array{} : array(v, world(false));
  }
  int nout = c.op->nout;
  for (int k = 0; k < nout; ++k)
    if (values[static_cast<std::size_t>(c.out + k)].layout) dest[k] = array(c.out + k, world(true));
  OpCall call{c.op, in, c.nin, c.attr, out, nout};
  call.dest = dest;
  call.all_dests = true;
  int status = c.op->forward(call);
  for (int k = 0; k < nout; ++k) {
    if (!out[k].defined()) continue;
    // An op that hands an operand on, or makes memory of its own.
    if (status >= 0 && dest[k].defined() && out[k].data() != dest[k].data()) {
      Array as = dest[k];
      as.layout = layout_contiguous(out[k].ndim(), out[k].shape());
      if (copy_into(out[k], as) < 0) status = -1;
      layout_decref(as.layout);
    }
    array_unref(out[k]);
  }
  return status;
}

int Plan::run_copy(std::int32_t from, std::int32_t to) {
  Array source = array(from, world(false)), target = array(to, world(true));
  return copy_into(source, target);
}

// ---- runs -------------------------------------------------------------------------------------------------

int Plan::run(int (*host)(void* arg, int i), int (*interrupt)(), void* arg) {
  for (std::int32_t v : outer_) {
    const PlanValue& value = values[static_cast<std::size_t>(v)];
    data_[static_cast<std::size_t>(v)] =
        bound_[static_cast<std::size_t>(values[static_cast<std::size_t>(value.owner)].slot)] + value.delta;
  }
  index_t work = 0;
  Watch watch(timed ? &seconds : nullptr);
  for (const PlanStep& s : steps) {
    watch.next();
    switch (s.kind) {
      case StepKind::kGroup: {
        const BlockGroup& g = groups[static_cast<std::size_t>(s.index)];
        run_group(g);
        work += g.numel * static_cast<index_t>(g.code.size());
        break;
      }
      case StepKind::kScalars: {
        char* const* data = data_.data();
        for (const ScalarOp& op : scalars[static_cast<std::size_t>(s.index)]) {
          if (op.nin == 2) {
            reinterpret_cast<BinaryFn>(op.fn)(data[op.in[0]], data[op.in[1]], data[op.out], 1, 0);
          } else if (op.nin == 1) {
            reinterpret_cast<UnaryFn>(op.fn)(data[op.in[0]], data[op.out], 1);
          } else {
            reinterpret_cast<TernaryFn>(op.fn)(data[op.in[0]], data[op.in[1]], data[op.in[2]], data[op.out], 1, 0);
          }
        }
        work += static_cast<index_t>(scalars[static_cast<std::size_t>(s.index)].size());
        break;
      }
      case StepKind::kCall: {
        const PlanCall& c = calls[static_cast<std::size_t>(s.index)];
        if (c.ready) {
          char* in[3];
          for (int i = 0; i < c.nin; ++i) {
            std::int32_t v = operands[static_cast<std::size_t>(c.first_in + i)];
            in[i] = v < 0 ? nullptr : data_[static_cast<std::size_t>(v)];
          }
          c.ready->run(in, data_[static_cast<std::size_t>(c.out)]);
        } else if (run_call(c) < 0) {
          return -1;
        }
        work += values[static_cast<std::size_t>(c.out)].layout->numel * 16;
        break;
      }
      case StepKind::kCopy:
        if (run_copy(s.from, s.to) < 0) return -1;
        break;
      case StepKind::kHost:
        if (host(arg, s.index) < 0) return -1;
        break;
    }
    if (work > kInterruptWork) {
      work = 0;
      if (interrupt() < 0) return -1;
    }
  }
  return 0;
}

}  // namespace wg
