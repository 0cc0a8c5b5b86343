// Recurrent layers: one direction of one layer over a whole batch of sequences. Entries "recurrent" (RecurrentFn)
// and "recurrent_backward" (RecurrentBackwardFn) exist for float32 and float64.
//
// Rows are packed step after step: step t has sizes[t] rows from starts[t], row n of every step belongs to sequence
// n, and sizes never increase. The input's part of the gates is a matrix product over all rows and comes ready
// made; the kernel adds the part of the previous output step by step. Columns of the gates, each `hidden` wide:
//   tanh, relu   the output itself
//   LSTM         i, f, g, o                   c = f c + i g, h = o tanh(c)
//   GRU          n, r, z, and n's part of h   n = tanh(n + r q), h = n + z (h - n), q = W_hn h + b_hn
#pragma once
#include "wengert/config.h"

namespace wg {

enum class Cell : std::uint8_t { kTanh, kRelu, kLstm, kGru };

constexpr index_t gates_of(Cell cell) { return cell == Cell::kLstm || cell == Cell::kGru ? 4 : 1; }
// Rows of weight_hh and of weight_ih for each hidden unit.
constexpr index_t weights_of(Cell cell) { return cell == Cell::kLstm ? 4 : cell == Cell::kGru ? 3 : 1; }

struct RecurrentShape {
  Cell cell;
  bool reverse;  // from the last step of each sequence to its first
  index_t steps, batch, total, hidden, out;
  const index_t* sizes;   // [steps]
  const index_t* starts;  // [steps]
};

struct Recurrent : RecurrentShape {
  void* gates;             // [total][gates_of * hidden]: before the activations, afterwards the activated gates
  void* cells;             // [total][hidden]: c (LSTM)
  void* y;                 // [total][out]
  void* last_cells;        // [batch][hidden] (LSTM)
  const void* weight;      // weight_hh [weights_of * hidden][out]
  const void* h0;          // [batch][out]; null: zeros
  const void* c0;          // [batch][hidden]; null: zeros
  const void* projection;  // weight_hr [out][hidden]; null: out == hidden
};
// False when scratch memory is exhausted.
using RecurrentFn = bool (*)(const Recurrent&);

struct RecurrentBackward : RecurrentShape {
  const void* gates;  // activated
  const void* cells;
  const void* y;
  const void* weight;
  const void* h0;
  const void* c0;
  const void* projection;
  const void* grad_y;           // [total][out]
  const void* grad_last_cells;  // [batch][hidden] (LSTM)
  void* grad_gates;             // [total][gates_of * hidden]: for the gates before the activations
  void* grad_h0;                // [batch][out], written even where h0 is null
  void* grad_c0;                // [batch][hidden] (LSTM)
  void* previous;               // [total][out]: the output of each row's previous step
  void* grad_h;                 // with a projection, [total][out]: the whole gradient of y
  void* unprojected;            // with a projection, [total][hidden]: o tanh(c)
};
using RecurrentBackwardFn = bool (*)(const RecurrentBackward&);

}  // namespace wg
