#include "workloads/pipeline/play.h"

#include <algorithm>
#include <stdexcept>

namespace gpuplan::pipeline {

namespace {

constexpr double kNever = -1.0;

struct Ends {
  double forward = kNever, input = kNever;  // when each ended
};

class Player {
 public:
  Player(const PipelineSchedule& schedule, const PassTimes& times) : schedule_(schedule), times_(times) {
    for (int m = 0; m < schedule.shape.micro_batches; ++m) {
      ends_.emplace_back(schedule.chain_of(m).size());
    }
  }

  PlayedSchedule played() {
    const auto stages = static_cast<std::size_t>(schedule_.shape.stages);
    PlayedSchedule out;
    out.stages.resize(stages);
    out.in_flight.assign(stages, 0);
    // Every stage goes on until it waits for another; whoever finishes what others wait for lets them go on.
    for (bool moved = true; moved;) {
      moved = false;
      for (std::size_t stage = 0; stage < stages; ++stage) {
        while (out.stages[stage].size() < schedule_.order[stage].size() && run_next(stage, out)) {
          moved = true;
        }
      }
    }
    double busy = 0.0;
    for (std::size_t stage = 0; stage < stages; ++stage) {
      if (out.stages[stage].size() != schedule_.order[stage].size()) {
        throw std::logic_error("pipeline schedule: stages wait for each other");
      }
      for (const PlayedPass& pass : out.stages[stage]) {
        busy += pass.end - pass.begin;
        out.time = std::max(out.time, pass.end);
      }
      out.in_flight[stage] = most_held(out.stages[stage]);
    }
    out.bubble = out.time > 0.0 ? 1.0 - busy / (out.time * static_cast<double>(stages)) : 0.0;
    return out;
  }

 private:
  Ends& ends(int m, int position) {
    return ends_[static_cast<std::size_t>(m)][static_cast<std::size_t>(position)];
  }
  // When something that ended at `end` on the chunk at `from` is there at `to`.
  [[nodiscard]] double arrived(int m, double end, int from, int to) const {
    const std::vector<int>& chain = schedule_.chain_of(m);
    const bool moves = chain[static_cast<std::size_t>(from)] != chain[static_cast<std::size_t>(to)];
    return end < 0.0 ? kNever : end + (moves ? times_.transfer : 0.0);
  }
  // When `op` may begin as far as other passes go; kNever: not yet known.
  double inputs_ready(const PipelineOp& op) {
    const int m = op.micro_batch, q = op.position;
    switch (op.pass) {
      case Pass::forward:
        return q == 0 ? 0.0 : arrived(m, ends(m, q - 1).forward, q - 1, q);
      case Pass::backward:
      case Pass::backward_input: {
        const double own = ends(m, q).forward;
        if (q + 1 == static_cast<int>(schedule_.chain_of(m).size()) || own < 0.0) {
          return own;
        }
        const double next = arrived(m, ends(m, q + 1).input, q + 1, q);
        return next < 0.0 ? kNever : std::max(own, next);
      }
      case Pass::backward_weight:
        return ends(m, q).input;
    }
    return kNever;
  }
  [[nodiscard]] double length(Pass pass) const {
    switch (pass) {
      case Pass::forward:
        return times_.forward;
      case Pass::backward:
        return times_.backward_input + times_.backward_weight;
      case Pass::backward_input:
        return times_.backward_input;
      case Pass::backward_weight:
        return times_.backward_weight;
    }
    return 0.0;
  }

  bool run_next(std::size_t stage, PlayedSchedule& out) {
    std::vector<PlayedPass>& ran = out.stages[stage];
    const PipelineOp& op = schedule_.order[stage][ran.size()];
    const double ready = inputs_ready(op);
    if (ready < 0.0) {
      return false;
    }
    const double begin = std::max(ready, ran.empty() ? 0.0 : ran.back().end), end = begin + length(op.pass);
    Ends& own = ends(op.micro_batch, op.position);
    if (op.pass == Pass::forward) {
      own.forward = end;
    } else if (op.pass != Pass::backward_weight) {
      own.input = end;
    }
    ran.push_back({op, begin, end});
    return true;
  }

  static int most_held(const std::vector<PlayedPass>& ran) {
    int held = 0, most = 0;
    for (const PlayedPass& pass : ran) {
      held += pass.op.pass == Pass::forward ? 1 : 0;
      most = std::max(most, held);
      held -= pass.op.pass == Pass::backward || pass.op.pass == Pass::backward_weight ? 1 : 0;
    }
    return most;
  }

  const PipelineSchedule& schedule_;
  const PassTimes& times_;
  std::vector<std::vector<Ends>> ends_;  // by micro-batch and position
};

}  // namespace

PlayedSchedule play(const PipelineSchedule& schedule, const PassTimes& times) {
  return Player(schedule, times).played();
}

}  // namespace gpuplan::pipeline
