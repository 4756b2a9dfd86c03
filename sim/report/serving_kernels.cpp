#include "sim/report/serving_kernels.h"

#include <variant>
#include <vector>

#include "hwmodels/kernels/launch_shape.h"
#include "sim/serving/simulation.h"

namespace gpuplan::sim {

namespace {

// Prices the operations of a lowering into a table.
class Pricing {
 public:
  Pricing(const StepCost& cost, const std::string& data_dir, KernelTable& table)
      : cost_(cost), shapes_(cost.kernels(), data_dir), table_(table) {}

  // `lower` appends what runs `times`.
  template <class Lower>
  void add(double times, const Lower& lower) {
    operations_.clear();
    lower(operations_);
    for (const LoweredOperation& op : operations_) {
      const auto [peak, shape] = std::visit(
          [&](const auto& operation) {
            return std::pair(computing_peak(cost_.kernels().gpu(), operation), shapes_.of(operation));
          },
          op.operation);
      table_.add(op.name, cost_.price(op), peak.si(), shape ? std::optional(shape->achieved) : std::nullopt,
                 op.count * times);
    }
  }

 private:
  const StepCost& cost_;
  kernels::LaunchShapes shapes_;
  KernelTable& table_;
  std::vector<LoweredOperation> operations_;
};

}  // namespace

void ServingKernels::on_step(const StepRecord& step) {
  if (step.copy) {
    copies_ += 1.0;
    copy_seconds_ += (step.end - step.start).si();
    copy_bytes_ += step.copied.si();
  }
}

void ServingKernels::on_batch(const BatchRecord& batch) {
  const double steps = static_cast<double>(batch.steps);
  bodies_[batch.tokens] += steps;
  if (batch.emitting > 0) {
    heads_[batch.emitting] += steps;
  }
  for (const PromptChunk& chunk : batch.prompts) {
    prompts_[{chunk.queries, chunk.context}] += steps;
  }
  if (batch.decodes > 0) {
    count_decodes(batch);
  }
}

void ServingKernels::count_decodes(const BatchRecord& batch) {
  // Steps between the same two points of the grid are counted together.
  std::size_t at = 0;
  double below = 0.0, above = 0.0;
  const auto book = [&] {
    if (below + above > 0.0) {
      decodes_[{batch.decodes, static_cast<std::int64_t>(at)}] += below;
      decodes_[{batch.decodes, static_cast<std::int64_t>(at) + 1}] += above;
    }
    below = above = 0.0;
  };
  for (std::int64_t i = 0; i < batch.steps; ++i) {
    const GridPlace place = place_on_context_grid(batch.decode_context + static_cast<double>(i));
    if (place.low != at) {
      book();
      at = place.low;
    }
    below += 1.0 - place.share;
    above += place.share;
  }
  book();
}

KernelTable ServingKernels::table(const ServingScenario& scenario, const std::string& data_dir) const {
  const StepCost cost = make_step_cost(scenario, data_dir);
  const IterationLowering& lowering = cost.lowering();
  KernelTable table;
  Pricing pricing(cost, data_dir, table);
  std::map<std::int64_t, double> padded;
  for (const auto& [tokens, steps] : bodies_) {
    padded[cost.padded(tokens)] += steps;
  }
  using Operations = std::vector<LoweredOperation>;
  for (const auto& [tokens, steps] : padded) {
    pricing.add(steps, [&, n = tokens](Operations& out) { lowering.body(n, out); });
  }
  for (const auto& [sequences, steps] : heads_) {
    pricing.add(steps, [&, n = sequences](Operations& out) { lowering.head(n, out); });
  }
  for (const auto& [shape, steps] : decodes_) {
    const auto [batch, point] = shape;
    const double context = grid_context(static_cast<std::size_t>(point));
    pricing.add(steps, [&, n = batch](Operations& out) { lowering.decode_attention(n, context, out); });
  }
  for (const auto& [shape, chunks] : prompts_) {
    pricing.add(chunks, [&, chunk = shape](Operations& out) {
      lowering.prefill_attention(chunk.first, chunk.second, out);
    });
  }
  if (copies_ > 0.0) {
    kernels::Price copy;
    copy.time = copy.link = Seconds(copy_seconds_ / copies_);
    copy.hbm_bytes = copy.link_bytes = Bytes(copy_bytes_ / copies_);
    copy.limiter = kernels::Limiter::link_bandwidth;
    copy.provenance = kernels::Provenance::datasheet;
    table.add("swap_copy", copy, 0.0, std::nullopt, copies_);
  }
  return table;
}

}  // namespace gpuplan::sim
