// Time goes in steps of one pass. Micro-batches of a chain go through each pass of a stage in order, so that
// counts say everything.
#include <optional>

#include "workloads/pipeline/schedules.h"

namespace gpuplan::pipeline {

namespace {

// What a stage has done of one chain.
struct Lane {
  int position = 0;                           // of the stage in the chain
  int forwards = 0, inputs = 0, weights = 0;  // passes ended before the present step
};

class Greedy {
 public:
  Greedy(PipelineSchedule& schedule, int in_flight) : schedule_(schedule), in_flight_(in_flight) {
    lanes_.assign(schedule.chains.size(), std::vector<Lane>(schedule.order.size()));
    for (std::size_t chain = 0; chain < lanes_.size(); ++chain) {
      for (std::size_t q = 0; q < schedule.chains[chain].size(); ++q) {
        lane(chain, schedule.chains[chain][q]).position = static_cast<int>(q);
      }
    }
  }

  void run() {
    struct Chosen {
      int stage;
      std::size_t chain;
      Pass pass;
    };
    std::size_t left = 3 * schedule_.order.size() * static_cast<std::size_t>(schedule_.shape.micro_batches);
    std::vector<Chosen> step;
    while (left > 0) {
      step.clear();
      for (int stage = 0; stage < schedule_.shape.stages; ++stage) {
        std::size_t chain = 0;
        if (const auto pass = choice(stage, chain)) {
          step.push_back({stage, chain, *pass});
        }
      }
      for (const Chosen& c : step) {
        take(c.stage, c.chain, c.pass);
      }
      left -= step.size();
    }
  }

 private:
  Lane& lane(std::size_t chain, int stage) { return lanes_[chain][static_cast<std::size_t>(stage)]; }
  [[nodiscard]] int micro_batches(std::size_t chain) const {
    const auto chains = static_cast<int>(schedule_.chains.size());
    return (schedule_.shape.micro_batches - static_cast<int>(chain) + chains - 1) / chains;
  }
  // The lane of the chunk before (-1) or after (+1) in the chain; null at its ends.
  const Lane* neighbour(std::size_t chain, const Lane& of, int which) {
    const int q = of.position + which;
    const std::vector<int>& stages = schedule_.chains[chain];
    return q < 0 || q >= static_cast<int>(stages.size()) ? nullptr
                                                         : &lane(chain, stages[static_cast<std::size_t>(q)]);
  }
  [[nodiscard]] int held(int stage) {
    int sum = 0;
    for (std::size_t chain = 0; chain < lanes_.size(); ++chain) {
      sum += lane(chain, stage).forwards - lane(chain, stage).weights;
    }
    return sum;
  }

  bool ready(Pass pass, std::size_t chain, int stage) {
    const Lane& own = lane(chain, stage);
    switch (pass) {
      case Pass::forward: {
        const Lane* before = neighbour(chain, own, -1);
        const int to_come = schedule_.shape.stages - own.position;
        return own.forwards < micro_batches(chain) &&
               (before == nullptr || before->forwards > own.forwards) &&
               own.forwards - own.inputs < to_come && held(stage) < in_flight_;
      }
      case Pass::backward:
      case Pass::backward_input: {
        const Lane* after = neighbour(chain, own, +1);
        return own.inputs < own.forwards && (after == nullptr || after->inputs > own.inputs);
      }
      case Pass::backward_weight:
        return own.weights < own.inputs;
    }
    return false;
  }

  std::optional<Pass> choice(int stage, std::size_t& chain) {
    for (const Pass pass : {Pass::forward, Pass::backward_input, Pass::backward_weight}) {
      for (chain = 0; chain < lanes_.size(); ++chain) {
        if (ready(pass, chain, stage)) {
          return pass;
        }
      }
    }
    return std::nullopt;
  }

  void take(int stage, std::size_t chain, Pass pass) {
    Lane& own = lane(chain, stage);
    int& count = pass == Pass::forward          ? own.forwards
                 : pass == Pass::backward_input ? own.inputs
                                                : own.weights;
    const int micro_batch = count * static_cast<int>(schedule_.chains.size()) + static_cast<int>(chain);
    schedule_.order[static_cast<std::size_t>(stage)].push_back({pass, micro_batch, own.position});
    ++count;
  }

  PipelineSchedule& schedule_;
  int in_flight_;
  std::vector<std::vector<Lane>> lanes_;  // by chain and stage
};

}  // namespace

void order_greedily(PipelineSchedule& schedule, int in_flight) { Greedy(schedule, in_flight).run(); }

}  // namespace gpuplan::pipeline
