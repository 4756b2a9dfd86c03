// How NCCL cuts a tensor of any size: over channels, into loops, chunks and slices, with what is left over.
#pragma once

#include <cstdint>

#include "hwmodels/collectives/tuner.h"

namespace gpuplan::collectives {

struct Chunking {
  int channels = 1;
  std::int64_t channel_bytes = 0;     // the largest share of a channel, whole 16 B
  std::int64_t chunk_bytes = 0;       // what a step of the algorithm moves at most
  std::int64_t last_chunk_bytes = 0;  // in the last loop of a full channel
  std::int64_t slice_bytes = 0;       // unit of the pipeline inside a chunk
  int slices = 1;                     // of a full chunk
  std::int64_t loops = 0;             // times that a channel runs through the algorithm
  std::int64_t padding_bytes = 0;     // by which all shares together exceed the tensor
};

// Cut of `operation` by `choice`: a ring handles one chunk of each rank in a loop, the others one chunk.
Chunking chunking_of(const Communicator& group, const CollectiveOperation& operation, const Choice& choice);

}  // namespace gpuplan::collectives
