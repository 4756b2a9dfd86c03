#include "sim/training/step_play.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "sim/engine/engine.h"

namespace gpuplan::sim {

namespace {

class Player {
 public:
  Player(const StepProgram& program, const RankGrid& grid, const StepPlayOptions& options)
      : program_(program), grid_(grid), options_(options), uses_(grid.stage.size()) {
    const std::size_t ranks = grid.stage.size();
    for (std::size_t rank = 0; rank < ranks; ++rank) {
      const StageProgram& own = of(rank);
      first_.push_back(waits_.size());
      waits_.insert(waits_.end(), own.waits.begin(), own.waits.end());
      add_resources(rank);
    }
    widest_ = 0;
    for (const StageProgram& stage : program.stages) {
      widest_ = std::max(widest_, stage.ops.size());
    }
    for (std::size_t meet = 1; meet < kMeets; ++meet) {
      if (grid.size[meet] > 1) {
        here_[meet].assign(grid.members[meet].size() / grid.size[meet] * widest_, 0);
      }
    }
    if (options.record) {
      for (const StageProgram& stage : program.stages) {
        played_.spans.emplace_back(stage.ops.size());
      }
    }
  }
  Player(const Player&) = delete;
  Player& operator=(const Player&) = delete;

  PlayedStep play() {
    for (std::size_t rank = 0; rank < grid_.stage.size(); ++rank) {
      const StageProgram& own = of(rank);
      for (std::uint32_t op = 0; op < own.ops.size(); ++op) {
        if (own.waits[op] == 0) {
          ready(rank, op, {});
        }
      }
    }
    engine_.run();
    return result();
  }

 private:
  struct Cause {
    std::int32_t stage = -1;
    std::uint32_t op = 0;
    StepPart part = StepPart::forward;
    bool other_rank = false;
    bool from_host = false;
  };

  [[nodiscard]] const StageProgram& of(std::size_t rank) const { return program_.stages[grid_.stage[rank]]; }
  [[nodiscard]] const StepWork& work_of(std::size_t rank, std::uint32_t op) const {
    return program_.works[of(rank).ops[op].work];
  }

  void add_resources(std::size_t rank) {
    const RankResources& r = program_.resources;
    const auto add = [&](const char* what, double capacity) {
      return engine_.add_resource(
          grid_.stage.size() > 4096 ? std::string() : fmt::format("{} {}", rank, what), capacity);
    };
    resources_.push_back(add("SMs", r.sms));
    add("HBM", r.hbm);
    add("NVLink", r.nvlink);
    add("NIC", r.nic);
    add("PCIe", r.pcie);
  }

  void ready(std::size_t rank, std::uint32_t op, const Cause& cause) {
    const StepWork& work = work_of(rank, op);
    const auto meet = static_cast<std::size_t>(work.meet);
    if (work.stream == StepStream::compute) {
      waited(rank, cause);
    }
    if (options_.record) {
      StepSpan& span = played_.spans[grid_.stage[rank]][op];
      span.stage = cause.stage;
      span.op = cause.op;
    }
    if (work.stream == StepStream::compute || grid_.size[meet] == 1) {
      start(rank, op, work);
      return;
    }
    std::uint32_t& count = met(rank, meet, op);
    if (++count == grid_.size[meet]) {
      count = 0;
      for (const std::uint32_t member : members(rank, meet)) {
        start(member, op, work);
      }
    }
  }

  // How long the compute stream stood still, and for what.
  void waited(std::size_t rank, const Cause& cause) {
    StreamUse& use = uses_[rank];
    const double gap = engine_.now().si() - use.end;
    if (gap <= 0.0 || cause.stage < 0) {
      return;
    }
    if (cause.part == StepPart::send) {
      use.pipeline += gap;
    } else if (cause.part == StepPart::input) {
      use.input += gap;
    } else if (cause.part == StepPart::load || cause.from_host) {
      use.host += gap;
    } else if (cause.part == StepPart::weights || cause.part == StepPart::gradients) {
      use.data += gap;
    } else {
      use.others += gap;
    }
  }

  std::uint32_t& met(std::size_t rank, std::size_t meet, std::uint32_t op) {
    return here_[meet][grid_.group[meet][rank] * widest_ + op];
  }
  [[nodiscard]] std::span<const std::uint32_t> members(std::size_t rank, std::size_t meet) const {
    const std::uint32_t size = grid_.size[meet];
    return {grid_.members[meet].data() + std::size_t{grid_.group[meet][rank]} * size, size};
  }

  void start(std::size_t rank, std::uint32_t op, const StepWork& work) {
    // Collectives take SMs and bytes before computation does (their blocks stay), and share with each other.
    constexpr double kFirst = 1e6;
    const bool computes = work.stream == StepStream::compute;
    const double slower = computes && !options_.slowdown.empty() ? options_.slowdown[rank] : 1.0;
    const double alone = work.alone.si() * slower;
    const ResourceId first = resources_[rank];
    std::array<Demand, 5> demands;
    std::size_t count = 0;
    const auto add = [&](ResourceId offset, double amount) {
      if (amount > 0.0) {
        demands[count++] = {first + offset, amount};
      }
    };
    const StepDemand& d = work.demand;
    add(0, d.sm_seconds * slower);
    add(1, d.hbm);
    add(2, d.nvlink);
    add(3, d.nic);
    add(4, d.pcie);
    if (options_.record) {
      played_.spans[grid_.stage[rank]][op].begin = engine_.now().si();
    }
    if (computes) {
      uses_[rank].begin = engine_.now().si();
    }
    engine_.start({.demands = {demands.data(), count},
                   .alone = Seconds(alone),
                   .latency = Seconds(0.0),
                   .weight = computes || alone <= 0.0 ? 0.0 : kFirst / alone},
                  Callback::of<&Player::ended>(this, (std::uint64_t{rank} << 32) | op));
  }

  void ended(std::uint64_t tag) {
    const std::size_t rank = tag >> 32;
    const auto op = static_cast<std::uint32_t>(tag);
    const StepWork& work = work_of(rank, op);
    if (work.stream == StepStream::compute) {
      RankUse& use = uses_[rank];
      use.busy += engine_.now().si() - use.begin;
      use.in_line += work.in_line.si();
      use.end = engine_.now().si();
    }
    const auto meet = static_cast<std::size_t>(work.meet);
    if (grid_.size[meet] == 1) {
      complete(rank, op, work, false);
      return;
    }
    std::uint32_t& count = met(rank, meet, op);
    if (++count == grid_.size[meet]) {
      count = 0;
      for (const std::uint32_t member : members(rank, meet)) {
        complete(member, op, work, member != rank);
      }
    }
  }

  void complete(std::size_t rank, std::uint32_t id, const StepWork& work, bool by_other) {
    const StageProgram& own = of(rank);
    const StepOp& op = own.ops[id];
    const auto stage = static_cast<std::int32_t>(grid_.stage[rank]);
    if (options_.record) {
      played_.spans[grid_.stage[rank]][id].end = engine_.now().si();
    }
    ++done_;
    const Cause cause{stage, id, work.part, by_other, work.from_host};
    for (std::uint32_t i = 0; i < op.next_count; ++i) {
      release(rank, own.next[op.first_next + i], cause);
    }
    if (op.to_stage >= 0) {
      const std::size_t there =
          grid_.by_place[static_cast<std::size_t>(op.to_stage) * grid_.per_stage() + grid_.within[rank]];
      release(there, op.to_op, cause);
    }
  }

  void release(std::size_t rank, std::uint32_t op, const Cause& cause) {
    if (--waits_[first_[rank] + op] == 0) {
      ready(rank, op, cause);
    }
  }

  PlayedStep result() {
    std::uint64_t all = 0;
    for (std::size_t rank = 0; rank < grid_.stage.size(); ++rank) {
      all += of(rank).ops.size();
    }
    if (done_ != all) {
      throw std::logic_error("training step: operations wait for each other");
    }
    const double time = engine_.now().si();
    played_.time = Seconds(time);
    played_.events = engine_.events();
    double least = 0.0;
    for (std::size_t stage = 0; stage < program_.stages.size(); ++stage) {
      const RankUse& use = uses_[grid_.by_place[stage * grid_.per_stage()]];
      played_.stages.push_back(use);
      if (use.busy + use.data + use.host > least) {
        least = use.busy + use.data + use.host;
        played_.slowest = stage;
      }
    }
    double computed = 0.0;
    for (const StreamUse& use : played_.stages) {
      computed = std::max(computed, use.end);
      played_.input_before = max(played_.input_before, Seconds(use.input));
    }
    played_.input_behind = Seconds(std::max(0.0, time - computed));
    const std::array<double*, 5> shares = {&played_.sm, &played_.hbm, &played_.nvlink, &played_.nic,
                                           &played_.pcie};
    for (std::size_t i = 0; i < shares.size(); ++i) {
      double used = 0.0, capacity = 0.0;
      for (const ResourceId first : resources_) {
        const auto id = static_cast<ResourceId>(first + i);
        used += engine_.used(id);
        capacity += engine_.capacity(id);
      }
      *shares[i] = time > 0.0 ? used / (capacity * time) : 0.0;
    }
    return std::move(played_);
  }

  struct RankUse : StreamUse {
    double begin = 0.0;
  };

  const StepProgram& program_;
  const RankGrid& grid_;
  const StepPlayOptions& options_;
  Engine engine_;
  std::vector<ResourceId> resources_;  // first of each rank
  std::vector<std::size_t> first_;     // of each rank, in waits_
  std::vector<std::uint8_t> waits_;
  std::size_t widest_ = 0;
  std::array<std::vector<std::uint32_t>, kMeets> here_;  // by group and operation: how many ranks are there
  std::vector<RankUse> uses_;
  std::uint64_t done_ = 0;
  PlayedStep played_;
};

}  // namespace

PlayedStep play_step(const StepProgram& program, const RankGrid& grid, const StepPlayOptions& options) {
  return Player(program, grid, options).play();
}

std::vector<CriticalOp> critical_path(const PlayedStep& played) {
  std::vector<CriticalOp> out;
  CriticalOp at;
  double last = -1.0;
  for (std::size_t stage = 0; stage < played.spans.size(); ++stage) {
    for (std::uint32_t op = 0; op < played.spans[stage].size(); ++op) {
      if (played.spans[stage][op].end > last) {
        last = played.spans[stage][op].end;
        at = {stage, op};
      }
    }
  }
  while (last >= 0.0) {
    out.push_back(at);
    const StepSpan& span = played.spans[at.stage][at.op];
    if (span.stage < 0) {
      break;
    }
    at = {static_cast<std::size_t>(span.stage), span.op};
  }
  std::reverse(out.begin(), out.end());
  return out;
}

}  // namespace gpuplan::sim
