// Plays a step's program on the engine: one rank for each stage where ranks of a stage are equal, or every
// rank. Computation and collectives of a GPU contend for its SMs, HBM, NVLink, NIC and PCIe in the fluid
// model (engine.h): a collective holds the SMs of its channels, and computation gets the others; two
// collectives on one NIC are slowed down alike.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "sim/training/step_program.h"

namespace gpuplan::sim {

// Which ranks there are and who meets whom.
struct RankGrid {
  std::vector<std::uint16_t> stage;     // of each rank
  std::vector<std::uint32_t> within;    // its place among the ranks of its stage
  std::vector<std::uint32_t> by_place;  // rank of (stage, place): stage * ranks of a stage + place
  std::array<std::vector<std::uint32_t>, kMeets> group;    // of each rank; empty: alone
  std::array<std::vector<std::uint32_t>, kMeets> members;  // ranks, group after group
  std::array<std::uint32_t, kMeets> size{1, 1, 1, 1, 1};
  [[nodiscard]] std::uint32_t per_stage() const { return static_cast<std::uint32_t>(within.size()) / stages; }
  std::uint16_t stages = 1;
};
// One rank for each stage. Proved equal where all ranks of a stage are: same program, same machine, nobody
// slower; a test compares.
RankGrid folded_grid(int stages);
// All ranks of a job, laid out as its placement says.
RankGrid full_grid(const TrainingJob& job);

// How much slower each rank computes: nodes differ by a normal distribution of that width, never faster than
// a good one. The same for the same seed.
std::vector<double> node_slowdowns(std::size_t ranks, int gpus_per_node, double width, std::uint64_t seed);

struct StepPlayOptions {
  std::vector<double> slowdown;  // of each rank's computation; empty: nobody is slow
  bool record = false;           // when each operation ran and what let it start
};

// What a rank's compute stream did, seconds.
struct StreamUse {
  double busy = 0.0;      // computing, what hides behind it slowing it down included
  double in_line = 0.0;   // of it: collectives within layers
  double data = 0.0;      // waiting for weights or gradients
  double pipeline = 0.0;  // waiting for other stages and their sends
  double host = 0.0;      // waiting for copies from or to the host
  double input = 0.0;     // waiting for the samples of the step
  double others = 0.0;    // waiting for ranks that share its layers
  double end = 0.0;
};

struct StepSpan {
  double begin = 0.0, end = 0.0;
  std::int32_t stage = -1;  // of what let it start; -1: the start of the step
  std::uint32_t op = 0;
};

struct PlayedStep {
  Seconds time;
  std::vector<StreamUse> stages;  // of the first rank of each
  std::size_t slowest = 0;        // the stage that waits least for others
  // Of `time`: for the samples of this step before anything is computed, for the next step's behind all of
  // it.
  Seconds input_before, input_behind;
  double sm = 0.0, hbm = 0.0, nvlink = 0.0, nic = 0.0, pcie = 0.0;  // mean share used
  std::uint64_t events = 0;
  std::vector<std::vector<StepSpan>> spans;  // of each stage's operations, where recorded (folded grids)
};

PlayedStep play_step(const StepProgram& program, const RankGrid& grid, const StepPlayOptions& options = {});

// The chain of operations that set the time: each begins when the one before lets it. First to last.
struct CriticalOp {
  std::size_t stage = 0;
  std::uint32_t op = 0;
};
std::vector<CriticalOp> critical_path(const PlayedStep& played);

}  // namespace gpuplan::sim
