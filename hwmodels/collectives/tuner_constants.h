// Constants of NCCL's choice, from NCCL 2.30 (5067397c), src/graph/tuning.cc, topo.h and search.cc: latencies
// in us, bandwidths in GB/s; by protocol in the order LL, LL128, Simple; by nodes in the order 1, 2, 4 or
// more (three count as the last). Facts, not fitted.
#pragma once

#include <array>

#include "hwmodels/collectives/communicator.h"

namespace gpuplan::collectives::nccl {

using ByProtocol = std::array<double, 3>;
using ByNodes = std::array<double, 3>;

inline constexpr ByProtocol kTreeBase = {6.8, 14.0, 8.4}, kRingBase = {6.6, 14.0, 8.4}, kPatBase = {8, 8, 8};
// One hop: NVLink, PCIe, network.
inline constexpr ByProtocol kTreeNvlink = {0.6, 1.25, 4.0}, kRingNvlink = {0.6, 1.9, 3.4};
inline constexpr ByProtocol kTreePcie = {1.0, 1.9, 4.0}, kRingPcie = {1.0, 2.5, 5.7};
inline constexpr ByProtocol kTreeNet = {5.0, 8.5, 14.0}, kRingNet = {2.7, 4.0, 14.0};
inline constexpr double kNvlsNvlink = 25.0, kNvlsNet = 18.0, kNvlsTreeNet = 20.9;  // Simple only
inline constexpr double kCollnetDirectNet = 31.0, kCollnetChainNet = 30.0, kPatNet = 14.0;
inline constexpr double kNetOverhead = 1.0;  // of the host's part in a send; Intel (2.0 on AMD)

// All LL channels together on one node, by architecture; between nodes with Intel hosts.
inline constexpr std::array<double, 3> kLlMax = {87.7, 141.0, 282.0};
inline constexpr ByNodes kLlMaxBetweenNodes = {39.0, 39.0, 20.4};
// A channel at most, by architecture.
inline constexpr std::array<double, 3> kRingLl128 = {20.0, 36.7, 40.0};
inline constexpr std::array<ByNodes, 3> kTreeLl128 = {{{20, 20, 20}, {36.7, 36.7, 29}, {55.6, 31.67, 20}}};
inline constexpr std::array<ByNodes, 3> kTree = {{{24, 23.6, 17.8}, {38.7, 41.4, 36}, {70, 42.8, 24}}};
inline constexpr std::array<ByNodes, 3> kNvlsTree = {{{24, 23.6, 17.8}, {0, 57.7, 45.5}, {0, 96, 80}}};
inline constexpr std::array<double, 3> kNvlsEfficiency = {0.0, 0.85, 0.74};

// What a tree's bandwidth is multiplied by at 64 B, 128 B, ... (the last: 512 MB and above).
inline constexpr std::array<std::array<double, 24>, 3> kTreeCorrection = {
    {{1.0, 1.0, 1.0, 1.0, 0.9, 0.8, 0.7, 0.7, 0.7, 0.7, 0.6, 0.5,
      0.4, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.0, 1.0, 1.0, 1.0},
     {1.0, 1.0, 1.0, 1.0, 1.0, 0.9, 0.8, 0.8, 0.8, 0.7, 0.6, 0.6,
      0.6, 0.6, 0.6, 0.6, 0.8, 0.9, 0.9, 0.9, 0.9, 1.0, 1.0, 1.0},
     {0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.8, 0.7, 0.6, 0.6, 0.5,
      0.5, 0.5, 0.5, 0.6, 0.7, 0.8, 0.7, 0.7, 0.8, 0.9, 0.9, 0.9}}};

// NVLink that rings and NVLS may plan with, over the datasheet: 20 of 25, 20.6 of 25, 40.1 of 50 GB/s a link.
inline constexpr std::array<double, 3> kNvlinkUsable = {0.8, 0.824, 0.802};
// The fastest channel that the search tries for NVLS; sm100 assumed.
inline constexpr std::array<double, 3> kFastestChannel = {40.0, 60.0, 90.0};

constexpr std::size_t index(Architecture a) { return static_cast<std::size_t>(a); }
constexpr std::size_t index(Protocol p) { return static_cast<std::size_t>(p); }
constexpr std::size_t node_index(int nodes) { return nodes <= 1 ? 0 : nodes == 2 ? 1 : 2; }

// GB/s of all channels of a ring or tree together: NVLink's or PCIe's inside one node, and never more than
// the node's NICs where there are several.
double channels_bandwidth(const Communicator& group);

}  // namespace gpuplan::collectives::nccl
