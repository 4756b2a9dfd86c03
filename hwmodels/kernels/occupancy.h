// How many warps an SM holds, and what memory access patterns make of them: the rules of NVIDIA's occupancy
// calculator, Little's law, sectors and banks. Explains a kernel; prices nothing by itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hwmodels/kernels/kernel_model.h"

namespace gpuplan::kernels {

// What an SM of one compute capability holds and how it hands it out (compute_capabilities.json, with
// source).
struct SmLimits {
  std::string capability;  // "9.0"
  int max_warps = 64;
  int max_blocks = 32;
  int max_threads_per_block = 1024;
  int registers = 65536;  // 32-bit, per SM
  int max_registers_per_thread = 255;
  int register_unit = 256;        // registers a warp gets at a time
  int warp_unit = 4;              // register files of an SM: warps are dealt to them evenly
  double shared_memory = 233472;  // bytes per SM
  double max_shared_per_block = 232448;
  double shared_unit = 128;       // bytes a block gets at a time
  double reserved_shared = 1024;  // bytes that the system takes in each block
  std::string source;
};
template <class V>
void describe(V& v, SmLimits& s);

// Every capability that the product knows. Throws InputError.
std::vector<SmLimits> sm_limits(const std::string& data_dir);
// Those of `gpu`, by the sm number in its architecture ("Hopper sm90 GH100"), with its own warps, registers
// and shared memory where the catalogue (or a what-if) states them; nothing where no such capability is
// known.
std::optional<SmLimits> sm_limits(const Gpu& gpu, const std::vector<SmLimits>& known);

struct KernelResources {
  int threads_per_block = 256;
  int registers_per_thread = 32;
  Bytes shared_per_block{0.0};  // static and dynamic
};

enum class SmResource { warps, blocks, registers, shared_memory, block_too_large };
std::span<const std::string_view> enum_names(SmResource tag);

struct Occupancy {
  int blocks = 0, warps = 0;  // resident per SM
  double fraction = 0.0;      // of the warps an SM can hold
  SmResource limit = SmResource::warps;
  // Blocks that each resource alone would allow.
  int by_warps = 0, by_blocks = 0, by_registers = 0, by_shared = 0;
};
Occupancy occupancy(const SmLimits& sm, const KernelResources& kernel, Explanation* why = nullptr);

// A grid of `blocks` in waves of `blocks_per_sm` on each SM.
struct Waves {
  double exact = 0.0;       // blocks over blocks resident at once
  std::int64_t whole = 0;   // rounds that it takes
  double efficiency = 0.0;  // exact over whole: the share of the SMs' block slots that is in use
};
Waves waves(std::int64_t blocks, int blocks_per_sm, int sm_count);

// Memory bandwidth by Little's law: bytes in flight over latency under load, capped by what the memory gives,
// with a rounded knee. `loads` and `stores`: independent accesses of `access` bytes that each thread has in
// flight; stores wait for nobody and come on top (stores alone: the cap at any occupancy, where measurements
// need a third to a half of full). Two constants (latency under load, knee) read off published bandwidths by
// occupancy on A100 and GH200, 15 points within 12 %.
BytesPerSecond bandwidth_at_occupancy(const KernelModel& model, int resident_warps, double loads,
                                      double stores, Bytes access);

// Bytes used over bytes moved when a warp's threads access elements `stride` elements apart: memory moves
// sectors of 32 B.
double coalescing_efficiency(std::int64_t stride, int element_bytes);
// Passes over the 32 banks of 4 B that a warp's access to shared memory takes; 1: no conflict. Elements of 8
// and 16 B go in half and quarter warps, which are not conflicts but passes all the same.
int shared_memory_passes(std::int64_t stride, int element_bytes);

}  // namespace gpuplan::kernels
