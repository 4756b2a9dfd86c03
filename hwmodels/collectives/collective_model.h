// What a collective costs: NCCL's choice (tuner.h), the time it takes (timing.h) with the constants of the
// profiles, and how sure that is.
#pragma once

#include <optional>

#include "hwmodels/collectives/profile.h"
#include "hwmodels/kernels/price.h"

namespace gpuplan::collectives {

struct CollectivePrice {
  Seconds time;
  Choice choice;
  TimeParts parts;
  BytesPerSecond algorithm_bandwidth, bus_bandwidth;  // as nccl-tests defines them
  kernels::Limiter limiter = kernels::Limiter::latency;
  kernels::Provenance provenance = kernels::Provenance::measured;
  double relative_error = 0.3;          // expected absolute relative error
  double spread80 = 0.6;                // 80 % of measurements lie within time / (1 + s) .. time (1 + s)
  bool outside_measured_range = false;  // ranks, bytes or a machine beyond those of the measurements
};

struct CollectiveOptions {
  bool custom_kernel = false;  // all-reduce by the inference engine's own kernel where that is faster
  // Instead of NCCL's choice, as NCCL_ALGO and NCCL_PROTO would; priced even where NCCL would not run it.
  std::optional<Algorithm> algorithm = {};
  std::optional<Protocol> protocol = {};
};

class CollectiveModel {
 public:
  explicit CollectiveModel(Profiles profiles) : profiles_(std::move(profiles)) {}
  // With the profiles shipped below `data_dir`. Throws InputError.
  static CollectiveModel load(const std::string& data_dir) {
    return CollectiveModel(Profiles::load(data_dir));
  }

  // Price of one operation on a group of two ranks or more (one rank: free). `why` gets the arithmetic.
  [[nodiscard]] CollectivePrice price(Communicator group, const CollectiveOperation& operation,
                                      const CollectiveOptions& options = {},
                                      kernels::Explanation* why = nullptr) const;

  [[nodiscard]] const Profiles& profiles() const { return profiles_; }

 private:
  Profiles profiles_;
};

}  // namespace gpuplan::collectives
