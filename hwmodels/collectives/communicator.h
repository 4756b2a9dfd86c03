// What a collective runs on and what it moves: plain descriptions, whoever made them (a node of the
// catalogue, a graph search, a test).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "hwmodels/catalogue/catalogue.h"
#include "hwmodels/units/units.h"

namespace gpuplan::collectives {

enum class Architecture { sm80, sm90, sm100 };
std::span<const std::string_view> enum_names(Architecture tag);

enum class Collective { all_reduce, all_gather, reduce_scatter, broadcast, reduce, all_to_all, send_recv };
std::span<const std::string_view> enum_names(Collective tag);

// one_shot and two_shot are an inference engine's own all-reduce, hierarchical and torus are put together
// from collectives of smaller groups (composed.h), the others NCCL's; point_to_point is how NCCL runs
// all-to-all, send and receive.
enum class Algorithm {
  ring,
  tree,  // a pair of binary trees
  collnet_direct,
  collnet_chain,
  nvls,
  nvls_tree,
  pat,
  point_to_point,
  one_shot,
  two_shot,
  hierarchical,
  torus
};
std::span<const std::string_view> enum_names(Algorithm tag);

// ll: 4 bytes of data and 4 of flag in each store; ll128: 120 bytes and 8; simple: data, then a flag.
enum class Protocol { ll, ll128, simple };
std::span<const std::string_view> enum_names(Protocol tag);
inline constexpr Protocol kProtocols[] = {Protocol::ll, Protocol::ll128, Protocol::simple};

// Kinds of network between nodes, as far as they differ in time. efa and efa2: AWS's first generation (4 x
// 100 Gb/s, p4d) and second (32 x 100, p5). infiniband_racks: InfiniBand between NVLink domains of a rack
// (NVL72), of whose NICs NCCL drives a part only.
enum class NetworkKind { infiniband, infiniband_racks, roce, efa, efa2 };
std::span<const std::string_view> enum_names(NetworkKind tag);

// A group of ranks, one per GPU, `ranks / nodes` of them on each node.
struct Communicator {
  int ranks = 8;
  int nodes = 1;  // NVLink domains (or PCIe boxes); a network joins them
  Architecture architecture = Architecture::sm90;
  BytesPerSecond link{450e9};    // datasheet, per GPU and direction, inside the node
  BytesPerSecond intra{360e9};   // that rings inside the node reach, all channels together
  int channels = 24;             // rings
  bool nvlink = true;            // else PCIe
  bool switch_reduces = true;    // NVLS
  bool network_reduces = false;  // CollNet, SHARP
  int nics = 8;                  // per node
  BytesPerSecond nic{50e9};      // datasheet, each, per direction
  NetworkKind fabric = NetworkKind::infiniband;
  Seconds net_latency{0.0};  // of a hop through the network, beyond what the constants of `fabric` hold
  std::string version;       // of NCCL ("2.27.3"); empty: the newest that was measured
  bool ll128 = true;         // NCCL allows LL128 on these links

  [[nodiscard]] int gpus_per_node() const { return ranks / nodes; }
};

// A communicator of GPUs on NVSwitch in one node, with the bandwidth and channels that NCCL's ring search
// ends at: 240 GB/s (A100), 360 (H100, H200), 720 (B200, assumed: 16 x 45 of its table of speeds).
Communicator one_node(Architecture architecture, int ranks);

// The architecture of a GPU whose name for it in the catalogue starts with Ampere, Hopper or Blackwell; other
// generations take the nearest one's rules.
Architecture architecture_named(std::string_view name);

// The first `per_node` GPUs of each of `nodes` nodes of the catalogue. PCIe has two channels (NCCL's default
// without NVLink); how much of its rate collectives reach is assumed (timing.cpp), and prices say so.
Communicator communicator_on(const Gpu& gpu, const Node& node, int nodes, int per_node);
// `per_node` GPUs of one node that are joined so.
Communicator communicator_in(const Gpu& gpu, ScaleUp scale_up, bool switch_reduction, int per_node);

// What is moved. `bytes` counts as nccl-tests does: the buffer of all-reduce, broadcast, reduce and
// send/recv; all ranks' parts together of all-gather, reduce-scatter (the larger buffer) and all-to-all (a
// rank's buffer of parts for every rank).
struct CollectiveOperation {
  Collective collective = Collective::all_reduce;
  Bytes bytes{0.0};
};

// Bus bandwidth over algorithm bandwidth, as nccl-tests defines it: 2 (n-1)/n for all-reduce, (n-1)/n for
// all-gather, reduce-scatter and all-to-all, 1 for the others.
double bus_factor(Collective collective, int ranks);

}  // namespace gpuplan::collectives
