// Rehearsals: going through a graph's nodes with a limit of bytes, dropping values on the way and making them
// again.
//
// Note [Dropping]. The nodes are gone through in their order, as a run would go. Where a result does not fit, the
// value is dropped whose recomputation costs least for each byte and each step until it is next read. The cost
// counts the operands that are gone too, so that what lies between two kept values is made again as one segment, as
// a checkpoint would. A node that reads what is gone is preceded by copies of the nodes that make it. They compute
// from the same operands by the same operations, random ones with the same range of numbers, so every bit stays.
#pragma once
#include <cstdint>
#include <vector>

namespace wg {

// What a rehearsal has to know of a node.
struct RehearsedNode {
  std::vector<std::int32_t> values, results;  // what it reads and makes
  double cost;
  bool again;   // whether it may be made again
  bool update;  // it overwrites tensors from outside: what was made before it cannot be made again after it
};

class Rehearsal {
 public:
  // owner: of each value, the one whose memory it looks at; bytes: of owners; fixed: of each value, whether it is
  // never dropped; given: the values that are there from the start.
  Rehearsal(std::vector<RehearsedNode> nodes, std::vector<std::int32_t> owner, std::vector<double> bytes,
            std::vector<char> fixed, std::vector<std::int32_t> given);

  // Goes through the nodes. False where recomputation would cost too many runs of the graph.
  bool run(double limit);

  // The nodes in the order found: places among those given, or minus 1 minus the place, for copies.
  std::vector<std::int32_t> order;
  std::vector<std::int32_t> reads, makes;  // the values that each of them reads and makes, one after another
  std::vector<std::int32_t> begins;        // places in `order` at which runs of copies begin

 private:
  struct Next {  // an owner that may be dropped, by when it is next read
    std::int32_t read, owner;
    bool operator<(const Next& other) const { return read != other.read ? read < other.read : owner > other.owner; }
    bool operator==(const Next& other) const { return read == other.read && owner == other.owner; }
  };
  std::int32_t owner(std::int32_t v) const { return owner_[static_cast<std::size_t>(v)]; }
  double size(std::int32_t o) const { return bytes_[static_cast<std::size_t>(o)]; }
  bool has(std::int32_t v) const { return have_[static_cast<std::size_t>(v)] >= 0; }
  bool is_read(std::int32_t o) const {
    return cursor_[static_cast<std::size_t>(o)] < reads_[static_cast<std::size_t>(o)].size();
  }
  std::int32_t next_read(std::int32_t o) const {
    return reads_[static_cast<std::size_t>(o)][cursor_[static_cast<std::size_t>(o)]];
  }
  void reset(double limit);
  void bring(const std::vector<std::int32_t>& values);
  void make(std::int32_t k, bool copied);
  void pin(const std::vector<std::int32_t>& values, int by);
  void make_room(double wanted, const std::vector<std::int32_t>& fresh);
  std::int32_t cheapest(const std::vector<std::int32_t>& fresh);
  void push(std::int32_t o);
  void drop(std::int32_t o);
  void drop_dead(std::int32_t o);
  double chain(std::int32_t o);
  double chain_cost(std::int32_t o);
  void forget_chains(std::int32_t o);

  const std::vector<RehearsedNode> nodes_;
  const std::vector<std::int32_t> owner_;
  const std::vector<double> bytes_;
  const std::vector<char> fixed_;
  const std::vector<std::int32_t> given_;
  std::vector<std::int32_t> maker_;                 // of each value: its node; -1: none
  std::vector<std::vector<std::int32_t>> reads_;    // of each owner: the moments at which it is read
  std::vector<std::vector<std::int32_t>> members_;  // of each owner: values that lie there
  std::vector<std::vector<std::int32_t>> made_;     // of each value: owners that nodes make from it
  std::vector<std::int32_t> epoch_;                 // of each node: how many updates come before

  // While it runs.
  double limit_ = 0, used_ = 0;
  std::int32_t at_ = 0, next_value_ = 0;
  std::vector<std::int32_t> have_;  // of each value: the value that holds it now; -1: it is gone
  std::vector<char> there_;         // of each owner: whether it is there, or a copy of it
  std::vector<std::int32_t> pins_;  // of each owner: reads to come in the run of copies that is being made
  std::vector<std::size_t> cursor_;
  std::vector<double> chains_;  // of each owner: the cost of making it again; below 0: not known
  std::vector<Next> heap_;
  std::vector<std::int32_t> seen_;  // by node or owner: the search that met it last
  std::int32_t search_ = 0;
};

}  // namespace wg
