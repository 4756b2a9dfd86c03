#include "hwmodels/silicon/evaluation.h"

#include <fmt/format.h>

#include <algorithm>

namespace gpuplan::silicon {

namespace {

// What the model does not explain, spread over all blocks in proportion: nobody knows where it lies.
DieAreas explained(DieAreas areas) {
  const double total = areas.total(), known = total - areas.of(Block::unexplained);
  areas.of(Block::unexplained) = 0.0;
  for (double& area : areas.mm2) {
    area *= total / known;
  }
  return areas;
}

}  // namespace

Evaluation::Evaluation(const Design& design, const DieSpec& published, const SiliconOptions& options)
    : design_(design),
      published_(published),
      options_(options),
      harvest_(harvest_counts(design.die, design.product), options.wafer.yield, options.wafer.clustering) {}

Outcome Evaluation::at(const Inputs<double>& inputs) const {
  Outcome out;
  out.areas = die_areas(design_.die, inputs);
  if (options_.anchored) {
    out.areas.of(Block::unexplained) = published_.area_mm2 - die_areas(published_, inputs).total();
  }
  // Inputs far from any real ones could take more away than there is.
  constexpr double kLeastMm2 = 1.0;
  out.areas.of(Block::unexplained) += std::max(0.0, kLeastMm2 - out.areas.total());
  const double mm2 = out.areas.total(), cm2 = 0.01 * mm2;
  const WaferSpec& wafer = options_.wafer;
  const double defects = inputs.process.defects_per_cm2;
  const double dies = dies_per_wafer(wafer, mm2);
  const HarvestAreas split = harvest_areas(design_.die, explained(out.areas), inputs.block.sram_repair);
  const double perfect = closed_form_yield(wafer.yield, wafer.clustering, cm2, defects);
  const double usable = harvest_.usable(split, defects);
  const double die_usd = die_cost_usd(inputs.process.wafer_usd, dies, usable);
  out.cost = unit_cost(design_.product, die_usd, inputs.price);
  out.metrics = {mm2, dies, perfect, usable, die_usd, out.cost.total()};
  return out;
}

void Collected::add(const Outcome& o) {
  metrics_.add(o.metrics);
  blocks_.add(o.areas.mm2);
  cost_.add({o.cost.dies, o.cost.hbm, o.cost.packaging, o.cost.test_and_assembly, o.cost.losses});
  beyond_ += o.metrics[static_cast<std::size_t>(Metric::area_mm2)] > kReticleMm2 ? 1 : 0;
  ++count_;
}

Assessment Collected::finish(const Design& design) {
  Assessment out;
  out.die = design.die.name;
  out.process = design.die.process;
  out.gpu = design.product.gpu;
  out.metrics = metrics_.spreads();
  out.blocks_mm2 = blocks_.spreads();
  out.unit_cost_usd = cost_.spreads();
  out.beyond_reticle = static_cast<double>(beyond_) / count_;
  if (beyond_ > 0) {
    out.notes.push_back(fmt::format(
        "larger than one exposure ({:g} mm2) in {:.1f} % of the draws: it would have to be two dies",
        kReticleMm2, 100.0 * out.beyond_reticle));
  }
  return out;
}

}  // namespace gpuplan::silicon
