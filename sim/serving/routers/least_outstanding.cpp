// The replica with the fewest requests in flight (waiting + running); the lowest index on a tie.
#include "sim/serving/registry.h"
#include "sim/serving/router.h"

namespace gpuplan::sim {

namespace {

class LeastOutstanding final : public Router {
 public:
  std::size_t pick(const Request& /*request*/, std::span<const ReplicaLoad> loads) override {
    std::size_t best = 0;
    for (std::size_t i = 1; i < loads.size(); ++i) {
      if (loads[i].waiting + loads[i].running < loads[best].waiting + loads[best].running) {
        best = i;
      }
    }
    return best;
  }
};

}  // namespace

std::unique_ptr<Router> make_least_outstanding() { return std::make_unique<LeastOutstanding>(); }

}  // namespace gpuplan::sim
