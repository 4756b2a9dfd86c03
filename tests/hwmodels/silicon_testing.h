// What the silicon tests share: the models with the data that the product ships.
#pragma once

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "hwmodels/silicon/silicon_model.h"

namespace gpuplan::silicon {

inline const SiliconModel& shipped() {
  static const SiliconModel loaded = SiliconModel::load(GPUPLAN_SOURCE_DIR);
  return loaded;
}

inline const DieSpec& die_named(const std::string& name) {
  for (const DieSpec& die : shipped().dies()) {
    if (die.name == name) {
      return die;
    }
  }
  FAIL("no die " << name);
  return shipped().dies().front();
}

// All inputs of a process at their medians.
inline Inputs<double> medians(const std::string& process) {
  std::vector<double> values;
  for (const NamedInput& input : named_inputs(shipped().inputs(process))) {
    values.push_back(input.value.mid);
  }
  return inputs_of(values);
}

}  // namespace gpuplan::silicon
