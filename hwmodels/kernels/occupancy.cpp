// Occupancy: the least of four counts of blocks.
//
//   by warps      floor(max warps / warps of a block)
//   by registers  floor(warps the register files hold / warps of a block): a warp takes its registers,
//                 rounded up to the unit, and each of the SM's four files holds whole warps only
//   by shared     floor(shared memory / (bytes + reserved, rounded up to the unit))
//   by blocks     the SM's limit
//
// Little's law: B = n / L, n = warps x 32 x loads x bytes on every SM, L the latency under load (1.75 times
// that of a single access). Total traffic is B (loads + stores) / loads, capped by the memory's: T = B / (1 +
// (B / cap)^p)^(1/p), p = 2.73.
#include "hwmodels/kernels/occupancy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

namespace gpuplan::kernels {

namespace {

constexpr int kWarp = 32;
constexpr std::array<std::string_view, 5> kResourceNames = {"warps", "blocks", "registers", "shared_memory",
                                                            "block_too_large"};

struct Capabilities {
  std::vector<SmLimits> capabilities;
};
template <class V>
void describe(V& v, Capabilities& s) {
  v.field("capabilities", s.capabilities, "one a compute capability", json::required);
}

double round_up(double value, double unit) { return std::ceil(value / unit) * unit; }

}  // namespace

template <class V>
void describe(V& v, SmLimits& s) {
  v.field("capability", s.capability, "compute capability", json::required);
  v.field("max_warps", s.max_warps, "resident warps per SM", json::at_least(1), json::required);
  v.field("max_blocks", s.max_blocks, "resident blocks per SM", json::at_least(1), json::required);
  v.field("max_threads_per_block", s.max_threads_per_block, "threads of a block", json::at_least(1));
  v.field("registers", s.registers, "32-bit registers per SM", json::at_least(1), json::required);
  v.field("max_registers_per_thread", s.max_registers_per_thread, "of a thread", json::at_least(1));
  v.field("register_unit", s.register_unit, "registers a warp gets at a time", json::at_least(1));
  v.field("warp_unit", s.warp_unit, "register files of an SM", json::at_least(1));
  v.field("shared_memory", s.shared_memory, "per SM (B)", json::not_negative(), json::required);
  v.field("max_shared_per_block", s.max_shared_per_block, "of a block (B)", json::not_negative(),
          json::required);
  v.field("shared_unit", s.shared_unit, "bytes a block gets at a time", json::positive());
  v.field("reserved_shared", s.reserved_shared, "taken in each block (B)", json::not_negative());
  v.field("source", s.source, "where the numbers were read", json::required);
}

std::span<const std::string_view> enum_names(SmResource /*tag*/) { return kResourceNames; }

std::vector<SmLimits> sm_limits(const std::string& data_dir) {
  const std::string path = data_dir + "/hwmodels/catalogue/data/compute_capabilities.json";
  std::vector<Problem> problems;
  Capabilities file;
  json::read(json::parse_file(path), path + ": $", file, problems);
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  return std::move(file.capabilities);
}

std::optional<SmLimits> sm_limits(const Gpu& gpu, const std::vector<SmLimits>& known) {
  for (SmLimits limits : known) {
    // "9.0" is sm90, "10.0" sm100; the next character must not be a digit ("sm100" is no sm10).
    std::string name = "sm" + limits.capability;
    name.erase(std::remove(name.begin(), name.end(), '.'), name.end());
    const std::size_t at = gpu.architecture.find(name);
    if (at == std::string::npos) {
      continue;
    }
    const std::size_t end = at + name.size();
    if (end < gpu.architecture.size() && gpu.architecture[end] >= '0' && gpu.architecture[end] <= '9') {
      continue;
    }
    if (gpu.max_warps_per_sm > 0) {
      limits.max_warps = gpu.max_warps_per_sm;
    }
    if (gpu.registers_per_sm > 0) {
      limits.registers = gpu.registers_per_sm;
    }
    if (gpu.shared_memory_per_sm.si() > 0.0) {
      limits.max_shared_per_block += gpu.shared_memory_per_sm.si() - limits.shared_memory;
      limits.shared_memory = gpu.shared_memory_per_sm.si();
    }
    return limits;
  }
  return std::nullopt;
}

Occupancy occupancy(const SmLimits& sm, const KernelResources& kernel, Explanation* why) {
  const int warps = (std::max(1, kernel.threads_per_block) + kWarp - 1) / kWarp;
  const int registers = std::max(1, kernel.registers_per_thread);
  const double shared = kernel.shared_per_block.si();
  const int warp_registers = static_cast<int>(round_up(registers * kWarp, sm.register_unit));
  const int warps_by_registers = sm.registers / sm.warp_unit / warp_registers * sm.warp_unit;
  const double block_shared = round_up(shared + sm.reserved_shared, sm.shared_unit);

  Occupancy result;
  result.by_warps = sm.max_warps / warps;
  result.by_blocks = sm.max_blocks;
  result.by_registers = warps_by_registers / warps;
  result.by_shared = block_shared > 0.0 ? static_cast<int>(sm.shared_memory / block_shared) : sm.max_blocks;
  result.blocks = std::min({result.by_warps, result.by_blocks, result.by_registers, result.by_shared});
  if (kernel.threads_per_block > sm.max_threads_per_block || registers > sm.max_registers_per_thread ||
      shared > sm.max_shared_per_block || result.blocks == 0) {
    result.blocks = 0;
    result.limit = SmResource::block_too_large;
  } else if (result.blocks == result.by_warps) {
    result.limit = SmResource::warps;
  } else if (result.blocks == result.by_registers) {
    result.limit = SmResource::registers;
  } else if (result.blocks == result.by_shared) {
    result.limit = SmResource::shared_memory;
  } else {
    result.limit = SmResource::blocks;
  }
  result.warps = result.blocks * warps;
  result.fraction = static_cast<double>(result.warps) / sm.max_warps;
  if (why != nullptr) {
    why->add(
        fmt::format("a block: {} threads = {} warps; {} registers a thread = {} a warp; {:.0f} B shared = "
                    "{:.0f} with what is reserved",
                    kernel.threads_per_block, warps, registers, warp_registers, shared, block_shared));
    why->add(fmt::format(
        "blocks by warps {} / {} = {}, by registers {} / {} = {}, by shared memory {:.0f} / {:.0f} "
        "= {}, at most {}",
        sm.max_warps, warps, result.by_warps, warps_by_registers, warps, result.by_registers,
        sm.shared_memory, block_shared, result.by_shared, sm.max_blocks));
    why->add(fmt::format("{} blocks = {} of {} warps ({:.0f} %), limited by {}", result.blocks, result.warps,
                         sm.max_warps, 100.0 * result.fraction, json::name_of(result.limit)));
  }
  return result;
}

Waves waves(std::int64_t blocks, int blocks_per_sm, int sm_count) {
  const std::int64_t at_once = std::int64_t{blocks_per_sm} * sm_count;
  if (at_once <= 0 || blocks <= 0) {
    return {};
  }
  Waves result;
  result.exact = static_cast<double>(blocks) / static_cast<double>(at_once);
  result.whole = (blocks + at_once - 1) / at_once;
  result.efficiency = result.exact / static_cast<double>(result.whole);
  return result;
}

BytesPerSecond bandwidth_at_occupancy(const KernelModel& model, int resident_warps, double loads,
                                      double stores, Bytes access) {
  const MemoryConstants& c = model.operations().memory;
  const Gpu& gpu = model.gpu();
  const double cap = gpu.memory_bandwidth.si() * c.dram_share;
  if (loads <= 0.0) {
    return BytesPerSecond(resident_warps > 0 && stores > 0.0 ? cap : 0.0);
  }
  const double latency = c.dram_latency * 1e-9 * c.loaded_latency;
  const double in_flight = gpu.sm_count * resident_warps * double{kWarp} * loads * access.si();
  const double demand = in_flight / latency * (loads + stores) / loads;
  return BytesPerSecond(demand / std::pow(1.0 + std::pow(demand / cap, c.saturation), 1.0 / c.saturation));
}

double coalescing_efficiency(std::int64_t stride, int element_bytes) {
  constexpr std::int64_t kSector = 32;
  std::set<std::int64_t> sectors;
  for (std::int64_t lane = 0; lane < kWarp; ++lane) {
    const std::int64_t first = lane * std::abs(stride) * element_bytes;
    for (std::int64_t at = first / kSector; at <= (first + element_bytes - 1) / kSector; ++at) {
      sectors.insert(at);
    }
  }
  const double used = stride == 0 ? element_bytes : double{kWarp} * element_bytes;
  return used / static_cast<double>(sectors.size() * kSector);
}

int shared_memory_passes(std::int64_t stride, int element_bytes) {
  constexpr std::int64_t kBanks = 32, kBankBytes = 4;
  // Wide elements are served to a half or a quarter of the warp at a time.
  const int groups = std::max(1, element_bytes / static_cast<int>(kBankBytes));
  const int lanes = kWarp / groups;
  int passes = 0;
  for (int group = 0; group < groups; ++group) {
    std::array<std::set<std::int64_t>, kBanks> words;  // different words of a bank take a pass each
    for (int lane = group * lanes; lane < (group + 1) * lanes; ++lane) {
      const std::int64_t first = lane * std::abs(stride) * element_bytes;
      for (std::int64_t word = first / kBankBytes; word <= (first + element_bytes - 1) / kBankBytes; ++word) {
        words[static_cast<std::size_t>(word % kBanks)].insert(word);
      }
    }
    std::size_t most = 0;
    for (const std::set<std::int64_t>& bank : words) {
      most = std::max(most, bank.size());
    }
    passes += static_cast<int>(most);
  }
  return passes;
}

}  // namespace gpuplan::kernels
