// A sweep: one field of a scenario with the values it takes, all variants at each of them.
#pragma once

#include <string>
#include <vector>

#include "hwmodels/json/describe.h"

namespace gpuplan::sim {

struct VarySpec {
  std::string path;
  std::vector<json::Value> values;
};
template <class V>
void describe(V& v, VarySpec& s) {
  v.field("path", s.path, "the field, as machine.nic_bandwidth or batch.global_batch", json::required);
  v.field("values", s.values, "what it is set to, in order", json::required);
}

}  // namespace gpuplan::sim
