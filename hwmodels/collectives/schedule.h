// Who sends which part of the data to whom at each step: collectives as data, to look at and to run. Every
// rank's buffer is cut into `chunks` equal parts; transfers of one step happen at the same time.
#pragma once

#include <optional>
#include <vector>

#include "hwmodels/collectives/communicator.h"

namespace gpuplan::collectives {

struct ChunkTransfer {
  int step = 0;
  int from = 0, to = 0;      // ranks
  int chunk = 0, count = 1;  // first chunk, and how many in a row
  bool reduces = false;      // added to what the receiver holds; else replaces it
  bool operator==(const ChunkTransfer&) const = default;
};

struct Schedule {
  int ranks = 0, chunks = 0, steps = 0;
  std::vector<ChunkTransfer> transfers;  // by step
};

// Rings, n chunks: after the reduce-scatter rank r holds the sum of chunk r.
Schedule ring_reduce_scatter(int ranks);
Schedule ring_all_gather(int ranks);
Schedule ring_all_reduce(int ranks);

// Recursive halving and doubling in 2 log2(n) steps; nothing unless `ranks` is a power of two.
std::optional<Schedule> halving_doubling_all_reduce(int ranks);

// Parallel aggregated trees (PAT) in ceil(log2 n) rounds, the farthest partner first: every chunk spreads
// from its owner down a binomial tree of its own, and chunks for the same partner travel together. The
// reduce-scatter is the same backwards.
Schedule pat_all_gather(int ranks);
Schedule pat_reduce_scatter(int ranks);

// A round of it: how far the partner is, and how many chunks each rank sends there.
struct PatRound {
  int distance = 0, chunks = 0;
};
std::vector<PatRound> pat_rounds(int ranks);

// Reduce-scatter inside each node, all-reduce across nodes among ranks of the same place, all-gather inside:
// nodes x gpus_per_node chunks. Also the 2D torus: rows for nodes.
Schedule hierarchical_all_reduce(int nodes, int gpus_per_node);

// Two binary trees, each with half of the data: up to the root with sums, down with the result.
Schedule double_tree_all_reduce(int ranks);

// Linear exchange, ranks^2 chunks: chunk (s, d) = s ranks + d goes from s to d, in n - 1 steps.
Schedule all_to_all(int ranks);

// Two binary trees over the ranks such that no rank has children in both. NCCL's differ for odd counts,
// where one rank has children in both.
struct BinaryTree {
  std::vector<int> parent;  // -1: root
  [[nodiscard]] int children(int rank) const;
  [[nodiscard]] int depth() const;  // of the deepest rank; the root's is 0
};
struct DoubleTree {
  BinaryTree first, second;
};
DoubleTree double_binary_tree(int ranks);

// Runs a schedule on `buffers[rank]`, whose sizes are equal and a multiple of `chunks`.
void run(const Schedule& schedule, std::vector<std::vector<double>>& buffers);

}  // namespace gpuplan::collectives
