// Pricing of a kernel scenario: one row a case, in the scenario's order.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/scenario/kernel_scenario.h"

namespace gpuplan::sim {

struct KernelRow {
  std::size_t index = 0;  // into KernelScenario::cases
  KernelOutcome outcome;
  std::optional<double> speedup;  // time of the baseline over this one's, where both run
};

// Kernel models of the scenario's machines, ready to price.
class KernelPricer {
 public:
  KernelPricer(const KernelScenario& scenario, const Library& library);
  [[nodiscard]] KernelOutcome price(const KernelCase& one, kernels::Explanation* why = nullptr) const;
  [[nodiscard]] const kernels::KernelModel& model(std::size_t machine) const { return models_[machine]; }

 private:
  const KernelScenario& scenario_;
  std::vector<kernels::KernelModel> models_;
  std::vector<kernels::SmLimits> sm_;
};

std::vector<KernelRow> price_kernels(const KernelScenario& scenario, const KernelPricer& pricer);

// What a sweep shows, a sentence each: where the limiter changes, up to where it runs at all, where it passes
// the baseline. Exact to one unit of the swept field where there is a single change between two swept values.
std::vector<std::string> kernel_findings(const KernelScenario& scenario, const std::vector<KernelRow>& rows,
                                         const KernelPricer& pricer, const Library& library);

}  // namespace gpuplan::sim
