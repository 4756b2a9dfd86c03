#include "sim/serving/step_cost.h"

#include <algorithm>
#include <cmath>

namespace gpuplan::sim {

namespace {

// The context grid: exact up to 16 tokens, then 16 points per octave.
constexpr double kPointsPerOctave = 16.0;

double grid_position(double context) {
  return context <= 16.0 ? std::max(0.0, context - 1.0) : 15.0 + kPointsPerOctave * std::log2(context / 16.0);
}

template <class T>
T& slot(std::vector<T>& table, std::int64_t index) {
  const std::size_t i = static_cast<std::size_t>(index);
  if (i >= table.size()) {
    table.resize(std::max(i + 1, table.size() * 2));
  }
  return table[i];
}

}  // namespace

namespace {

double point_of_grid(std::size_t index) {
  return index < 16 ? static_cast<double>(index + 1)
                    : 16.0 * std::exp2((static_cast<double>(index) - 15.0) / kPointsPerOctave);
}

// The grid up to 16 x 2^30 tokens, computed once: every step of every replica looks into it.
const auto kContextGrid = [] {
  std::array<double, 496> grid{};
  for (std::size_t i = 0; i < grid.size(); ++i) {
    grid[i] = point_of_grid(i);
  }
  return grid;
}();

}  // namespace

double grid_context(std::size_t index) {
  return index < kContextGrid.size() ? kContextGrid[index] : point_of_grid(index);
}

GridPlace place_on_context_grid(double context) {
  const std::size_t low = static_cast<std::size_t>(grid_position(context));
  const double a = grid_context(low);
  return {low, std::clamp((context - a) / (grid_context(low + 1) - a), 0.0, 1.0)};
}

StepUse& StepUse::operator+=(const StepUse& other) {
  for (std::size_t i = 0; i < kStepParts; ++i) {
    seconds[i] += other.seconds[i];
    error[i] += other.error[i];
  }
  for (std::size_t i = 0; i < kernels::kLimiters; ++i) {
    limited[i] += other.limited[i];
  }
  time += other.time;
  flops += other.flops;
  hbm_bytes += other.hbm_bytes;
  link_bytes += other.link_bytes;
  outside += other.outside;
  return *this;
}

StepUse operator*(StepUse use, double factor) {
  for (std::size_t i = 0; i < kStepParts; ++i) {
    use.seconds[i] *= factor;
    use.error[i] *= factor;
  }
  for (double& seconds : use.limited) {
    seconds *= factor;
  }
  use.time *= factor;
  use.flops *= factor;
  use.hbm_bytes *= factor;
  use.link_bytes *= factor;
  use.outside *= factor;
  return use;
}

StepCost::StepCost(IterationLowering lowering, kernels::KernelModel model, ScaleUp scale_up,
                   bool switch_reduction, StepCostSpec spec)
    : lowering_(std::move(lowering)),
      model_(std::move(model)),
      scale_up_(scale_up),
      switch_reduction_(switch_reduction),
      spec_(spec),
      kernels_per_iteration_(lowering_.kernels_per_iteration()),
      stream_launch_(model_.launch(false).si()) {}

kernels::Price StepCost::price(const LoweredOperation& op, kernels::Explanation* why) const {
  return std::visit(
      [&](const auto& operation) {
        if constexpr (std::is_same_v<std::decay_t<decltype(operation)>, kernels::AllReduce>) {
          return model_.price(operation, scale_up_, switch_reduction_, why);
        } else {
          return model_.price(operation, why);
        }
      },
      op.operation);
}

StepUse StepCost::use_of(std::span<const LoweredOperation> operations) const {
  StepUse use;
  for (const LoweredOperation& op : operations) {
    const kernels::Price price = this->price(op);
    const double seconds = price.time.si() * op.count;
    const std::size_t part = static_cast<std::size_t>(op.part);
    use.seconds[part] += seconds;
    use.error[part] += seconds * price.relative_error;
    use.limited[static_cast<std::size_t>(price.limiter)] += seconds;
    use.time += seconds;
    use.flops += price.flops.si() * op.count;
    use.hbm_bytes += price.hbm_bytes.si() * op.count;
    use.link_bytes += price.link_bytes.si() * op.count;
    use.outside += price.outside_measured_range ? seconds : 0.0;
  }
  return use;
}

std::int64_t StepCost::padded(std::int64_t tokens) const {
  if (!spec_.cuda_graphs || tokens > spec_.max_graph_batch) {
    return tokens;
  }
  // Captured sizes: 1, 2, 4, then every multiple of 8.
  const std::int64_t size = tokens <= 2 ? tokens : tokens <= 4 ? 4 : (tokens + 7) / 8 * 8;
  return std::min(size, spec_.max_graph_batch);
}

const StepUse& StepCost::body(std::int64_t tokens) {
  std::optional<StepUse>& known = slot(body_, padded(tokens));
  if (!known) {
    scratch_.clear();
    lowering_.body(padded(tokens), scratch_);
    known = use_of(scratch_);
  }
  return *known;
}

const StepUse& StepCost::head(std::int64_t sequences) {
  std::optional<StepUse>& known = slot(head_, sequences);
  if (!known) {
    scratch_.clear();
    if (sequences > 0) {
      lowering_.head(sequences, scratch_);
    }
    known = use_of(scratch_);
  }
  return *known;
}

StepCost::Knot& StepCost::knot(std::int64_t batch, std::size_t index) {
  Knot& known = slot(slot(decode_, batch), static_cast<std::int64_t>(index));
  if (!known.known) {
    scratch_.clear();
    lowering_.decode_attention(batch, grid_context(index), scratch_);
    const StepUse use = use_of(scratch_);
    known = {use.time,   use.hbm_bytes,
             use.flops,  use.error[static_cast<std::size_t>(StepPart::attention_decode)],
             true,       use.outside > 0.0,
             use.limited};
  }
  return known;
}

GridPlace StepCost::place(double context) {
  // Contexts grow by a token a step and stay between two points for a while. Next to a point the logarithm
  // decides, so that the place does not depend on what was asked before.
  const double a = grid_context(near_), b = grid_context(near_ + 1), margin = 1e-9 * context;
  if (context > a + margin && context < b - margin) {
    return {near_, std::clamp((context - a) / (b - a), 0.0, 1.0)};
  }
  const GridPlace found = place_on_context_grid(context);
  near_ = found.low;
  return found;
}

double StepCost::decode_attention_time(std::int64_t batch, double context) {
  const auto [low, share] = place(context);
  const double high_time = knot(batch, low + 1).time;
  const double low_time = knot(batch, low).time;
  return low_time + share * (high_time - low_time);
}

StepUse StepCost::decode_attention(std::int64_t batch, double context) {
  const auto [low, above] = place(context);
  const Knot high_knot = knot(batch, low + 1);
  const Knot low_knot = knot(batch, low);
  const auto mix = [&, share = above](double Knot::*member) {
    return low_knot.*member + share * (high_knot.*member - low_knot.*member);
  };
  StepUse use;
  const std::size_t part = static_cast<std::size_t>(StepPart::attention_decode);
  use.time = use.seconds[part] = mix(&Knot::time);
  use.hbm_bytes = mix(&Knot::hbm_bytes);
  use.flops = mix(&Knot::flops);
  use.error[part] = mix(&Knot::error);
  use.outside = high_knot.outside ? use.time : 0.0;
  use.limited = low_knot.limited;
  for (double& seconds : use.limited) {
    seconds *= low_knot.time > 0.0 ? use.time / low_knot.time : 0.0;
  }
  return use;
}

StepUse StepCost::prefill_attention(std::int64_t queries, std::int64_t context) {
  scratch_.clear();
  lowering_.prefill_attention(queries, context, scratch_);
  return use_of(scratch_);
}

double StepCost::overhead(std::int64_t sequences, std::int64_t tokens, double gpu_seconds) const {
  double seconds = spec_.step_overhead + spec_.step_overhead_per_sequence * static_cast<double>(sequences);
  if (!spec_.cuda_graphs || tokens > spec_.max_graph_batch) {
    // The CPU launches ahead of the GPU; it is the bottleneck only when kernels are shorter than launches.
    seconds += std::max(0.0, kernels_per_iteration_ * stream_launch_ - gpu_seconds);
  }
  return seconds;
}

}  // namespace gpuplan::sim
