// The parts of the suite, each in the file of its name.
#pragma once

#include "../device/bench.h"

namespace gpubench {

void check_bandwidth(Bench& bench);
void measure_bandwidth(Bench& bench);
void check_latency(Bench& bench);
void measure_latency(Bench& bench);
void check_parallelism(Bench& bench);
void measure_parallelism(Bench& bench);
void check_access(Bench& bench);
void measure_access(Bench& bench);
void check_tensor(Bench& bench);
void measure_tensor(Bench& bench);
void measure_gemm(Bench& bench);
void check_attention(Bench& bench);
void measure_attention(Bench& bench);
void check_decode(Bench& bench);
void measure_decode(Bench& bench);
void check_rows(Bench& bench);
void measure_rows(Bench& bench);
void check_launch(Bench& bench);
void measure_launch(Bench& bench);
void check_pcie(Bench& bench);
void measure_pcie(Bench& bench);
void check_overlap(Bench& bench);
void measure_overlap(Bench& bench);
void check_collectives(Bench& bench);
void measure_collectives(Bench& bench);

}  // namespace gpubench
