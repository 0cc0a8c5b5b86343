// Rehearsals of runs with a limit of bytes.
#include "wengert/rehearsal.h"

#include <algorithm>
#include <limits>

namespace wg {

namespace {

constexpr std::size_t kLook = 64;  // values that are compared when one has to go: those read last
constexpr int kDeep = 400;         // nodes of a segment that is made again at once
constexpr int kNear = 48;          // owners made from a dropped one whose costs are noted to have changed
constexpr std::size_t kRuns = 7;   // of the whole graph: a limit that takes more is too small
constexpr double kNever = std::numeric_limits<double>::infinity();

}  // namespace

Rehearsal::Rehearsal(std::vector<RehearsedNode> nodes, std::vector<std::int32_t> owner, std::vector<double> bytes,
                     std::vector<char> fixed, std::vector<std::int32_t> given)
    : nodes_(std::move(nodes)),
      owner_(std::move(owner)),
      bytes_(std::move(bytes)),
      fixed_(std::move(fixed)),
      given_(std::move(given)),
      maker_(owner_.size(), -1),
      reads_(owner_.size()),
      members_(owner_.size()),
      made_(owner_.size()) {
  std::int32_t updates = 0;
  for (std::size_t k = 0; k < nodes_.size(); ++k) {
    const RehearsedNode& node = nodes_[k];
    epoch_.push_back(updates);
    updates += node.update;
    for (std::int32_t v : node.results) {
      maker_[static_cast<std::size_t>(v)] = static_cast<std::int32_t>(k);
      members_[static_cast<std::size_t>(this->owner(v))].push_back(v);
    }
    for (std::int32_t v : node.values) {
      std::vector<std::int32_t>& reads = reads_[static_cast<std::size_t>(this->owner(v))];
      if (reads.empty() || reads.back() != static_cast<std::int32_t>(k))
        reads.push_back(static_cast<std::int32_t>(k));
      if (!node.again) continue;  // what it makes is never made again
      for (std::int32_t r : node.results) made_[static_cast<std::size_t>(v)].push_back(this->owner(r));
    }
  }
}

void Rehearsal::reset(double limit) {
  const std::size_t n = owner_.size();
  order.clear(), reads.clear(), makes.clear(), begins.clear(), heap_.clear();
  limit_ = limit, used_ = 0, search_ = 0;
  next_value_ = static_cast<std::int32_t>(n);
  have_.assign(n, -1);
  there_.assign(n, 0);
  pins_.assign(n, 0);
  cursor_.assign(n, 0);
  chains_.assign(n, -1);
  seen_.assign(std::max(n, nodes_.size()), 0);
  for (std::int32_t v : given_) have_[static_cast<std::size_t>(v)] = v;
}

bool Rehearsal::run(double limit) {
  reset(limit);
  for (std::size_t k = 0; k < nodes_.size(); ++k) {
    const RehearsedNode& node = nodes_[k];
    at_ = static_cast<std::int32_t>(k);
    bring(node.values);
    if (order.size() > kRuns * nodes_.size() + 64) return false;
    pin(node.values, 1);
    make(at_, false);
    pin(node.values, -1);
    for (std::int32_t v : node.values) {
      const std::int32_t o = owner(v);
      if (!is_read(o) || next_read(o) != at_) continue;  // an operand that stands there twice
      ++cursor_[static_cast<std::size_t>(o)];
      if (there_[static_cast<std::size_t>(o)]) push(o);
    }
    for (std::int32_t v : node.values) drop_dead(owner(v));
    for (std::int32_t v : node.results) drop_dead(owner(v));
  }
  return true;
}

void Rehearsal::pin(const std::vector<std::int32_t>& values, int by) {
  for (std::int32_t v : values) pins_[static_cast<std::size_t>(owner(v))] += by;
}

// Appends a node or a copy of it; its results take memory.
void Rehearsal::make(std::int32_t k, bool copied) {
  const RehearsedNode& node = nodes_[static_cast<std::size_t>(k)];
  for (std::int32_t v : node.values) reads.push_back(have_[static_cast<std::size_t>(v)]);
  std::vector<std::int32_t> fresh;
  double wanted = 0;
  for (std::int32_t v : node.results) {
    if (owner(v) != v || there_[static_cast<std::size_t>(v)]) continue;
    fresh.push_back(v);
    wanted += size(v);
  }
  make_room(wanted, fresh);
  order.push_back(copied ? -1 - k : k);
  for (std::int32_t v : node.results) {
    const std::int32_t number = copied ? next_value_++ : v;
    makes.push_back(number);
    if (!has(v)) have_[static_cast<std::size_t>(v)] = number;
  }
  for (std::int32_t v : fresh) {
    there_[static_cast<std::size_t>(v)] = 1;
    used_ += size(v);
    chains_[static_cast<std::size_t>(v)] = -1;
    push(v);
  }
  if (copied)
    for (std::int32_t v : fresh) forget_chains(v);
}

// Makes again what is gone of some values.
void Rehearsal::bring(const std::vector<std::int32_t>& values) {
  std::vector<std::int32_t> todo, again;
  for (std::int32_t v : values)
    if (!has(v)) todo.push_back(v);
  if (todo.empty()) return;
  ++search_;
  while (!todo.empty()) {
    const std::int32_t k = maker_[static_cast<std::size_t>(todo.back())];
    todo.pop_back();
    if (seen_[static_cast<std::size_t>(k)] == search_) continue;
    seen_[static_cast<std::size_t>(k)] = search_;
    again.push_back(k);
    for (std::int32_t v : nodes_[static_cast<std::size_t>(k)].values)
      if (!has(v)) todo.push_back(v);
  }
  std::sort(again.begin(), again.end());
  pin(values, 1);
  for (std::int32_t k : again) pin(nodes_[static_cast<std::size_t>(k)].values, 1);
  begins.push_back(static_cast<std::int32_t>(order.size()));
  for (std::int32_t k : again) {
    const RehearsedNode& node = nodes_[static_cast<std::size_t>(k)];
    make(k, true);
    pin(node.values, -1);
    for (std::int32_t v : node.values) drop_dead(owner(v));
    for (std::int32_t v : node.results) drop_dead(owner(v));
  }
  pin(values, -1);
}

// ---- dropping -----------------------------------------------------------------------------------------------

void Rehearsal::push(std::int32_t o) {
  if (!is_read(o) || fixed_[static_cast<std::size_t>(o)] || size(o) == 0) return;
  heap_.push_back({next_read(o), o});
  std::push_heap(heap_.begin(), heap_.end());
}

// Drops values until `wanted` bytes more fit, or nothing can go.
void Rehearsal::make_room(double wanted, const std::vector<std::int32_t>& fresh) {
  while (wanted > 0 && used_ + wanted > limit_) {
    const std::int32_t o = cheapest(fresh);
    if (o < 0) return;
    drop(o);
  }
}

std::int32_t Rehearsal::cheapest(const std::vector<std::int32_t>& fresh) {
  std::vector<Next> looked;
  double best = kNever;
  std::int32_t found = -1;
  while (!heap_.empty() && looked.size() < kLook) {
    std::pop_heap(heap_.begin(), heap_.end());
    const Next next = heap_.back();
    heap_.pop_back();
    const std::int32_t o = next.owner;
    if (!there_[static_cast<std::size_t>(o)] || !is_read(o) || next_read(o) != next.read ||
        (!looked.empty() && looked.back() == next))
      continue;
    looked.push_back(next);
    if (pins_[static_cast<std::size_t>(o)] || next.read <= at_ ||
        std::find(fresh.begin(), fresh.end(), o) != fresh.end())
      continue;
    const double score = chain(o) / (size(o) * (next.read - at_));
    if (score < best) {
      best = score;
      found = o;
    }
  }
  for (const Next& next : looked) {
    heap_.push_back(next);
    std::push_heap(heap_.begin(), heap_.end());
  }
  return found;
}

void Rehearsal::drop(std::int32_t o) {
  there_[static_cast<std::size_t>(o)] = 0;
  used_ -= size(o);
  for (std::int32_t v : members_[static_cast<std::size_t>(o)]) have_[static_cast<std::size_t>(v)] = -1;
  forget_chains(o);
}

void Rehearsal::drop_dead(std::int32_t o) {
  const auto at = static_cast<std::size_t>(o);
  if (there_[at] && !fixed_[at] && !is_read(o) && !pins_[at]) drop(o);
}

// What it costs to make an owner again, with what is gone of its operands; infinite where that is impossible.
double Rehearsal::chain(std::int32_t o) {
  double& known = chains_[static_cast<std::size_t>(o)];
  if (known < 0) known = chain_cost(o);
  return known;
}

double Rehearsal::chain_cost(std::int32_t o) {
  const std::int32_t epoch = epoch_[static_cast<std::size_t>(maker_[static_cast<std::size_t>(o)])];
  if (epoch_[static_cast<std::size_t>(reads_[static_cast<std::size_t>(o)].back())] != epoch) return kNever;
  double total = 0;
  int met = 0;
  std::vector<std::int32_t> todo{o};
  ++search_;
  while (!todo.empty()) {
    const std::int32_t k = maker_[static_cast<std::size_t>(todo.back())];
    todo.pop_back();
    const auto at = static_cast<std::size_t>(k);
    if (seen_[at] == search_) continue;
    seen_[at] = search_;
    const RehearsedNode& node = nodes_[at];
    if (!node.again || epoch_[at] != epoch || ++met > kDeep) return kNever;
    total += node.cost;
    for (std::int32_t v : node.values)
      if (!has(v)) todo.push_back(v);
  }
  return total;
}

// The costs of what is made from an owner, directly or by way of what is gone, have changed.
void Rehearsal::forget_chains(std::int32_t o) {
  std::vector<std::int32_t> todo{o};
  int met = 1;
  seen_[static_cast<std::size_t>(o)] = ++search_;
  while (!todo.empty() && met < kNear) {
    const std::int32_t from = todo.back();
    todo.pop_back();
    for (std::int32_t v : members_[static_cast<std::size_t>(from)]) {
      for (std::int32_t other : made_[static_cast<std::size_t>(v)]) {
        const auto at = static_cast<std::size_t>(other);
        if (there_[at]) {
          chains_[at] = -1;
        } else if (seen_[at] != search_ && maker_[at] >= 0 && maker_[at] <= at_) {
          seen_[at] = search_;
          ++met;
          todo.push_back(other);
        }
      }
    }
  }
}

}  // namespace wg
