// Constants of a training step that no kernel or collective measurement holds. Few, shared by all jobs; what
// differs by software is named for it.
#pragma once

#include <array>

namespace gpuplan::sim {

struct StepConstants {
  // Matrix and attention kernels in a training step over the same kernels alone: clocks that a power limit
  // leaves over minutes, against those of a short benchmark. By architecture; Hopper's at 700 W (the
  // catalogue notes 1.4 to 1.7 GHz sustained of 1.83), Blackwell's at 1,200 W; as the cube root of the power.
  double stretch_ampere = 1.0, stretch_hopper = 1.07, stretch_blackwell = 1.07;
  double hopper_watts = 700.0, blackwell_watts = 1200.0;
  // Hopper in 8 bits: MLPerf's, NeMo's and Megatron-Bridge's dense steps ran 3 to 5 % longer than without.
  double hopper_8_bit = 1.06;
  // Blackwell in 16 bits: fitted to SimuMax's rows, the only dense steps measured in that format; one
  // stack of early 2026 on B200.
  double blackwell_16_bit = 1.25;
  // Host time per kernel of a layer (s), by framework: megatron, megatron_2021, deepspeed, fsdp, compiled.
  // deepspeed: the single-node rows at micro-batch 1, where the host sets the pace (3.1 to 3.5 ms a layer and
  // micro-batch for 54 kernels, checkpointing and its random-number states included); others assumed.
  std::array<double, 5> launch = {10e-6, 20e-6, 58e-6, 15e-6, 6e-6};
  // Where the host waits for every kernel (CUDA_LAUNCH_BLOCKING=1), nothing of this hides, and waking up
  // comes on top: so many times as long. Fitted to BLOOM's trials on Jean Zay, which ran so: 14 ms a layer
  // and micro-batch beyond the kernels; two thirds of the rows alone say 14.9.
  double launch_blocking = 4.0;
  // Compute while a collective runs on the same GPU takes so much longer: Galvatron measured 1.126 with an
  // all-reduce beside (TRAINING_FACTS).
  double overlap_slowdown = 0.126;
  // Share of a collective that hides behind the matrix product it was cut up with: set after torchtitan's
  // runs with and without asynchronous tensor parallelism.
  double hidden_by_matrices = 0.5;
  // The slowest of n nodes against their mean: 1 + jitter sqrt(2 ln n), the expected maximum of n normal
  // variables; assumed.
  double jitter = 0.01;
  // Once a step: loss to the host, clipping, data loader, Python (s); assumed.
  double step_overhead = 5.0e-3;
  // 80 % of measurements lie within time / (1 + s) .. time (1 + s); from `gpuplan validate`: dense models on
  // Volta to Hopper, on Blackwell, models with experts anywhere, images.
  double spread = 0.13, spread_blackwell = 0.18, spread_experts = 0.4, spread_images = 0.2;
};

}  // namespace gpuplan::sim
