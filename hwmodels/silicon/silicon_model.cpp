#include "hwmodels/silicon/silicon_model.h"

#include <algorithm>
#include <cmath>

#include "hwmodels/silicon/evaluation.h"
#include "hwmodels/silicon/sampling.h"

namespace gpuplan::silicon {

namespace {

const DieSpec& published_die(const std::vector<DieSpec>& dies, const DieSpec& die) {
  const auto at =
      std::find_if(dies.begin(), dies.end(), [&](const DieSpec& d) { return d.name == die.name; });
  return at == dies.end() ? die : *at;
}

// Two designs are drawn together, so they are of one process.
void check_process(const Design& base, const Design& changed) {
  if (base.die.process != changed.die.process) {
    throw InputError(Problem{"$.process", "\"" + changed.die.process + "\"",
                             "\"" + base.die.process + "\", the process of " + base.die.name, ""});
  }
}

// Result by result of two draws: their difference, and their ratio.
template <std::size_t n>
std::array<double, n> difference(const std::array<double, n>& a, const std::array<double, n>& b) {
  std::array<double, n> out{};
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = a[i] == b[i] ? 0.0 : b[i] - a[i];  // also where both are infinite
  }
  return out;
}

std::array<double, kMetricCount> quotient(const std::array<double, kMetricCount>& a,
                                          const std::array<double, kMetricCount>& b) {
  std::array<double, kMetricCount> out{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = a[i] == b[i] || a[i] == 0.0 ? 1.0 : b[i] / a[i];
  }
  return out;
}

}  // namespace

Inputs<Uncertain> SiliconModel::inputs(const std::string& process) const {
  const auto at = std::find_if(processes_.begin(), processes_.end(),
                               [&](const NamedProcess& p) { return p.name == process; });
  if (at == processes_.end()) {
    std::vector<std::string> names;
    for (const NamedProcess& p : processes_) {
      names.push_back(p.name);
    }
    throw InputError(Problem{"$.process", "\"" + process + "\"", "a process", did_you_mean(process, names)});
  }
  return {.process = at->process, .block = blocks_, .price = prices_, .energy = energies_};
}

Inputs<double> SiliconModel::middle(const std::string& process) const {
  return Sampling(inputs(process), {}).medians();
}

std::vector<std::string> SiliconModel::gpu_names() const {
  std::vector<std::string> out;
  for (const DieSpec& die : dies_) {
    for (const ProductSpec& product : die.products) {
      out.push_back(product.gpu);
    }
  }
  return out;
}

Design SiliconModel::design_of(std::string_view gpu, const std::string& path) const {
  for (const DieSpec& die : dies_) {
    for (const ProductSpec& product : die.products) {
      if (plain_name(product.gpu) == plain_name(gpu)) {
        return {.die = die, .product = product};
      }
    }
  }
  throw InputError(Problem{path, "\"" + std::string(gpu.substr(0, 60)) + "\"",
                           "a GPU whose die is described (hwmodels/silicon/data/dies)",
                           did_you_mean(gpu, gpu_names())});
}

double SiliconModel::anchored_area_mm2(const Design& design) const {
  const Inputs<double> inputs = middle(design.die.process);
  const DieSpec& published = published_die(dies_, design.die);
  return published.area_mm2 + die_areas(design.die, inputs).total() - die_areas(published, inputs).total();
}

Design SiliconModel::apply(const Design& base, const SiliconChange& change, const std::string& path) const {
  std::vector<Problem> problems;
  Design changed = changed_design(base, change, path, problems);
  if (problems.empty()) {
    check_beachfront(changed, anchored_area_mm2(changed), middle(base.die.process), path, problems);
  }
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  return changed;
}

json::Value SiliconModel::catalogue_overrides(const Gpu& gpu, const SiliconChange& change,
                                              const std::string& path) const {
  const Design base = design_of(gpu.name);
  const Design changed = apply(base, change, path);
  const double ratio = anchored_area_mm2(changed) / anchored_area_mm2(base);
  return overrides_of(gpu, base, changed, change, ratio, middle(base.die.process));
}

Assessment SiliconModel::assess(const Design& design, const SiliconOptions& options) const {
  Sampling sampling(inputs(design.die.process), options);
  const Evaluation evaluation(design, published_die(dies_, design.die), options);
  Collected collected;
  sampling.draw([&](const Inputs<double>& inputs) { collected.add(evaluation.at(inputs)); });
  return collected.finish(design);
}

Comparison SiliconModel::compare(const Design& base, const Design& changed,
                                 const SiliconOptions& options) const {
  check_process(base, changed);
  Sampling sampling(inputs(base.die.process), options);
  const DieSpec& published = published_die(dies_, base.die);
  const Evaluation before(base, published, options), after(changed, published, options);
  Collected collected_before, collected_after;
  Columns<kMetricCount> deltas, ratios;
  Columns<kBlockCount> blocks;
  sampling.draw([&](const Inputs<double>& inputs) {
    const Outcome a = before.at(inputs), b = after.at(inputs);
    collected_before.add(a);
    collected_after.add(b);
    deltas.add(difference(a.metrics, b.metrics));
    ratios.add(quotient(a.metrics, b.metrics));
    blocks.add(difference(a.areas.mm2, b.areas.mm2));
  });
  return {.base = collected_before.finish(base),
          .changed = collected_after.finish(changed),
          .deltas = deltas.spreads(),
          .ratios = ratios.spreads(),
          .block_deltas_mm2 = blocks.spreads()};
}

Comparison SiliconModel::compare(const Design& base, const SiliconChange& change,
                                 const SiliconOptions& options) const {
  return compare(base, apply(base, change), options);
}

namespace {

template <class Result>
std::vector<TornadoBar> bars(Sampling& sampling, Result result) {
  std::vector<TornadoBar> out;
  for (std::size_t i = 0; i < sampling.inputs().size(); ++i) {
    const NamedInput& input = sampling.inputs()[i];
    out.push_back({.input = input.name,
                   .low = input.value.low,
                   .high = input.value.high,
                   .at_low = result(sampling.one_at_a_time(i, -kNormal90)),
                   .at_high = result(sampling.one_at_a_time(i, kNormal90)),
                   .standing = input.value.standing,
                   .source = input.value.source});
  }
  // Inputs that change nothing, but for rounding, are left out.
  std::erase_if(out, [](const TornadoBar& bar) {
    return !(bar.swing() > 1e-9 * std::max(std::abs(bar.at_low), std::abs(bar.at_high)));
  });
  std::stable_sort(out.begin(), out.end(),
                   [](const TornadoBar& a, const TornadoBar& b) { return a.swing() > b.swing(); });
  return out;
}

}  // namespace

std::vector<TornadoBar> SiliconModel::tornado(const Design& design, Metric metric,
                                              const SiliconOptions& options) const {
  Sampling sampling(inputs(design.die.process), options);
  const Evaluation evaluation(design, published_die(dies_, design.die), options);
  return bars(sampling, [&](const Inputs<double>& inputs) {
    return evaluation.at(inputs).metrics[static_cast<std::size_t>(metric)];
  });
}

std::vector<TornadoBar> SiliconModel::tornado(const Design& base, const Design& changed, Metric metric,
                                              const SiliconOptions& options) const {
  check_process(base, changed);
  Sampling sampling(inputs(base.die.process), options);
  const DieSpec& published = published_die(dies_, base.die);
  const Evaluation before(base, published, options), after(changed, published, options);
  const auto m = static_cast<std::size_t>(metric);
  return bars(sampling, [&](const Inputs<double>& inputs) {
    return after.at(inputs).metrics[m] - before.at(inputs).metrics[m];
  });
}

Spread SiliconModel::amount_for_area(const Design& base, const SiliconChange& unit, double mm2,
                                     const SiliconOptions& options) const {
  const Design changed = apply(base, unit);
  Sampling sampling(inputs(base.die.process), options);
  std::vector<double> amounts;
  sampling.draw([&](const Inputs<double>& inputs) {
    const double area = die_areas(changed.die, inputs).total() - die_areas(base.die, inputs).total();
    amounts.push_back(area > 0.0 ? mm2 / area : 0.0);
  });
  return spread_of(amounts);
}

PowerAssessment SiliconModel::power(const Design& design, const Activity& activity, Hertz clock,
                                    const SiliconOptions& options) const {
  Sampling sampling(inputs(design.die.process), options);
  const double highest = design.product.clock_max_mhz * 1e6;
  const double share = clock > Hertz() ? clock.si() / highest : 1.0;
  const double area = anchored_area_mm2(design);
  Columns<8> parts;
  sampling.draw([&](const Inputs<double>& inputs) {
    const PowerParts p = power_at(design.product, area, inputs, activity, share);
    parts.add({p.total(), p.matrix_w, p.vector_w, p.l2_w, p.hbm_w, p.links_w, p.leakage_w, p.idle_w});
  });
  const std::array<Spread, 8> s = parts.spreads();
  return {s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]};
}

Spread SiliconModel::clock_under_cap_mhz(const Design& design, const Activity& at_full_clock, Watts cap,
                                         const SiliconOptions& options) const {
  Sampling sampling(inputs(design.die.process), options);
  const double area = anchored_area_mm2(design);
  std::vector<double> clocks;
  sampling.draw([&](const Inputs<double>& inputs) {
    clocks.push_back(design.product.clock_max_mhz *
                     clock_share_under_cap(design.product, area, inputs, at_full_clock, cap.si()));
  });
  return spread_of(clocks);
}

}  // namespace gpuplan::silicon
