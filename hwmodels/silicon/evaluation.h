// One design at one draw of the inputs, and what many draws come to. Internal to the silicon model.
#pragma once

#include <array>

#include "hwmodels/silicon/assessment.h"
#include "hwmodels/silicon/change.h"
#include "hwmodels/silicon/cost.h"
#include "hwmodels/silicon/harvest.h"
#include "hwmodels/silicon/sampling.h"

namespace gpuplan::silicon {

struct Outcome {
  std::array<double, kMetricCount> metrics{};
  DieAreas areas;
  UnitCost cost;
};

// Area, yield and cost of a design; keeps references to all that it is given.
class Evaluation {
 public:
  // `published`: the die as its file has it, from which an anchored die differs.
  Evaluation(const Design& design, const DieSpec& published, const SiliconOptions& options);

  [[nodiscard]] Outcome at(const Inputs<double>& inputs) const;

 private:
  const Design& design_;
  const DieSpec& published_;
  const SiliconOptions& options_;
  Harvest harvest_;
};

// The draws of one design.
class Collected {
 public:
  void add(const Outcome& outcome);
  Assessment finish(const Design& design);

 private:
  Columns<kMetricCount> metrics_;
  Columns<kBlockCount> blocks_;
  Columns<kCostPartCount> cost_;
  int beyond_ = 0, count_ = 0;
};

}  // namespace gpuplan::silicon
