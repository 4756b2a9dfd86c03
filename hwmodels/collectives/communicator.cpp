#include "hwmodels/collectives/communicator.h"

#include <algorithm>
#include <array>

namespace gpuplan::collectives {

namespace {

using std::string_view;
constexpr std::array<string_view, 3> kArchitectures = {"sm80", "sm90", "sm100"};
constexpr std::array<string_view, 7> kCollectives = {
    "all_reduce", "all_gather", "reduce_scatter", "broadcast", "reduce", "alltoall", "send_recv"};
constexpr std::array<string_view, 12> kAlgorithms = {
    "ring", "tree", "collnet_direct", "collnet_chain", "nvls",         "nvls_tree",
    "pat",  "p2p",  "one_shot",       "two_shot",      "hierarchical", "2d"};
constexpr std::array<string_view, 3> kProtocolNames = {"LL", "LL128", "Simple"};
constexpr std::array<string_view, 5> kNetworks = {"infiniband", "infiniband_racks", "roce", "efa", "efa2"};

}  // namespace

std::span<const string_view> enum_names(Architecture /*tag*/) { return kArchitectures; }
std::span<const string_view> enum_names(Collective /*tag*/) { return kCollectives; }
std::span<const string_view> enum_names(Algorithm /*tag*/) { return kAlgorithms; }
std::span<const string_view> enum_names(Protocol /*tag*/) { return kProtocolNames; }
std::span<const string_view> enum_names(NetworkKind /*tag*/) { return kNetworks; }

Communicator one_node(Architecture architecture, int ranks) {
  Communicator out;
  out.ranks = ranks;
  out.architecture = architecture;
  switch (architecture) {
    case Architecture::sm80:
      out.link = BytesPerSecond(300e9);
      out.intra = BytesPerSecond(240e9);
      out.channels = 24;
      out.switch_reduces = false;
      break;
    case Architecture::sm90:
      out.link = BytesPerSecond(450e9);
      out.intra = BytesPerSecond(360e9);
      out.channels = 24;
      break;
    case Architecture::sm100:
      out.link = BytesPerSecond(900e9);
      out.intra = BytesPerSecond(720e9);
      out.channels = 32;
      break;
  }
  return out;
}

Architecture architecture_named(std::string_view name) {
  return name.starts_with("Blackwell")                                    ? Architecture::sm100
         : name.starts_with("Hopper") || name.starts_with("Ada Lovelace") ? Architecture::sm90
                                                                          : Architecture::sm80;
}

Communicator communicator_in(const Gpu& gpu, ScaleUp scale_up, bool switch_reduction, int per_node) {
  constexpr double kPcieShare = 12.0 / 16.0;  // NCCL plans with 12 GB/s of a PCIe 3 x16's 16 (topo.h)
  constexpr int kPcieChannels = 2;
  Communicator group = one_node(architecture_named(gpu.architecture), per_node);
  const double share = group.intra.si() / group.link.si();
  group.nvlink = gpu.scale_up_bandwidth.si() > 0.0 &&
                 (scale_up == ScaleUp::nvswitch || scale_up == ScaleUp::all_to_all ||
                  (scale_up == ScaleUp::pairs && per_node <= 2));
  group.link = group.nvlink ? gpu.scale_up_bandwidth : gpu.pcie_bandwidth;
  group.intra = BytesPerSecond(group.link.si() * (group.nvlink ? share : kPcieShare));
  group.channels = group.nvlink ? group.channels : kPcieChannels;
  group.switch_reduces = group.nvlink && switch_reduction;
  return group;
}

Communicator communicator_on(const Gpu& gpu, const Node& node, int nodes, int per_node) {
  Communicator group = communicator_in(gpu, node.scale_up, node.switch_reduction, per_node);
  group.ranks = nodes * per_node;
  group.nodes = nodes;
  group.nics = node.nic_count;
  group.nic = node.nic_bandwidth;
  if (nodes > 1) {
    group.channels = std::clamp(group.nics, 1, group.channels);
  }
  return group;
}

double bus_factor(Collective collective, int ranks) {
  const double n = ranks;
  switch (collective) {
    case Collective::all_reduce:
      return 2.0 * (n - 1.0) / n;
    case Collective::all_gather:
    case Collective::reduce_scatter:
    case Collective::all_to_all:
      return (n - 1.0) / n;
    case Collective::broadcast:
    case Collective::reduce:
    case Collective::send_recv:
      return 1.0;
  }
  return 1.0;
}

}  // namespace gpuplan::collectives
