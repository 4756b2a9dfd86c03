// Ring collectives step by step: who sends which chunk to whom, as flows on links, each step waiting for the
// one before. To teach, and to check the flow form (collective_flows.h): 2 (n - 1) n flows a channel.
//
// The tensor is cut into n chunks a channel. Rank r sends chunk (r - s) mod n to rank r + 1 in step s. After
// n - 1 steps rank r holds the sum of chunk r + 1 (reduce-scatter); after as many again, of all (all-gather).
#pragma once

#include <cstdint>
#include <vector>

#include "sim/engine/engine.h"

namespace gpuplan::sim {

// A chunk on its way from a rank to the next.
struct RingStep {
  int channel = 0, rank = 0, step = 0, chunk = 0;
  Seconds begin{0}, end{0};
};

struct Ring {
  // One of each rank, to the next: what a byte takes of each resource on its way (1 of a link; 1 of HBM where
  // it is stored ...).
  std::vector<std::vector<Demand>> edges;
  std::vector<double> chunks;  // bytes, as many as ranks
};

struct RingSpec {
  std::vector<Ring> channels;   // that run side by side
  int steps = 0;                // 2 (n - 1) all-reduce, n - 1 reduce-scatter or all-gather
  Seconds latency{0};           // of a step, paid before its bytes flow
  double bytes_per_second = 0;  // that an edge of a channel carries at most, by protocol; 0: no limit
  bool record = false;          // keep a RingStep for each flow
};

// Runs one ring collective. Must outlive it; not to be moved.
class RingSteps {
 public:
  RingSteps(Engine& engine, RingSpec spec, Callback on_done);
  RingSteps(const RingSteps&) = delete;
  RingSteps& operator=(const RingSteps&) = delete;

  void start();
  [[nodiscard]] const std::vector<RingStep>& record() const { return record_; }

 private:
  struct Sender {      // a rank of a channel
    int step = 0;      // that it sends next
    int received = 0;  // chunks that have arrived
    bool busy = false;
    Seconds begin{0};
  };
  [[nodiscard]] std::size_t index(std::size_t channel, std::size_t rank) const;
  void send_what_is_ready(std::size_t channel, std::size_t rank);
  void sent(std::uint64_t sender);

  Engine* engine_;
  RingSpec spec_;
  Callback on_done_;
  std::size_t ranks_ = 0;
  std::vector<Sender> senders_;
  std::vector<Demand> scratch_;
  std::vector<RingStep> record_;
  std::size_t left_ = 0;  // sends to come
};

}  // namespace gpuplan::sim
