// A training scenario that compares: its variants beside each other, and all of them at each value of what is
// varied. Everything is resolved before anything runs, so that a mistake anywhere is found first.
#pragma once

#include "sim/scenario/training_scenario.h"
#include "sim/scenario/variants.h"

namespace gpuplan::sim {

// One variant, as it is or at a value of what is varied.
struct TrainingCase {
  std::string name;
  std::optional<TrainingScenario> scenario;  // none: refused
  std::string refusal;                       // the rule of the split that it breaks at this value
  bool search = false;                       // it has a `plan`: the best split within that runs
};

struct TrainingSweep {
  std::string path;
  std::vector<json::Value> values;
  std::vector<std::vector<TrainingCase>> cases;  // by value, then variant
};

struct TrainingStudy {
  TrainingScenario base;
  std::vector<TrainingCase> variants;  // the base alone where the document has none
  std::vector<TrainingSweep> sweeps;
};

// Whether the document asks for a comparison.
bool compares_training(const json::Value& document);

// Throws InputError with all problems. A variant must keep the rules of splits as it is written; at a value
// of a sweep a broken one is an answer.
TrainingStudy resolve_training_study(const json::Value& document, const std::string& name,
                                     const std::string& base_dir, const Library& library);

// What a variant may set.
const VariantFields& training_variant_fields();

}  // namespace gpuplan::sim
