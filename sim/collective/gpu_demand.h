// What work takes of the GPUs it runs on, beside links: SMs and HBM.
//
// A kernel needs the SMs for its compute time, and some of them to keep HBM busy while it streams: 0.4 of
// them (assumed; bandwidth saturates at a third to a half of the warps). Its HBM bytes are those of its
// price.
//
// A collective holds an SM for each of its channels as long as it runs: a block of NCCL has one for itself,
// since a GEMM's blocks leave no shared memory beside theirs. Kernels get the others; when the collective is
// slowed down it holds its SMs longer. HBM bytes of a GPU, of an operation's S bytes over n ranks, where
// receivers store into their own memory first and SMs read it from there:
//
//   ring        reduce step: arriving chunk stored, read again, own chunk read: 3 chunks; copying step:
//   stored,
//               read to pass on: 2. All-reduce 5 (n-1)/n S, reduce-scatter 3 (n-1)/n S, all-gather 2 (n-1)/n
//               S
//   tree        each byte up (3) and down (2): 5 S
//   NVLS        the switch reads every GPU's buffer once and writes the result once: 2 S; halves: S
//   all-to-all  every part read and stored: 2 (n-1)/n S; send and receive, broadcast, reduce: 2 S, 2 S, 3 S
//   one shot    every rank reads its own and n-1 others' buffers, the others read from it: (n+1) S; two: 4 S
//
// An upper bound: what lies in L2 between store and read does not reach HBM. Not modelled: a kernel that has
// filled all SMs makes the collective's blocks wait for its first wave to end.
#pragma once

#include "hwmodels/collectives/collective_model.h"
#include "hwmodels/kernels/price.h"

namespace gpuplan::sim {

// SM-seconds of a kernel on a GPU of `sms` SMs.
double sm_seconds(const kernels::Price& price, int sms);

// HBM bytes of one GPU in a collective.
Bytes hbm_bytes(const collectives::CollectiveOperation& operation, collectives::Algorithm algorithm,
                int ranks);

}  // namespace gpuplan::sim
