// Constants of a training step that no kernel or collective measurement holds. Few, shared by all jobs.
#pragma once

namespace gpuplan::sim {

struct StepConstants {
  // Time of kernels in a training step over that of the same kernels alone, hot clocks and other streams
  // included.
  double kernel_stretch = 1.0;
  // Host time to launch a kernel from eager PyTorch (s); assumed until fitted to the single-node rows.
  double launch = 6.0e-6;
  // Compute while a collective runs on the same GPU takes so much longer: Galvatron measured 1.126 with an
  // all-reduce beside (TRAINING_FACTS).
  double overlap_slowdown = 0.126;
  // Share of a collective that hides behind the matrix product it was cut up with; assumed.
  double hidden_by_matrices = 0.7;
  // The slowest of n nodes against their mean: 1 + jitter sqrt(2 ln n), the expected maximum of n normal
  // variables; assumed until fitted.
  double jitter = 0.01;
  // Once a step: loss to the host, clipping, data loader, Python (s); assumed.
  double step_overhead = 5.0e-3;
  // 80 % of measurements lie within time / (1 + s) .. time (1 + s); from `gpuplan validate`.
  double spread80 = 0.2;
};

}  // namespace gpuplan::sim
