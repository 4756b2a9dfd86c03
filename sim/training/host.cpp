#include "sim/training/host.h"

#include <algorithm>

namespace gpuplan::sim {

namespace {

std::string source_of(const Node& node, const char* field) {
  const auto found = node.sources.find(field);
  return found == node.sources.end() ? "catalogue: " + node.name
                                     : "catalogue: " + node.name + ", " + found->second.text;
}

}  // namespace

Host host_of(const HostSpec& spec, const Node& node, const Gpu& gpu) {
  const bool grace = gpu.c2c_bandwidth.si() > 0.0;
  const double sockets = std::max(1, node.socket_count), drives = std::max(1, node.gpu_count);
  Host out;
  out.memory_source = "assumed: what a socket usually has";
  out.memory = Bytes(sockets * (grace ? 480e9 : 512e9));
  out.memory_bandwidth = BytesPerSecond(sockets * (grace ? 500e9 : 204.8e9));
  out.nvme_source = "assumed: a drive a GPU";
  out.nvme = Bytes(drives * 3.84e12);
  out.nvme_read = BytesPerSecond(drives * 6.8e9);
  out.nvme_write = BytesPerSecond(drives * 4.0e9);
  if (node.host_memory.si() > 0.0 && node.host_bandwidth.si() > 0.0) {
    out.memory_source = source_of(node, "host_memory_gb");
    out.memory = node.host_memory;
    out.memory_bandwidth = node.host_bandwidth;
  }
  if (node.nvme.si() > 0.0) {
    out.nvme_source = source_of(node, "nvme_gb");
    out.nvme = node.nvme;
    const double share = out.nvme.si() / 3.84e12;  // drives of that size
    out.nvme_read = BytesPerSecond(share * 6.8e9);
    out.nvme_write = BytesPerSecond(share * 4.0e9);
  }
  if (spec.memory || spec.memory_bandwidth) {
    out.memory_source = "scenario: host";
    out.memory = spec.memory.value_or(out.memory);
    out.memory_bandwidth = spec.memory_bandwidth.value_or(out.memory_bandwidth);
  }
  if (spec.nvme || spec.nvme_read || spec.nvme_write) {
    out.nvme_source = "scenario: host";
    out.nvme = spec.nvme.value_or(out.nvme);
    out.nvme_read = spec.nvme_read.value_or(out.nvme_read);
    out.nvme_write = spec.nvme_write.value_or(out.nvme_write);
  }
  return out;
}

}  // namespace gpuplan::sim
