// A node's memory and drives, as far as training uses them: offloaded state, checkpoints, input.
//
// From the node's catalogue entry; where that has none, from what is usual (assumed): 204.8 GB/s and 512 GB a
// socket (8 channels of DDR4-3200), with Grace 500 GB/s and 480 GB; one drive of 3.84 TB a GPU, 6.8 GB/s read
// and 4 GB/s written (PCIe 4 x4).
#pragma once

#include <optional>
#include <string>

#include "hwmodels/catalogue/catalogue.h"
#include "hwmodels/json/describe.h"

namespace gpuplan::sim {

struct HostSpec {
  std::optional<Bytes> memory, nvme;
  std::optional<BytesPerSecond> memory_bandwidth, nvme_read, nvme_write;
};
template <class V>
void describe(V& v, HostSpec& s) {
  v.field("memory", s.memory, "of a node (B); default: the catalogue's, else assumed", json::positive());
  v.field("memory_bandwidth", s.memory_bandwidth,
          "of a node's CPUs to their memory, line rate (B/s); default: the catalogue's, else assumed",
          json::positive());
  v.field("nvme", s.nvme, "of a node's drives (B); default: the catalogue's, else assumed", json::positive());
  v.field("nvme_read", s.nvme_read, "of a node's drives together (B/s)", json::positive());
  v.field("nvme_write", s.nvme_write, "of a node's drives together (B/s)", json::positive());
}

struct Host {
  Bytes memory, nvme;
  BytesPerSecond memory_bandwidth, nvme_read, nvme_write;
  std::string memory_source, nvme_source;  // "catalogue", "scenario", "assumed: ..."
};
Host host_of(const HostSpec& spec, const Node& node, const Gpu& gpu);

// Share of the memory that jobs get beside the system and its page cache; assumed.
inline constexpr double kHostMemoryUsable = 0.9;

// Share of the line rate that the CPUs' optimiser pass reaches: ZeRO-Offload (Ren et al. 2021, table 4, as
// recalled) updates 10 G parameters in 2.57 s and 1 G in 0.24 s on a DGX-2, whose two sockets of 6 channels
// DDR4-2666 have 256 GB/s: 28 bytes a parameter are 109 and 117 GB/s. Assumed of other hosts.
inline constexpr double kHostPassShare = 0.44;

}  // namespace gpuplan::sim
