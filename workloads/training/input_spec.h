// Where the samples of a step come from: read from storage, decoded by CPU workers, copied to the GPUs. What
// is left out is text: tokens that are read and copied as they are.
#pragma once

#include <optional>

#include "hwmodels/json/describe.h"
#include "hwmodels/units/units.h"

namespace gpuplan {

struct InputSpec {
  std::optional<Bytes> sample_bytes;   // none: 4 B a token (int32)
  std::optional<Bytes> decoded_bytes;  // none: 16 B a token (tokens and labels, int64)
  std::optional<double> decode_rate;   // samples/s of a worker; none: 1 GB/s of what is stored
  int workers_per_gpu = 4;
  int workers_per_node = 0;                                  // 0: by workers_per_gpu
  BytesPerSecond storage_bandwidth = BytesPerSecond(4e9);    // of a node; assumed
  BytesPerSecond file_system_bandwidth = BytesPerSecond(0);  // of all nodes together; 0: no limit
  bool prefetch = true;
  bool pinned = true;
};
template <class V>
void describe(V& v, InputSpec& s) {
  v.field("sample_bytes", s.sample_bytes, "of a sample as it is stored (B); default: 4 a token (assumed)",
          json::positive());
  v.field("decoded_bytes", s.decoded_bytes,
          "of a sample as it is copied to a GPU (B); default: 16 a token (assumed)", json::positive());
  v.field("decode_rate", s.decode_rate,
          "samples that a CPU worker decodes a second; default: what 1 GB/s of stored bytes make (assumed)",
          json::positive());
  v.field("workers_per_gpu", s.workers_per_gpu, "loader processes of each GPU that loads (4: assumed)",
          json::Range{.min = 1, .max = 1024});
  v.field("workers_per_node", s.workers_per_node, "loader processes of a node; 0: by workers_per_gpu",
          json::Range{.min = 0, .max = 100000});
  v.field("storage_bandwidth", s.storage_bandwidth,
          "that a node reads at (B/s); default: 4e9 (assumed: what storage for clusters of such nodes is "
          "sized for)",
          json::positive());
  v.field("file_system_bandwidth", s.file_system_bandwidth,
          "that all nodes read at together (B/s); 0: no limit but that of each node", json::not_negative());
  v.field("prefetch", s.prefetch, "the next step's samples are loaded and copied while this one is computed");
  v.field("pinned", s.pinned,
          "copies from page-locked memory; else from pageable memory, which stops the GPU and is slower");
}

}  // namespace gpuplan
