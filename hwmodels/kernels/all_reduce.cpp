// All-reduce inside one node: what collectives/ says of it, by the inference engine's own kernel where that
// is faster. Constants and errors are those of the GPU's architecture on its own link.
#include <algorithm>

#include "hwmodels/collectives/collective_model.h"
#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::kernels {

Price KernelModel::price(const AllReduce& op, ScaleUp scale_up, bool switch_reduction,
                         Explanation* why) const {
  using collectives::Collective;
  const collectives::Communicator group =
      collectives::communicator_in(gpu_, scale_up, switch_reduction, std::max(2, op.gpus));
  const collectives::CollectivePrice p = collectives_->price(group, {Collective::all_reduce, op.bytes},
                                                             {.custom_kernel = op.custom_kernel}, why);
  Price price;
  price.time = p.time;
  price.link = Seconds(p.parts.transfer * 1e-6);
  price.fixed = p.time - price.link;
  price.link_bytes = Bytes(p.parts.wire_bytes);
  price.hbm_bytes = Bytes(2.0 * op.bytes.si());
  price.limiter = p.limiter;
  price.fraction_of_peak = p.parts.link_seconds / p.time.si();
  price.provenance = p.provenance;
  price.relative_error = p.relative_error;
  price.spread80 = p.spread80;
  price.outside_measured_range = p.outside_measured_range;
  return price;
}

}  // namespace gpuplan::kernels
