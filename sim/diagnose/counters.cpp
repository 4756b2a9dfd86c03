#include "sim/diagnose/counters.h"

namespace gpuplan::sim {

namespace {

struct Described {
  std::string_view name, meaning, how;
};
constexpr std::array<Described, kCounters> kDescribed = {{
    {"gpu_active", "time with any kernel on the GPU", "nvidia-smi --query-gpu=utilization.gpu --format=csv"},
    {"sm_active", "SMs with work", "dcgmi dmon -e 1002"},
    {"tensor_active", "tensor pipe busy", "dcgmi dmon -e 1004"},
    {"dram_active", "HBM busy", "dcgmi dmon -e 1005"},
    {"pcie_rx", "host to GPU", "dcgmi dmon -e 1010"},
    {"pcie_tx", "GPU to host", "dcgmi dmon -e 1009"},
    {"nvlink", "sent over NVLink", "dcgmi dmon -e 1011"},
    {"network", "sent by the NICs", "port counters of the NICs, per GPU"},
    {"cpu", "cores busy", "mpstat, or the job's cgroup"},
    {"busiest_thread", "busiest thread", "top -H -p PID"},
    {"power", "power against the limit", "nvidia-smi --query-gpu=power.draw,power.limit --format=csv"},
    {"clock", "SM clock against boost", "nvidia-smi --query-gpu=clocks.sm --format=csv"},
}};
constexpr auto kNames = [] {
  std::array<std::string_view, kCounters> names;
  for (std::size_t i = 0; i < kCounters; ++i) {
    names[i] = kDescribed[i].name;
  }
  return names;
}();

// A rate as a share of `most`; nothing where the machine has no such thing.
template <class Rate>
std::optional<double> share(const std::optional<Rate>& rate, Rate most) {
  return rate && most.si() > 0.0 ? std::optional(rate->si() / most.si()) : std::nullopt;
}

}  // namespace

std::span<const std::string_view> enum_names(Counter /*tag*/) { return kNames; }
std::string_view how_to_measure(Counter counter) { return kDescribed[static_cast<std::size_t>(counter)].how; }
std::string_view meaning(Counter counter) { return kDescribed[static_cast<std::size_t>(counter)].meaning; }

Observation observation(const ObservedSpec& o, const std::optional<StepSpec>& step,
                        const Capacities& capacities) {
  Observation out;
  const auto set = [&](Counter c, std::optional<double> value) {
    out.shares[static_cast<std::size_t>(c)] = value;
  };
  set(Counter::gpu_active, o.gpu_active);
  set(Counter::sm_active, o.sm_active);
  set(Counter::tensor_active, o.tensor_active);
  set(Counter::dram_active, o.dram_active);
  set(Counter::pcie_rx, share(o.pcie_rx, capacities.pcie_pinned));
  set(Counter::pcie_tx, share(o.pcie_tx, capacities.pcie_pinned));
  set(Counter::nvlink, share(o.nvlink, capacities.nvlink));
  set(Counter::network, share(o.network, capacities.network));
  set(Counter::cpu, o.cpu);
  set(Counter::busiest_thread, o.busiest_thread);
  set(Counter::power, share(o.power, capacities.power));
  set(Counter::clock, share(o.clock, capacities.clock));
  if (!step) {
    return out;
  }
  const auto derive = [&](Counter c, double amount, double per_second) {
    const auto i = static_cast<std::size_t>(c);
    if (!out.shares[i] && amount > 0.0 && per_second > 0.0) {
      out.shares[i] = amount / step->time.si() / per_second;
      out.derived[i] = true;
    }
  };
  derive(Counter::pcie_rx, step->input_bytes, capacities.pcie_pinned.si());
  derive(Counter::tensor_active, step->flops, capacities.tensor.si());
  derive(Counter::dram_active, step->hbm_bytes, capacities.hbm.si());
  derive(Counter::nvlink, step->nvlink_bytes, capacities.nvlink.si());
  derive(Counter::network, step->network_bytes, capacities.network.si());
  return out;
}

}  // namespace gpuplan::sim
