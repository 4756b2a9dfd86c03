// One replica after the other, whatever their load.
#include "sim/serving/registry.h"
#include "sim/serving/router.h"

namespace gpuplan::sim {

namespace {

class RoundRobin final : public Router {
 public:
  std::size_t pick(const Request& /*request*/, std::span<const ReplicaLoad> loads) override {
    return next_++ % loads.size();
  }

 private:
  std::size_t next_ = 0;
};

}  // namespace

std::unique_ptr<Router> make_round_robin() { return std::make_unique<RoundRobin>(); }

}  // namespace gpuplan::sim
