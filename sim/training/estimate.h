// The analytic estimate of a training step: kernels and collectives of a layer priced once, summed over
// layers, stages and micro-batches by the formula of the pipeline schedule.
//
//   layer    = max(kernels, host launches) + collectives that nothing hides
//   step     = m t + (p - 1) t / v      (t: forward and backward of the slowest stage; schedule.cpp)
//            + gradients and weights over data that no pass hides + optimiser + once-a-step overhead
//            + what of offloaded state nothing hides, and the CPUs' pass (offload_price.h)
//   all of it x (1 + jitter sqrt(2 ln nodes)); at least the loader's time (input_price.h)
//
// Known to fail: contention between streams is a constant slowdown, not a share of SMs and links.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "hwmodels/collectives/collective_model.h"
#include "hwmodels/kernels/kernel_model.h"
#include "sim/training/placement.h"
#include "sim/training/step_constants.h"
#include "sim/training/step_costs.h"
#include "workloads/training/step.h"

namespace gpuplan::sim {

// One micro-batch on one stage.
struct StageTime {
  Seconds forward, backward;  // all that the compute stream sees, weight gradients in `backward`
  Seconds weights;            // the weight gradients' part of `backward`
  Seconds exposed;            // collectives not hidden, in both
  Seconds gather_reduce;      // of sharded weights, whether hidden or not
  Seconds loaded{0.0};        // in both: waiting for weights that come from the host
};

// What runs on the compute stream of a phase once collectives that can hide do.
struct LayerTime {
  double time = 0.0, exposed = 0.0, launch_bound = 0.0;
};

struct StepEstimate {
  Seconds step;
  Seconds steady;   // micro-batches one after the other on the slowest stage
  Seconds bubble;   // waiting for the pipeline to fill and drain
  Seconds exposed;  // collectives that nothing hides, in `steady` and behind it
  Seconds reduce, gather, optimizer, transfer, overhead, straggle;
  Seconds host_optimizer;  // the CPU's pass over offloaded state, or its drives
  Seconds input;           // waiting for the input of the step
  Seconds slowed;          // kernels beside collectives, over their time alone
  std::vector<StageTime> stages;
  std::size_t slowest = 0;
  std::array<double, kTrainingParts> kernel_seconds{};  // of the slowest stage, a step
  double launch_bound_seconds = 0.0;                    // host launches beyond the kernels' time
  double convolutions_by_memory = 0.0;                  // of kernel_seconds: convolutions that HBM limits
  double model_flops = 0.0, hardware_flops = 0.0;       // of the job, a step
  double spread80 = 0.0;
  bool outside_measured_range = false;
};

class TrainingEstimator {
 public:
  TrainingEstimator(const TrainingMachine& machine, const kernels::KernelModel& kernels,
                    const collectives::CollectiveModel& collectives, StepConstants constants = {})
      : machine_(machine), kernels_(kernels), collectives_(collectives), constants_(constants) {}

  [[nodiscard]] StepEstimate estimate(const TrainingJob& job, const TrainingStep& step) const;
  // The same from prices: the sum alone.
  [[nodiscard]] StepEstimate estimate(const TrainingJob& job, const StepCosts& costs) const;

  [[nodiscard]] Seconds price(const TrainingKernel& kernel) const;
  [[nodiscard]] Seconds price(const TrainingCollective& collective, const TrainingJob& job) const;
  [[nodiscard]] kernels::Price price_of(const TrainingKernel& kernel) const;
  [[nodiscard]] collectives::CollectivePrice price_of(const TrainingCollective& collective,
                                                      const TrainingJob& job) const;
  [[nodiscard]] LayerTime layer_time(const PhaseSum& p) const;
  // Host time of a kernel's launch.
  [[nodiscard]] Seconds launch(const TrainingJob& job) const;
  [[nodiscard]] const TrainingMachine& machine() const { return machine_; }
  [[nodiscard]] BytesPerSecond achievable_hbm() const { return kernels_.achievable_bandwidth(); }
  [[nodiscard]] const kernels::KernelModel& kernels() const { return kernels_; }
  [[nodiscard]] const StepConstants& constants() const { return constants_; }
  // Of matrix and attention kernels, for the clocks that the GPU sustains.
  [[nodiscard]] double stretch(const TrainingJob& job) const;

 private:
  TrainingMachine machine_;
  const kernels::KernelModel& kernels_;
  const collectives::CollectiveModel& collectives_;
  StepConstants constants_;
};

// Time the pipeline adds to m micro-batches of the slowest stage. Sources: GPipe (Huang 2019) and 1F1B
// (PipeDream-Flush) wait for p - 1 stages; interleaving divides that by v (Narayanan 2021); ZB-H1 fills it
// with weight gradients, (p - 1)(F + B - 2 W) (Qi 2024; B without W); DualPipe (p/2 - 1)(F&B + B - 3 W)
// (DeepSeek-V3 report, table 2).
Seconds pipeline_bubble(const TrainingJob& job, const std::vector<StageTime>& stages, std::size_t slowest);

}  // namespace gpuplan::sim
