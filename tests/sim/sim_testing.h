// The data library, loaded once for all tests of simulations.
#pragma once

#include "sim/scenario/resolve_parts.h"

inline const gpuplan::sim::Library& library() {
  static const gpuplan::sim::Library loaded = gpuplan::sim::Library::load(gpuplan::data_root());
  return loaded;
}
