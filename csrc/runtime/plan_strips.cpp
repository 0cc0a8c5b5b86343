// Strip programs: neighbouring cheap instructions of a group become one.
#include "plan_parts.h"
#include "wengert/kernels.h"

namespace wg {

namespace {

// What an elementwise kernel is as a step of a strip, by the operand that the accumulator stands for; kNever: that
// operand comes from memory.
struct StripForm {
  const char* kernel;
  std::uint8_t code[3];
};
constexpr std::uint8_t kNever = 255;
constexpr StripForm kForms[] = {{"add", {kStripAdd, kStripAdd, kNever}},
                                {"sub", {kStripSub, kStripSubFrom, kNever}},
                                {"mul", {kStripMul, kStripMul, kNever}},
                                {"div", {kStripDiv, kStripDivInto, kNever}},
                                {"zmul", {kStripZmul, kStripZmulInto, kNever}},
                                {"zdiv", {kStripZdiv, kStripZdivInto, kNever}},
                                {"maximum", {kStripMaximum, kStripMaximumInto, kNever}},
                                {"minimum", {kStripMinimum, kStripMinimumInto, kNever}},
                                {"mul_add", {kStripMulAdd, kStripMulAdd, kStripAddMul}},
                                {"mul_sub", {kStripMulSub, kStripMulSub, kStripMulSubFrom}},
                                {"sub_mul", {kStripSubMul, kStripSubMul, kStripSubMulFrom}},
                                {"square", {kStripSquare, kNever, kNever}},
                                {"neg", {kStripNeg, kNever, kNever}},
                                {"abs", {kStripAbs, kNever, kNever}},
                                {"relu", {kStripRelu, kNever, kNever}},
                                {"sqrt", {kStripSqrt, kNever, kNever}},
                                {"sign", {kStripSign, kNever, kNever}},
                                {"sgn", {kStripSign, kNever, kNever}}};

// The kernels of one dtype that strips know.
struct Known {
  void* strip;
  void* fn[sizeof kForms / sizeof kForms[0]];
  explicit Known(int dtype) : strip(find_kernel("strip", dtype)->fn) {
    for (std::size_t k = 0; k < sizeof kForms / sizeof kForms[0]; ++k)
      fn[k] = find_kernel(kForms[k].kernel, dtype)->fn;
  }
  const StripForm* form(const void* f) const {
    for (std::size_t k = 0; k < sizeof kForms / sizeof kForms[0]; ++k)
      if (fn[k] == f) return &kForms[k];
    return nullptr;
  }
};

// The kernels that know an instruction.
const Known* known(const BlockOp& op) {
  static const Known single(kFloat32), wide(kFloat64);
  return single.form(op.fn) ? &single : wide.form(op.fn) ? &wide : nullptr;
}

constexpr int kFollows = 1 << 16;  // more than there are readers of a value

struct StripBuilder {
  BlockGroup& g;
  std::vector<char>& kept;
  std::vector<int> uses;

  void step(std::uint8_t code, const BlockOp& op, const int* from, int n) {
    StripStep s{code, 0, -1, -1, -1};
    for (int i = 0; i < n; ++i) {
      (i ? s.w : s.v) = op.in[from[i]];
      s.scalars |= static_cast<std::uint8_t>((op.scalars >> from[i] & 1) << i);
    }
    g.strips.push_back(s);
  }

  // One instruction as steps; `before` is the register that the accumulator holds, -1: none.
  void add(const BlockOp& op, const StripForm& form, std::int16_t before) {
    int place = -1, count = 0;
    for (int i = 0; i < op.nin; ++i) {
      if (op.in[i] != before) continue;
      if (place < 0) place = i;
      ++count;
    }
    const bool square = count == 2 && op.nin == 2 && form.code[0] == kStripMul;
    if (before >= 0 && place >= 0 && (count == 1 || square)) {
      // The accumulator is one of several readers' or the only one's.
      if (uses[static_cast<std::size_t>(before)] > count) keep(before);
    } else {
      if (before >= 0) keep(before);
      place = 0;
      step(kStripLoad, op, &place, 1);
    }
    int rest[2], n = 0;
    for (int i = 0; i < op.nin && !square; ++i)
      if (i != place) rest[n++] = i;
    step(square ? static_cast<std::uint8_t>(kStripSquare) : form.code[place], op, rest, n);
  }

  void keep(std::int16_t reg) {
    g.strips.back().keep = reg;
    kept[static_cast<std::size_t>(reg)] = 1;
  }

  // Whether the accumulator, when it holds `before`, can stand for an operand of op.
  static bool follows(const BlockOp& op, std::int16_t before) {
    int count = 0;
    for (int i = 0; i < op.nin; ++i) count += op.in[i] == before;
    return count == 1 || (count == 2 && op.nin == 2);
  }

  // Brings instructions first ... last into an order in which most of them read what the one before made, and first
  // those that more others wait for.
  void chain(std::size_t first, std::size_t last) {
    std::vector<BlockOp> waiting(g.code.begin() + static_cast<std::ptrdiff_t>(first),
                                 g.code.begin() + static_cast<std::ptrdiff_t>(last));
    std::vector<char> unmade(static_cast<std::size_t>(g.registers), 0);
    for (const BlockOp& op : waiting) unmade[static_cast<std::size_t>(op.out)] = 1;
    std::int16_t before = -1;
    for (std::size_t at = first; at < last; ++at) {
      std::size_t best = waiting.size();
      int best_rank = -1;
      for (std::size_t k = 0; k < waiting.size(); ++k) {
        const BlockOp& op = waiting[k];
        bool ready = true;
        for (int i = 0; i < op.nin; ++i) ready = ready && !unmade[static_cast<std::size_t>(op.in[i])];
        const int rank =
            !ready ? -1 : uses[static_cast<std::size_t>(op.out)] + (follows(op, before) ? kFollows : 0);
        if (rank <= best_rank) continue;
        best = k;
        best_rank = rank;
      }
      g.code[at] = waiting[best];
      before = waiting[best].out;
      unmade[static_cast<std::size_t>(before)] = 0;
      waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(best));
    }
  }

  // Instructions first ... last as one.
  BlockOp join(std::size_t first, std::size_t last, const Known& k) {
    chain(first, last);
    BlockOp out = g.code[last - 1];
    out.fn = k.strip;
    out.nin = 0;
    out.strip = static_cast<std::int32_t>(g.strips.size());
    std::int16_t before = -1;
    for (std::size_t i = first; i < last; ++i) {
      const BlockOp& op = g.code[i];
      kept[static_cast<std::size_t>(op.out)] = 0;
      add(op, *k.form(op.fn), before);
      before = op.out;
    }
    keep(before);
    out.count = static_cast<std::int32_t>(g.strips.size()) - out.strip;
    return out;
  }
};

}  // namespace

void form_strips(BlockGroup* g, std::vector<char>* kept) {
  StripBuilder b{*g, *kept, std::vector<int>(static_cast<std::size_t>(g->registers), 0)};
  for (const BlockOp& op : g->code)
    for (int i = 0; i < op.nin; ++i) ++b.uses[static_cast<std::size_t>(op.in[i])];
  for (const BlockStore& s : g->stores) b.uses[static_cast<std::size_t>(s.reg)] += 8;
  for (const BlockSum& s : g->sums) b.uses[static_cast<std::size_t>(s.reg)] += 8;
  std::vector<BlockOp> code;
  for (std::size_t k = 0; k < g->code.size();) {
    const Known* here = known(g->code[k]);
    std::size_t end = k + 1;
    while (here && end < g->code.size() && known(g->code[end]) == here) ++end;
    if (here && end - k > 1) {
      code.push_back(b.join(k, end, *here));
    } else {
      code.push_back(g->code[k]);
      end = k + 1;
    }
    k = end;
  }
  g->code = std::move(code);
}

}  // namespace wg
