// Groups in the form that runs: operands, instructions on registers, results.
#include <algorithm>
#include <string>
#include <unordered_map>

#include "plan_parts.h"
#include "wengert/kernels.h"

namespace wg {

namespace {

constexpr index_t kPoolBytes = 1 << 14;  // of temporaries, about, for blocks longer than kBlock
constexpr index_t kLongBlock = 2048;
constexpr index_t kLined = 2048;  // elements from which on blocks begin with lines of the cache

bool all_strides_zero(const Layout* l) {
  for (int d = 0; d < l->ndim; ++d)
    if (l->shape()[d] != 1 && l->strides()[d] != 0) return false;
  return true;
}

// Kernels that stand for a product and the sum or difference that reads it, by dtype (float32, float64).
struct Pairs {
  void *mul[2], *add[2], *sub[2], *mul_add[2], *mul_sub[2], *sub_mul[2];
  Pairs() {
    for (int k = 0; k < 2; ++k) {
      int dtype = k ? kFloat64 : kFloat32;
      mul[k] = find_kernel("mul", dtype)->fn;
      add[k] = find_kernel("add", dtype)->fn;
      sub[k] = find_kernel("sub", dtype)->fn;
      mul_add[k] = find_kernel("mul_add", dtype)->fn;
      mul_sub[k] = find_kernel("mul_sub", dtype)->fn;
      sub_mul[k] = find_kernel("sub_mul", dtype)->fn;
    }
  }
};

// A product that one sum or difference alone reads becomes one instruction with it. Both roundings stay.
void join_pairs(BlockGroup* g) {
  static const Pairs pairs;
  std::vector<int> uses(static_cast<std::size_t>(g->registers), 0), maker(uses.size(), -1);
  for (std::size_t k = 0; k < g->code.size(); ++k) {
    const BlockOp& op = g->code[k];
    for (int i = 0; i < op.nin; ++i) ++uses[static_cast<std::size_t>(op.in[i])];
    maker[static_cast<std::size_t>(op.out)] = static_cast<int>(k);
  }
  for (const BlockStore& s : g->stores) uses[static_cast<std::size_t>(s.reg)] = 2;
  for (const BlockSum& s : g->sums) uses[static_cast<std::size_t>(s.reg)] = 2;
  std::vector<char> gone(g->code.size(), 0);
  for (BlockOp& op : g->code) {
    for (int k = 0; k < 2 && op.nin == 2; ++k) {
      bool adds = op.fn == pairs.add[k];
      if (!adds && op.fn != pairs.sub[k]) continue;
      for (int side = 0; side < 2; ++side) {
        auto r = static_cast<std::size_t>(op.in[side]);
        if (uses[r] != 1 || maker[r] < 0) continue;
        const BlockOp& product = g->code[static_cast<std::size_t>(maker[r])];
        if (product.fn != pairs.mul[k]) continue;
        gone[static_cast<std::size_t>(maker[r])] = 1;
        std::int16_t rest = op.in[1 - side];
        int rest_single = op.scalars >> (1 - side) & 1;
        op.fn = adds ? pairs.mul_add[k] : side == 0 ? pairs.mul_sub[k] : pairs.sub_mul[k];
        op.nin = 3;
        op.in[0] = product.in[0];
        op.in[1] = product.in[1];
        op.in[2] = rest;
        op.scalars = static_cast<std::uint8_t>(product.scalars | rest_single << 2);
        break;
      }
    }
  }
  std::size_t kept = 0;
  for (std::size_t k = 0; k < g->code.size(); ++k)
    if (!gone[k]) g->code[kept++] = g->code[k];
  g->code.resize(kept);
}

struct GroupBuilder {
  Plan& p;
  const std::vector<std::int32_t>& call_step;
  std::unordered_map<std::string, std::int32_t> forms;  // groups by their bytes

  PlanValue& value(std::int32_t v) { return p.values[static_cast<std::size_t>(v)]; }
  const PlanCall& call(std::int32_t c) const { return p.calls[static_cast<std::size_t>(c)]; }
  std::int32_t operand(const PlanCall& c, int i) const {
    return p.operands[static_cast<std::size_t>(c.first_in + i)];
  }

  void prepare() {
    for (std::size_t k = 0; k < p.steps.size(); ++k) {
      PlanStep& s = p.steps[k];
      if (s.kind == StepKind::kGroup) {
        BlockGroup g;
        s.first = static_cast<std::int32_t>(p.step_values.size());
        prepare_group(s, static_cast<std::int32_t>(k), &g);
        auto place = forms.emplace(form_of(g), static_cast<std::int32_t>(p.groups.size()));
        if (place.second) p.groups.push_back(std::move(g));
        s.index = place.first->second;
      } else if (s.kind == StepKind::kScalars) {
        s.index = static_cast<std::int32_t>(p.scalars.size());
        p.scalars.emplace_back();
        for (std::int32_t n : s.calls) {
          const PlanCall& c = call(n);
          ScalarOp op{c.op->fn[c.dtype], {0, 0, 0}, c.out, c.nin};
          for (int i = 0; i < c.nin; ++i) op.in[i] = operand(c, i);
          p.scalars.back().push_back(op);
        }
      }
    }
  }

  void prepare_group(const PlanStep& s, std::int32_t step, BlockGroup* g) {
    const Layout* shape = value(call(s.calls[0]).out).layout;
    g->numel = shape->numel;
    std::vector<std::int32_t> loaded, stored, summed, pieces;  // the step's values
    std::unordered_map<std::int32_t, std::int16_t> reg;        // of each value
    std::vector<char> unary_reads;
    for (std::int32_t n : s.calls) {
      const PlanCall& c = call(n);
      if (c.summed) continue;
      for (int i = 0; i < c.nin; ++i) {
        std::int32_t v = operand(c, i);
        if (value(v).call >= 0 && value(v).owner == v && call_step[static_cast<std::size_t>(value(v).call)] == step)
          continue;
        auto place = reg.emplace(v, static_cast<std::int16_t>(g->loads.size()));
        if (place.second) {
          BlockLoad l{};
          l.reg = place.first->second;
          l.item = static_cast<std::uint8_t>(itemsize(value(v).dtype));
          g->loads.push_back(l);
          loaded.push_back(v);
          unary_reads.push_back(0);
        }
        if (c.nin == 1) unary_reads[static_cast<std::size_t>(place.first->second)] = 1;
      }
    }
    for (std::size_t k = 0; k < g->loads.size(); ++k)
      plan_load(&g->loads[k], g, value(loaded[k]), shape, unary_reads[k] != 0);
    std::int16_t next = static_cast<std::int16_t>(g->loads.size());
    for (std::int32_t n : s.calls) {
      const PlanCall& c = call(n);
      if (c.summed) {
        const std::int32_t from = operand(c, 0);
        g->sums.push_back({reg[from], static_cast<std::uint8_t>(itemsize(value(c.out).dtype)), c.ready->sum(),
                           SumKernels::find(value(from).dtype), SumKernels::find(value(c.out).dtype)});
        summed.push_back(c.out);
        pieces.push_back(c.parts);
        continue;
      }
      BlockOp op{};
      op.fn = c.op->fn[c.dtype];
      op.nin = static_cast<std::int16_t>(c.nin);
      for (int i = 0; i < c.nin; ++i) {
        op.in[i] = reg[operand(c, i)];
        if (static_cast<std::size_t>(op.in[i]) < g->loads.size() &&
            g->loads[static_cast<std::size_t>(op.in[i])].uniform)
          op.scalars |= static_cast<std::uint8_t>(1 << i);
      }
      op.out = next++;
      op.out_item = static_cast<std::uint8_t>(itemsize(c.op->out_dtype[c.dtype]));
      reg[c.out] = op.out;
      g->code.push_back(op);
      const PlanValue& v = value(c.out);
      if (v.place == Place::kArena || v.place == Place::kOutside) {
        g->stores.push_back({op.out, op.out_item, is_late(loaded, v)});
        stored.push_back(c.out);
      }
    }
    for (const auto* part : {&loaded, &stored, &summed, &pieces})
      p.step_values.insert(p.step_values.end(), part->begin(), part->end());
    g->registers = next;
    join_pairs(g);
    choose_line(g);
    std::vector<char> kept(static_cast<std::size_t>(g->registers), 0);
    for (const BlockLoad& l : g->loads) kept[static_cast<std::size_t>(l.reg)] = !l.dense && !l.uniform;
    for (const BlockOp& op : g->code) kept[static_cast<std::size_t>(op.out)] = 1;
    form_strips(g, &kept);
    assign_temporaries(g, kept);
    choose_block(g);
  }

  // A vector that lies across two lines of the cache takes two reads. Memory of ours begins with a line, that of
  // others does not: blocks do then, for the operand that is read most. Blocks that are summed stay where their sum
  // has them.
  static void choose_line(BlockGroup* g) {
    if (g->numel < kLined || !g->sums.empty()) return;
    std::vector<int> reads(static_cast<std::size_t>(g->registers), 0);
    for (const BlockOp& op : g->code)
      for (int i = 0; i < op.nin; ++i) ++reads[static_cast<std::size_t>(op.in[i])];
    int most = 1;
    for (std::size_t k = 0; k < g->loads.size(); ++k) {
      const int n = reads[static_cast<std::size_t>(g->loads[k].reg)];
      if (!g->loads[k].dense || n <= most) continue;
      most = n;
      g->line = static_cast<std::int32_t>(k);
    }
  }

  // Everything that makes groups alike.
  static std::string form_of(const BlockGroup& g) {
    std::string key;
    auto add = [&key](const auto& field) { key.append(reinterpret_cast<const char*>(&field), sizeof field); };
    add(g.numel), add(g.block), add(g.cell), add(g.registers), add(g.temporaries), add(g.line);
    add(g.loads.size());
    for (const BlockLoad& l : g.loads) add(l.reg), add(l.item), add(l.dense), add(l.uniform), add(l.walk);
    for (const BlockWalk& w : g.walks) {
      add(w.ndim);
      for (int d = 0; d < w.ndim; ++d) add(w.shape[d]), add(w.stride[d]);
    }
    add(g.stores.size());
    for (const BlockStore& s : g.stores) add(s.reg), add(s.item), add(s.late);
    add(g.sums.size());
    for (const BlockSum& s : g.sums) add(s.reg), add(s.item), add(s.shape), add(s.kernel), add(s.total);
    add(g.code.size());
    for (const BlockOp& op : g.code) {  // field by field: there are gaps between them
      add(op.fn), add(op.nin), add(op.in), add(op.out), add(op.out_item), add(op.scalars), add(op.strip),
          add(op.count);
    }
    for (const StripStep& s : g.strips) add(s.code), add(s.scalars), add(s.v), add(s.w), add(s.keep);
    for (std::int16_t place : g.pool) add(place);
    return key;
  }

  // Whether the memory of a result is also read by the group.
  bool is_late(const std::vector<std::int32_t>& loaded, const PlanValue& v) {
    for (std::int32_t load : loaded) {
      const PlanValue& o = value(value(load).owner);
      if (v.place == Place::kArena && o.place == Place::kArena && o.offset == v.offset) return true;
      if (v.place == Place::kOutside && o.place == Place::kOutside && o.slot == v.slot) return true;
    }
    return false;
  }

  static void plan_load(BlockLoad* l, BlockGroup* g, const PlanValue& v, const Layout* shape, bool unary) {
    l->dense = v.layout->contiguous && same_shape(v.layout, shape);
    l->uniform = !unary && (v.layout->numel == 1 || all_strides_zero(v.layout));
    if (l->dense || l->uniform) return;
    BlockWalk w;
    int n = 0;
    for (int d = 0; d < shape->ndim; ++d) {
      index_t size = shape->shape()[d];
      if (size == 1) continue;
      int own = d - (shape->ndim - v.layout->ndim);
      index_t stride = own < 0 || v.layout->shape()[own] == 1 ? 0 : v.layout->strides()[own] * l->item;
      if (n > 0 && w.stride[n - 1] == stride * size) {
        w.shape[n - 1] *= size;
        w.stride[n - 1] = stride;
      } else {
        w.shape[n] = size;
        w.stride[n] = stride;
        ++n;
      }
    }
    if (n == 0) {  // a single element
      w.shape[0] = 1;
      w.stride[0] = 0;
      n = 1;
    }
    w.ndim = n;
    l->walk = static_cast<std::int32_t>(g->walks.size());
    g->walks.push_back(w);
  }

  // Gathered operands and results that go nowhere directly need a temporary; it is free again after the last
  // reader. Strips are gone through step by step: all steps touch the same elements of their operands.
  void assign_temporaries(BlockGroup* g, const std::vector<char>& kept) {
    std::vector<int> last(static_cast<std::size_t>(g->registers), -1);
    std::vector<char> own = kept;
    int n = 0;
    each_step(*g, [&](const std::int16_t* in, int nin, std::int16_t out) {
      for (int i = 0; i < nin; ++i) last[static_cast<std::size_t>(in[i])] = n;
      if (out >= 0) last[static_cast<std::size_t>(out)] = n;
      ++n;
    });
    for (const BlockSum& s : g->sums) last[static_cast<std::size_t>(s.reg)] = n;
    for (const BlockStore& s : g->stores) {
      if (s.late) last[static_cast<std::size_t>(s.reg)] = n;
      own[static_cast<std::size_t>(s.reg)] = s.late;
    }
    g->pool.assign(static_cast<std::size_t>(g->registers), -1);
    std::vector<std::int16_t> free;
    auto claim = [&](std::int16_t r) {
      if (!own[static_cast<std::size_t>(r)]) return;
      if (free.empty()) {
        g->pool[static_cast<std::size_t>(r)] = static_cast<std::int16_t>(g->temporaries++);
      } else {
        g->pool[static_cast<std::size_t>(r)] = free.back();
        free.pop_back();
      }
    };
    for (const BlockLoad& l : g->loads) claim(l.reg);
    int k = 0;
    each_step(*g, [&](const std::int16_t* in, int nin, std::int16_t out) {
      if (out >= 0) claim(out);
      for (int i = 0; i <= nin; ++i) {
        const std::int16_t reg = i < nin ? in[i] : out;
        if (reg < 0) continue;
        auto r = static_cast<std::size_t>(reg);
        if (last[r] != k || g->pool[r] < 0) continue;
        free.push_back(g->pool[r]);
        last[r] = -2;  // once
      }
      ++k;
    });
  }

  // body(operands, how many, result or -1) for every instruction and every step of a strip.
  template <class Body>
  static void each_step(const BlockGroup& g, Body body) {
    for (const BlockOp& op : g.code) {
      if (op.strip < 0) body(op.in, op.nin, op.out);
      for (std::int32_t k = 0; k < op.count; ++k) {
        const StripStep& s = g.strips[static_cast<std::size_t>(op.strip + k)];
        const std::int16_t in[2] = {s.v, s.w};
        body(in, s.v < 0 ? 0 : s.w < 0 ? 1 : 2, s.keep);
      }
    }
  }

  // Blocks are longer where few temporaries compete for the first-level cache.
  static void choose_block(BlockGroup* g) {
    index_t item = 1;
    for (const BlockOp& op : g->code) item = std::max<index_t>(item, op.out_item);
    for (const BlockLoad& l : g->loads) item = std::max<index_t>(item, l.item);
    const index_t room = kPoolBytes / (item * (g->temporaries + 1));
    while (g->block < kLongBlock && 2 * g->block <= room) g->block *= 2;
    g->cell = g->block * item + 64;  // cells do not all begin in one set of the cache
  }
};

}  // namespace

void prepare_steps(Plan& plan, const std::vector<std::int32_t>& call_step) {
  GroupBuilder{plan, call_step, {}}.prepare();
}

}  // namespace wg
