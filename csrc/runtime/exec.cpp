// The executor of programs: instruction by instruction, or block by block where everything is elementwise.
#include <cstring>

#include "wengert/kernels.h"
#include "wengert/parallel.h"
#include "wengert/program.h"

#include "parts.h"

namespace wg {

namespace {

constexpr int kMaxTemporaries = 24;  // 24 registers of 2 KiB: within the first-level cache
constexpr int kMaxRegisters = 64;

// A single-element floating value in the computing dtype; false for other dtypes.
bool as_uniform(const Array& a, int dtype, double* slot) {
  double v;
  if (a.dtype == kFloat64) {
    std::memcpy(&v, a.data(), 8);
  } else if (a.dtype == kFloat32) {
    float f;
    std::memcpy(&f, a.data(), 4);
    v = f;
  } else {
    return false;
  }
  if (dtype == kFloat32) {
    float f = static_cast<float>(v);
    std::memcpy(slot, &f, 4);
  } else {
    *slot = v;
  }
  return true;
}

// ---- block form -----------------------------------------------------------------------------------------

void plan_block(Program* p, int dtype, Program::Block* block) {
  block->state = -1;
  if (!p->elementwise || p->nregs > kMaxRegisters || p->temporaries > kMaxTemporaries) return;
  std::vector<int> type(static_cast<std::size_t>(p->nregs), dtype);
  for (const Instr& i : p->code) {
    // The computing dtype of an instruction is that of its values: constants and bool masks aside, all are dtype.
    int compute = i.op->nin == 3 && i.op->kernel[0] == 'w' ? dtype : type[static_cast<std::size_t>(i.in[0])];
    for (int k = 0; k < i.op->nin; ++k)
      if (type[static_cast<std::size_t>(i.in[k])] == dtype) compute = dtype;
    for (int k = 0; k < i.op->nin; ++k) {
      bool mask = k == 0 && i.op->nin == 3 && i.op->kernel[0] == 'w';
      if (type[static_cast<std::size_t>(i.in[k])] != (mask ? static_cast<int>(kBool) : compute)) return;
    }
    if (!i.op->fn[compute]) return;
    Program::Step s;
    s.fn = i.op->fn[compute];
    s.nin = i.op->nin;
    for (int k = 0; k < s.nin; ++k) s.in[k] = i.in[k];
    s.out = i.out;
    s.out_item = static_cast<std::int16_t>(itemsize(i.op->out_dtype[compute]));
    type[static_cast<std::size_t>(i.out)] = i.op->out_dtype[compute];
    block->steps.push_back(s);
  }
  for (std::int16_t r : p->results)
    if (r >= 0 && type[static_cast<std::size_t>(r)] != dtype) return;
  for (const Array& a : p->constants) {
    double v;
    if (!as_uniform(a, dtype, &v)) return;
    block->constants.push_back(v);
  }
  block->state = 1;
}

struct BlockRun {
  const Program* p;
  const Program::Block* block;
  int dtype;
  char* base[kMaxRegisters];  // operands: data; results that are written directly: destination; else null
  std::uint64_t uniform;      // operands of a single value
  char* add_to[8];            // for result i: added to instead of written
  char* write_to[8];
};

void run_blocks(const BlockRun& run, index_t begin, index_t end) {
  const Program& p = *run.p;
  const index_t item = run.dtype == kFloat32 ? 4 : 8;
  alignas(64) char pool[kMaxTemporaries][kBlock * 8];
  static const BinaryFn add_f32 = kernel_fn<BinaryFn>("add", kFloat32),
                        add_f64 = kernel_fn<BinaryFn>("add", kFloat64);
  char* reg[kMaxRegisters];
  for (index_t lo = begin; lo < end; lo += kBlock) {
    const index_t m = end - lo < kBlock ? end - lo : kBlock;
    const int fixed = p.given + static_cast<int>(p.constants.size());
    for (int r = 0; r < fixed; ++r) reg[r] = run.base[r] + (run.uniform >> r & 1 ? 0 : lo * item);
    for (const Program::Step& s : run.block->steps) {
      reg[s.out] =
          run.base[s.out] ? run.base[s.out] + lo * item : pool[p.temp_slot[static_cast<std::size_t>(s.out)]];
      int scalars = 0;
      for (int k = 0; k < s.nin; ++k) scalars |= static_cast<int>(run.uniform >> s.in[k] & 1) << k;
      switch (s.nin) {
        case 1:
          reinterpret_cast<UnaryFn>(s.fn)(reg[s.in[0]], reg[s.out], scalars ? 1 : m);
          if (scalars)  // one value: later readers expect a full block
            for (index_t k = 1; k < m; ++k)
              std::memcpy(reg[s.out] + k * s.out_item, reg[s.out], static_cast<std::size_t>(s.out_item));
          break;
        case 2:
          reinterpret_cast<BinaryFn>(s.fn)(reg[s.in[0]], reg[s.in[1]], reg[s.out], m, scalars);
          break;
        default:
          reinterpret_cast<TernaryFn>(s.fn)(reg[s.in[0]], reg[s.in[1]], reg[s.in[2]], reg[s.out], m, scalars);
      }
    }
    for (std::size_t i = 0; i < p.results.size(); ++i) {
      std::int16_t r = p.results[i];
      if (r < 0) continue;
      if (run.add_to[i]) {
        char* d = run.add_to[i] + lo * item;
        (run.dtype == kFloat32 ? add_f32 : add_f64)(d, reg[r], d, m, static_cast<int>(run.uniform >> r & 1) << 1);
      } else if (run.write_to[i] && run.write_to[i] + lo * item != reg[r]) {
        std::memcpy(run.write_to[i] + lo * item, reg[r], static_cast<std::size_t>(m * item));
      }
    }
  }
}

bool all_strides_zero(const Array& a) {
  for (int d = 0; d < a.ndim(); ++d)
    if (a.shape()[d] != 1 && a.strides()[d] != 0) return false;
  return true;
}

// Tries the block form; 1: done, 0: not applicable, -1: error.
int try_blocks(Program* p, const Array* given, Layout* shape, Array* results, Array* const* acc, bool* added) {
  int dtype = given[0].dtype;
  if (dtype != kFloat32 && dtype != kFloat64) return 0;
  Program::Block* block = &p->blocks[dtype == kFloat64];
  if (block->state == 0) plan_block(p, dtype, block);
  if (block->state < 0 || p->results.size() > 8) return 0;
  BlockRun run;
  run.p = p;
  run.block = block;
  run.dtype = dtype;
  run.uniform = 0;
  double converted[kMaxRegisters];
  int fixed = p->given + static_cast<int>(p->constants.size());
  for (int r = p->given; r < fixed; ++r) {
    run.base[r] = reinterpret_cast<char*>(&block->constants[static_cast<std::size_t>(r - p->given)]);
    run.uniform |= std::uint64_t{1} << r;
  }
  for (int r = 0; r < p->given; ++r) {
    const Array& a = given[r];
    run.base[r] = nullptr;
    if (!a.defined() || a.flags & kShapeOnly) continue;
    bool weak = a.flags & kWeak;
    if (a.dtype != dtype && !weak) return 0;
    if (a.dtype == dtype && !weak && a.layout->contiguous && same_shape(a.layout, shape)) {
      run.base[r] = const_cast<char*>(a.data());
      if (shape->numel == 1) run.uniform |= std::uint64_t{1} << r;
      continue;
    }
    if (!(a.ndim() == 0 || (same_shape(a.layout, shape) && all_strides_zero(a) && a.numel() > 0))) return 0;
    if (!as_uniform(a, dtype, &converted[r])) return 0;
    run.base[r] = reinterpret_cast<char*>(&converted[r]);
    run.uniform |= std::uint64_t{1} << r;
  }
  if (shape->numel == 1) run.uniform = 0;  // one element: everything is a vector of one
  for (int r = fixed; r < p->nregs; ++r) run.base[r] = nullptr;
  index_t bytes = shape->numel * itemsize(dtype);
  // A gradient that nobody else holds is overwritten with the one result: each block is read before it is written.
  const bool reuse = p->results.size() == 1 && given[0].storage && given[0].storage->refs == 1 &&
                     given[0].layout == shape && shape->contiguous && !given[0].storage->readonly;
  for (std::size_t i = 0; i < p->results.size(); ++i) {
    run.add_to[i] = run.write_to[i] = nullptr;
    std::int16_t r = p->results[i];
    if (r < 0) continue;
    if (acc && acc[i] && same_shape(acc[i]->layout, shape) && acc[i]->dtype == dtype) {
      run.add_to[i] = acc[i]->data();
      added[i] = true;
      continue;
    }
    if (r < fixed) {  // the result is an operand itself: share it
      if (r >= p->given) return 0;
      const Array& a = given[r];
      if (a.flags & kWeak || !same_shape(a.layout, shape)) return 0;
      results[i] = a;
      array_ref(results[i]);
      continue;
    }
    if (reuse) {
      results[i] = given[0];
      array_ref(results[i]);
    } else if (!array_new(&results[i], dtype, layout_dense(shape))) {
      return fail_memory("backward", bytes);
    }
    run.write_to[i] = results[i].data();
    run.base[r] = run.write_to[i];
  }
  index_t n = shape->numel;
  if (n <= kPartElements) {
    run_blocks(run, 0, n);
  } else {
    Unlocked unlocked(true);
    parallel_for((n + kPartElements - 1) / kPartElements, [&](index_t part) {
      index_t end = (part + 1) * kPartElements;
      run_blocks(run, part * kPartElements, end < n ? end : n);
    });
  }
  if (interrupted()) {
    for (std::size_t i = 0; i < p->results.size(); ++i) array_unref(results[i]);
    return fail_interrupted();
  }
  return 1;
}

// The block form on one inline value: no allocation, no loop. 1: done, 0: not applicable.
int try_scalar(Program* p, const Array* given, Layout* shape, Array* results) {
  constexpr int kFew = 24;
  int dtype = given[0].dtype;
  if ((dtype != kFloat32 && dtype != kFloat64) || given[0].storage || p->nregs > kFew) return 0;
  Program::Block* block = &p->blocks[dtype == kFloat64];
  if (block->state == 0) plan_block(p, dtype, block);
  if (block->state < 0) return 0;
  double own[kFew];
  char* reg[kFew];
  for (int r = 0; r < p->given; ++r) {
    const Array& a = given[r];
    if (!a.layout || a.flags & kShapeOnly) continue;
    if (a.ndim() != 0) return 0;
    if (a.dtype == dtype && !(a.flags & kWeak)) {
      reg[r] = const_cast<char*>(a.data());
    } else {
      if (!(a.flags & kWeak) || !as_uniform(a, dtype, &own[r])) return 0;
      reg[r] = reinterpret_cast<char*>(&own[r]);
    }
  }
  for (std::size_t k = 0; k < block->constants.size(); ++k)
    reg[p->given + static_cast<int>(k)] = reinterpret_cast<char*>(&block->constants[k]);
  for (const Program::Step& s : block->steps) {
    char* out = reg[s.out] = reinterpret_cast<char*>(&own[s.out]);
    switch (s.nin) {
      case 1:
        reinterpret_cast<UnaryFn>(s.fn)(reg[s.in[0]], out, 1);
        break;
      case 2:
        reinterpret_cast<BinaryFn>(s.fn)(reg[s.in[0]], reg[s.in[1]], out, 1, 0);
        break;
      default:
        reinterpret_cast<TernaryFn>(s.fn)(reg[s.in[0]], reg[s.in[1]], reg[s.in[2]], out, 1, 0);
    }
  }
  for (std::size_t i = 0; i < p->results.size(); ++i) {
    std::int16_t r = p->results[i];
    if (r < 0) continue;
    layout_incref(shape);
    results[i].layout = shape;
    results[i].dtype = static_cast<std::uint8_t>(dtype);
    std::memcpy(results[i].u.raw, reg[r], 8);
    if (dtype == kFloat32) std::memset(results[i].u.raw + 4, 0, 4);
  }
  return 1;
}

// A rule without instructions hands operands on. 1: done, 0: not applicable.
int hand_on(const Program* p, const Array* given, Array* results) {
  for (std::size_t i = 0; i < p->results.size(); ++i) {
    std::int16_t r = p->results[i];
    if (r < 0) continue;
    if (r >= p->given) return 0;
    results[i] = given[r];
    results[i].flags = 0;
    array_ref(results[i]);
  }
  return 1;
}

const std::int64_t* field_words(const OpInfo* op, const Attr* attr, int field, int* count) {
  const std::int64_t* w = attr->words;
  for (int f = 0;; ++f) {
    int n = 1;
    switch (op->schema[f]) {
      case 'I':
        n = 1 + (w[0] > 0 ? static_cast<int>(w[0]) : 0);
        break;
      case 'j':
      case 'g':
        n = w[0] ? 2 : 1;
        break;
      default:
        break;
    }
    if (f == field) {
      *count = n;
      return w;
    }
    w += n;
  }
}

}  // namespace

Attr* instr_attr(const Instr& in, const OpInfo* node_op, const Attr* node_attr) {
  if (in.inherits) return attr_incref(const_cast<Attr*>(node_attr));
  if (in.parts.empty()) return attr_incref(in.attr);
  std::vector<std::int64_t> words;
  for (const AttrPart& part : in.parts) {
    if (part.field < 0) {
      words.insert(words.end(), part.words.begin(), part.words.end());
    } else {
      int n;
      const std::int64_t* w = field_words(node_op, node_attr, part.field, &n);
      words.insert(words.end(), w, w + n);
    }
  }
  return attr_new(words.data(), static_cast<int>(words.size()));
}

void program_finish(Program* p) {
  std::vector<int> last(static_cast<std::size_t>(p->nregs), -1);
  int fixed = p->given + static_cast<int>(p->constants.size());
  p->elementwise = true;
  for (std::size_t k = 0; k < p->code.size(); ++k) {
    Instr& i = p->code[k];
    if (!(i.op->flags & kElementwise)) p->elementwise = false;
    for (std::int16_t r : i.in)
      if (r >= 0) last[static_cast<std::size_t>(r)] = static_cast<int>(k);
    for (int o = 0; o < i.op->nout; ++o) last[static_cast<std::size_t>(i.out + o)] = static_cast<int>(k);
  }
  for (std::int16_t r : p->results)
    if (r >= 0) last[static_cast<std::size_t>(r)] = static_cast<int>(p->code.size());
  for (std::size_t k = 0; k < p->code.size(); ++k) {
    Instr& i = p->code[k];
    i.wanted = 0;
    for (int o = 0; o < i.op->nout; ++o)
      if (last[static_cast<std::size_t>(i.out + o)] > static_cast<int>(k)) i.wanted |= 1u << o;
  }
  p->temp_slot.assign(static_cast<std::size_t>(p->nregs), -1);
  std::vector<std::int16_t> free_slots;
  for (std::size_t k = 0; k < p->code.size(); ++k) {
    Instr& i = p->code[k];
    i.frees.clear();
    // The output takes its slot before the operands give theirs back: kernels may not alias across item sizes.
    if (free_slots.empty()) {
      p->temp_slot[static_cast<std::size_t>(i.out)] = static_cast<std::int16_t>(p->temporaries++);
    } else {
      p->temp_slot[static_cast<std::size_t>(i.out)] = free_slots.back();
      free_slots.pop_back();
    }
    for (int r = fixed; r < p->nregs; ++r) {
      if (last[static_cast<std::size_t>(r)] != static_cast<int>(k)) continue;
      i.frees.push_back(static_cast<std::int16_t>(r));
      if (p->temp_slot[static_cast<std::size_t>(r)] >= 0)
        free_slots.push_back(p->temp_slot[static_cast<std::size_t>(r)]);
    }
  }
}

void program_free(Program* p) {
  for (Instr& i : p->code) attr_decref(i.attr);
  for (Array& a : p->constants) array_unref(a);
  delete p;
}

int program_run(Program* p, const Array* given, const Attr* attr, Layout* shape, Array* results, Array* const* acc,
                bool* added) {
  for (std::size_t i = 0; i < p->results.size(); ++i) {
    results[i] = Array{};
    if (added) added[i] = false;
  }
  if (p->code.empty() && hand_on(p, given, results)) return 0;
  if (p->elementwise && shape) {
    if (shape->ndim == 0 && try_scalar(p, given, shape, results)) return 0;
    int done = try_blocks(p, given, shape, results, acc, added);
    if (done != 0) return done < 0 ? -1 : 0;
    for (std::size_t i = 0; i < p->results.size(); ++i) {
      array_unref(results[i]);
      if (added) added[i] = false;
    }
  }
  Array small[24];
  std::vector<Array> large;
  Array* regs = small;
  if (p->nregs > 24) {
    large.resize(static_cast<std::size_t>(p->nregs));
    regs = large.data();
  }
  int fixed = p->given + static_cast<int>(p->constants.size());
  for (int r = 0; r < p->nregs; ++r) {
    regs[r] = r < p->given ? given[r] : r < fixed ? p->constants[static_cast<std::size_t>(r - p->given)] : Array{};
  }
  int status = 0;
  std::vector<Array> many;
  for (std::size_t k = 0; k < p->code.size() && status == 0; ++k) {
    const Instr& i = p->code[k];
    Array few[6];
    Array* in = few;
    if (i.in.size() > 6) {
      many.resize(i.in.size());
      in = many.data();
    }
    for (std::size_t j = 0; j < i.in.size(); ++j) in[j] = i.in[j] >= 0 ? regs[i.in[j]] : Array{};
    Attr* own = instr_attr(i, p->op, attr);
    OpCall call{i.op, in, static_cast<int>(i.in.size()), own, &regs[i.out], i.op->nout};
    call.wanted = i.wanted;
    int target = -1;
    if (acc && i.op->flags & kAccumulates) {
      for (std::size_t t = 0; t < p->results.size(); ++t)
        if (p->results[t] == i.out && acc[t]) target = static_cast<int>(t);
    }
    if (target >= 0) {
      call.dest = acc[target];
      call.accumulate = true;
      status = run_forward(call);
      if (status == 0) added[target] = true;
      if (status == kCannotAccumulate) {
        call.dest = nullptr;
        call.accumulate = false;
        target = -1;
      }
    }
    if (target < 0) status = run_forward(call);
    attr_decref(own);
    if (status == 0)
      for (std::int16_t r : i.frees) array_unref(regs[r]);
  }
  if (status == 0) {
    for (std::size_t t = 0; t < p->results.size(); ++t) {
      std::int16_t r = p->results[t];
      if (r < 0 || (added && added[t])) continue;
      results[t] = regs[r];
      results[t].flags = 0;
      array_ref(results[t]);
    }
  }
  for (int r = fixed; r < p->nregs; ++r) array_unref(regs[r]);
  return status;
}

}  // namespace wg
