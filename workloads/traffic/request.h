// One request to a language model, as traffic brings it.
#pragma once

#include <cstdint>

#include "hwmodels/units/units.h"

namespace gpuplan {

struct Request {
  Seconds arrival{0};  // since the start of the traffic; 0 where the simulator decides (closed loop)
  std::int32_t prompt_tokens = 0;  // >= 1
  std::int32_t output_tokens = 0;  // >= 1
  std::int32_t priority = 0;       // lower is served first
  std::uint32_t session = 0;       // requests of one conversation share it; 0: none
};

}  // namespace gpuplan
