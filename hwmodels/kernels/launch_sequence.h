// Many kernels one after another: what the host's issuing of them costs.
#pragma once

#include <span>

#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::kernels {

// Who issues the kernels: a plain CUDA program into a stream, an eager framework (one operator after
// another), or nobody, for the GPU replays a CUDA graph.
enum class Issue { stream, framework, graph };
std::span<const std::string_view> enum_names(Issue tag);

// Prices `kernels` in order on one stream of an idle GPU; their times hold the gap between kernels of a
// graph. `fixed` is the exposed launch time: the time less the kernels' own. The limiter is `launch` where it
// is more than half; `fraction_of_peak` is of the memory bandwidth, or of the 16-bit peak where kernels
// compute.
Price price_sequence(const KernelModel& model, std::span<const Price> kernels, Issue issue,
                     Explanation* why = nullptr);

}  // namespace gpuplan::kernels
