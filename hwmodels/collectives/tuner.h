// NCCL's choice of algorithm, protocol and channels: the least of its estimates.
#pragma once

#include <array>
#include <cstddef>

#include "hwmodels/collectives/algorithm.h"

namespace gpuplan::collectives {

struct Choice {
  Algorithm algorithm = Algorithm::ring;
  Protocol protocol = Protocol::simple;
  int channels = 1;
  double estimate = 0.0;  // us, NCCL's own (too fast: it chooses well and predicts badly)
};

// A few choices, without allocation: simulators price all-reduces in their inner loop.
class Choices {
 public:
  void push_back(const Choice& choice) { all_.at(count_++) = choice; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] const Choice* begin() const { return all_.data(); }
  [[nodiscard]] const Choice* end() const { return all_.data() + count_; }
  [[nodiscard]] Choice* begin() { return all_.data(); }
  [[nodiscard]] Choice* end() { return all_.data() + count_; }
  [[nodiscard]] const Choice& operator[](std::size_t i) const { return all_.at(i); }

 private:
  std::array<Choice, 24> all_;  // 7 algorithms by 3 protocols
  std::size_t count_ = 0;
};

// Every algorithm and protocol that would run `operation` on `group`, in NCCL's order. Empty for all-to-all
// and send/recv, where there is nothing to choose.
Choices candidates(const Communicator& group, const CollectiveOperation& operation);

// The candidate of the least estimate; point-to-point with LL or Simple where there is none. The message of
// a peer decides there: LL up to `p2p_ll_bytes`.
Choice choose(const Communicator& group, const CollectiveOperation& operation, double p2p_ll_bytes = 16384);

// Channels that NCCL starts for `bytes`: fewer than `most` while a thread of each would get less than its
// threshold (8 B for LL and LL128, LL times the ranks on a ring; 64 B for Simple).
int channels_used(Algorithm algorithm, Protocol protocol, int most, int ranks, double bytes);

}  // namespace gpuplan::collectives
