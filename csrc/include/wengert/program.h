// Programs: straight-line lists of instructions. A gradient rule is one, and so is a plan.
#pragma once
#include <vector>

#include "wengert/op.h"

namespace wg {

// Where an instruction's attributes come from: fixed, the attributes of the node whose rule this is, or a mixture.
struct AttrPart {
  int field;  // index in the node's schema; -1: the words below
  std::vector<std::int64_t> words;
};

struct Instr {
  const OpInfo* op;
  std::vector<std::int16_t> in;     // registers; -1: an absent operand
  std::int16_t out;                 // register of the first result; the others follow
  Attr* attr = nullptr;             // fixed attributes
  bool inherits = false;            // takes the node's attributes as they are
  std::vector<AttrPart> parts;      // otherwise: assembled from these when not empty
  std::vector<std::int16_t> frees;  // registers whose last reader this is
  std::uint32_t wanted = 0;         // bit i: result i has a reader
};

// One value that the rule's node keeps for the backward pass.
struct Save {
  std::int16_t operand;  // 0 … nin-1: an input of the op; nin + i: its result i
  std::int16_t reg;
  bool shape_only;
};

// Registers: 0 is g (rules) or unused, then the values the caller gives, then constants, then results.
struct Program {
  std::int32_t refs = 1;
  const OpInfo* op = nullptr;  // the op whose rule this is; null for a plan
  std::uint64_t absent = 0;    // operands that the op was called without, among the first 64
  int nregs = 0;
  int given = 0;                 // registers 0 … given-1 belong to the caller
  std::vector<Array> constants;  // registers given, given+1, …
  std::vector<Instr> code;
  std::vector<std::int16_t> results;  // register of each result; -1: none
  std::vector<Save> saves;

  // Block form: all instructions elementwise, so the whole program runs on blocks that stay in cache.
  struct Step {
    void* fn;
    std::int16_t nin, in[3], out, out_item;
  };
  struct Block {
    int state = 0;  // 0 not tried, 1 usable, -1 not
    std::vector<Step> steps;
    std::vector<double> constants;  // by value in the computing dtype (a float32 in the first four bytes)
  };
  bool elementwise = false;
  int temporaries = 0;                  // block registers after reuse
  std::vector<std::int16_t> temp_slot;  // of each register; -1: not a temporary
  Block blocks[2];                      // float32, float64
};

// Fills in what follows from code and results: last readers, the block form.
void program_finish(Program* p);
void program_free(Program* p);
inline void program_decref(Program* p) {
  if (--p->refs == 0) program_free(p);
}

// Runs the program. regs[0 … given-1] are the caller's (borrowed; undefined where the program does not read them).
// `shape` is the common shape of an elementwise program. results[i] receives a new reference, undefined where
// there is none. acc[i], where not null, is an owned, contiguous array to which result i may be added directly:
// then added[i] is set and results[i] stays undefined.
int program_run(Program* p, const Array* given, const Attr* attr, Layout* shape, Array* results, Array* const* acc,
                bool* added);

// The attributes of an instruction for a node's attributes: a new reference, or nullptr where there are none.
Attr* instr_attr(const Instr& in, const OpInfo* node_op, const Attr* node_attr);

}  // namespace wg
