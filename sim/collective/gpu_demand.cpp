#include "sim/collective/gpu_demand.h"

#include <algorithm>

namespace gpuplan::sim {

double sm_seconds(const kernels::Price& price, int sms) {
  constexpr double kStreaming = 0.4;  // of the SMs keep HBM busy (assumed)
  const double share = std::max(price.compute.si(), kStreaming * price.hbm.si());
  return sms * std::min(share, price.time.si());
}

Bytes hbm_bytes(const collectives::CollectiveOperation& operation, collectives::Algorithm algorithm,
                int ranks) {
  using collectives::Algorithm;
  using collectives::Collective;
  const double n = ranks, others = (n - 1.0) / n;
  const bool in_switch = algorithm == Algorithm::nvls || algorithm == Algorithm::nvls_tree;
  const auto times = [&] {
    switch (operation.collective) {
      case Collective::all_reduce:
        return in_switch                          ? 2.0
               : algorithm == Algorithm::one_shot ? n + 1.0
               : algorithm == Algorithm::two_shot ? 4.0
               : algorithm == Algorithm::tree     ? 5.0
                                                  : 5.0 * others;
      case Collective::reduce_scatter:
        return in_switch ? 1.0 : 3.0 * others;
      case Collective::all_gather:
        return in_switch ? 1.0 : 2.0 * others;
      case Collective::all_to_all:
        return 2.0 * others;
      case Collective::broadcast:
      case Collective::send_recv:
        return 2.0;
      case Collective::reduce:
        return 3.0;
    }
    return 2.0;
  };
  return operation.bytes * times();
}

}  // namespace gpuplan::sim
