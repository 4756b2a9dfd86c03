#include "hwmodels/silicon/sampling.h"

namespace gpuplan::silicon {

Sampling::Sampling(const Inputs<Uncertain>& inputs, const SiliconOptions& options)
    : samples_(static_cast<std::size_t>(options.samples)),
      seed_(options.seed),
      inputs_(named_inputs(inputs)) {
  if (options.samples < 1) {
    throw InputError(Problem{"$.samples", std::to_string(options.samples), "a whole number >= 1", ""});
  }
  if (!options.inputs.is_null()) {
    override_inputs(inputs_, options.inputs, "$.inputs");
  }
  values_.resize(inputs_.size());
}

Inputs<double> Sampling::one_at_a_time(std::size_t which, double score) {
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    values_[i] = i == which ? inputs_[i].value.at(score) : inputs_[i].value.mid;
  }
  return inputs_of(values_);
}

}  // namespace gpuplan::silicon
