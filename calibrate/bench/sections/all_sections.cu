#include "sections.h"

namespace gpubench {

// In the order in which they run; the tensor cores' heat comes late, so that it does not slow the others.
const std::vector<Section>& all_sections() {
  static const std::vector<Section> sections = {
      {"bandwidth", 12, "read, write, copy, scale against footprint: L2 and HBM", check_bandwidth,
       measure_bandwidth},
      {"latency", 8, "pointer chase through L1, L2 and HBM; near and far L2", check_latency, measure_latency},
      {"parallelism", 8, "read bandwidth against warps, loads in flight and width", check_parallelism,
       measure_parallelism},
      {"access", 6, "strided and shifted reads; shared-memory bank conflicts", check_access, measure_access},
      {"launch", 5, "kernel launches in a stream, in a graph, many small ones", check_launch, measure_launch},
      {"rows", 10, "norms, softmax, elementwise", check_rows, measure_rows},
      {"attention", 12, "prefill attention: flash and naive", check_attention, measure_attention},
      {"decode", 9, "decode attention against batch and context", check_decode, measure_decode},
      {"pcie", 12, "copies between host and device, pinned and pageable, both ways, pipelined", check_pcie,
       measure_pcie},
      {"overlap", 10, "what kernels and copies lose when they run together", check_overlap, measure_overlap},
      {"collectives", 10, "NCCL collectives and peer copies, on two GPUs or more", check_collectives,
       measure_collectives},
      {"gemm", 38, "linear layers of LLMs through cuBLASLt, m from 1 to 16384, bf16 and fp8", nullptr,
       measure_gemm},
      {"tensor", 16, "matrix peak per number format; droop under load on random and zero data", check_tensor,
       measure_tensor},
  };
  return sections;
}

}  // namespace gpubench
