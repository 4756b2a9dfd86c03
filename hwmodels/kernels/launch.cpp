// Launch: the gap between two kernels on one stream, when the CPU issues them one by one and when a CUDA
// graph replays them. H200: 2.43 and 1.23 us, A100: 2.61 and, in a graph, what the profile says (repeated
// empty-kernel launches, least-squares fit of time over kernels). The measured kernel tables are graph
// replays: their fixed times include the gap, so a step inside a graph is the plain sum of prices.
#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::kernels {

Seconds KernelModel::launch(bool cuda_graph) const {
  return Seconds(1e-6 * (cuda_graph ? profile_.launch_graph : profile_.launch_stream));
}

}  // namespace gpuplan::kernels
