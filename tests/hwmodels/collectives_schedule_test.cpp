#include <catch2/catch.hpp>
#include <set>

#include "hwmodels/collectives/chunking.h"
#include "hwmodels/collectives/schedule.h"

using namespace gpuplan;
using namespace gpuplan::collectives;

namespace {

using Buffers = std::vector<std::vector<double>>;

// Whole numbers that differ by rank and place, so that sums are exact.
Buffers filled_buffers(const Schedule& schedule, std::size_t chunk) {
  Buffers out;
  for (int rank = 0; rank < schedule.ranks; ++rank) {
    std::vector<double> one(chunk * static_cast<std::size_t>(schedule.chunks));
    for (std::size_t i = 0; i < one.size(); ++i) {
      one[i] = 1000.0 * rank + static_cast<double>(7 * i % 101);
    }
    out.push_back(std::move(one));
  }
  return out;
}

std::vector<double> sum_of(const Buffers& buffers) {
  std::vector<double> out(buffers.front().size(), 0.0);
  for (const auto& one : buffers) {
    for (std::size_t i = 0; i < one.size(); ++i) {
      out[i] += one[i];
    }
  }
  return out;
}

void check_all_reduce(const Schedule& schedule) {
  Buffers buffers = filled_buffers(schedule, 3);
  const std::vector<double> sum = sum_of(buffers);
  run(schedule, buffers);
  for (int rank = 0; rank < schedule.ranks; ++rank) {
    INFO("rank " << rank << " of " << schedule.ranks);
    CHECK(buffers[static_cast<std::size_t>(rank)] == sum);
  }
}

}  // namespace

TEST_CASE("All-reduce schedules leave the sum on every rank") {
  for (int n = 2; n <= 9; ++n) {
    check_all_reduce(ring_all_reduce(n));
    check_all_reduce(double_tree_all_reduce(n));
  }
  for (const int n : {2, 4, 8, 16}) {
    check_all_reduce(*halving_doubling_all_reduce(n));
  }
  CHECK_FALSE(halving_doubling_all_reduce(6).has_value());
  for (const auto& [nodes, gpus] : {std::pair(2, 4), std::pair(3, 2), std::pair(4, 4), std::pair(1, 5)}) {
    check_all_reduce(hierarchical_all_reduce(nodes, gpus));
  }
}

TEST_CASE("Reduce-scatter leaves each rank its chunk, all-gather every chunk on each rank") {
  for (int n = 2; n <= 9; ++n) {
    for (const Schedule& schedule : {ring_reduce_scatter(n), pat_reduce_scatter(n)}) {
      Buffers buffers = filled_buffers(schedule, 2);
      const std::vector<double> sum = sum_of(buffers);
      run(schedule, buffers);
      for (std::size_t rank = 0; rank < buffers.size(); ++rank) {
        CHECK(buffers[rank][2 * rank] == sum[2 * rank]);
        CHECK(buffers[rank][2 * rank + 1] == sum[2 * rank + 1]);
      }
    }
    for (const Schedule& schedule : {ring_all_gather(n), pat_all_gather(n)}) {
      Buffers buffers = filled_buffers(schedule, 2);
      const Buffers before = buffers;
      run(schedule, buffers);
      for (const auto& buffer : buffers) {
        for (std::size_t owner = 0; owner < buffers.size(); ++owner) {
          CHECK(buffer[2 * owner + 1] == before[owner][2 * owner + 1]);
        }
      }
    }
  }
}

TEST_CASE("All-to-all brings each part to its rank") {
  const Schedule schedule = all_to_all(4);
  Buffers buffers = filled_buffers(schedule, 1);
  const Buffers before = buffers;
  run(schedule, buffers);
  for (std::size_t to = 0; to < 4; ++to) {
    for (std::size_t from = 0; from < 4; ++from) {
      CHECK(buffers[to][from * 4 + to] == before[from][from * 4 + to]);
    }
  }
}

TEST_CASE("A ring of three, step by step") {
  // Reduce-scatter: rank r sends chunk r - 1 - step to the next. 0 starts with chunk 2, 1 with 0, 2 with 1.
  const Schedule s = ring_all_reduce(3);
  REQUIRE(s.steps == 4);
  REQUIRE(s.transfers.size() == 12);
  CHECK(s.transfers[0] == ChunkTransfer{0, 0, 1, 2, 1, true});
  CHECK(s.transfers[1] == ChunkTransfer{0, 1, 2, 0, 1, true});
  CHECK(s.transfers[2] == ChunkTransfer{0, 2, 0, 1, 1, true});
  CHECK(s.transfers[3] == ChunkTransfer{1, 0, 1, 1, 1, true});   // rank 1 now has the sum of chunk 1
  CHECK(s.transfers[6] == ChunkTransfer{2, 0, 1, 0, 1, false});  // and rank 0 passes on chunk 0
}

TEST_CASE("Steps and bytes are those that theory gives") {
  for (int n = 2; n <= 16; ++n) {
    std::vector<int> sent(static_cast<std::size_t>(n), 0), received = sent;
    for (const ChunkTransfer& t : ring_all_reduce(n).transfers) {
      sent[static_cast<std::size_t>(t.from)] += t.count;
      received[static_cast<std::size_t>(t.to)] += t.count;
    }
    for (std::size_t rank = 0; rank < sent.size(); ++rank) {  // 2 (n-1) of n chunks, in and out
      CHECK(sent[rank] == 2 * (n - 1));
      CHECK(received[rank] == 2 * (n - 1));
    }
    const Schedule pat = pat_all_gather(n);
    int rounds = 0;
    while ((1 << rounds) < n) {
      ++rounds;
    }
    CHECK(pat.steps == rounds);                                            // ceil(log2 n)
    CHECK(pat.transfers.size() == static_cast<std::size_t>(n * (n - 1)));  // every chunk to n-1 ranks, once
  }
  CHECK(halving_doubling_all_reduce(16)->steps == 8);
  CHECK(hierarchical_all_reduce(4, 8).steps == 7 + 6 + 7);
}

TEST_CASE("Double binary trees: one root, two children at most, children in one tree only") {
  for (int n = 2; n <= 70; ++n) {
    INFO(n << " ranks");
    const DoubleTree trees = double_binary_tree(n);
    int depth = 0;
    while ((1 << (depth + 1)) <= n) {
      ++depth;
    }
    for (const BinaryTree* tree : {&trees.first, &trees.second}) {
      CHECK(std::count(tree->parent.begin(), tree->parent.end(), -1) == 1);
      CHECK(tree->depth() <= depth + 1);
    }
    for (int rank = 0; rank < n; ++rank) {
      CHECK(trees.first.children(rank) <= 2);
      CHECK(trees.second.children(rank) <= 2);
      CHECK((trees.first.children(rank) == 0 || trees.second.children(rank) == 0));
    }
  }
}

TEST_CASE("Chunks of a tensor that does not divide") {
  // 1,000,003 B over 8 ranks by a ring with Simple on 4 channels: 250,001 B a channel, 250,016 in whole 16 B;
  // an eighth of it is 31,252 -> 31,264 B a chunk, 2 slices of 15,632; one loop.
  const Communicator group = one_node(Architecture::sm90, 8);
  const CollectiveOperation odd{Collective::all_reduce, Bytes(1000003)};
  const Chunking c = chunking_of(group, odd, {Algorithm::ring, Protocol::simple, 4, 0.0});
  CHECK(c.channel_bytes == 250016);
  CHECK(c.chunk_bytes == 31264);
  CHECK(c.slices == 2);
  CHECK(c.slice_bytes == 15632);
  CHECK(c.loops == 1);
  CHECK(c.padding_bytes == 4 * 8 * 31264 - 1000003);

  // 100 MiB on one channel: chunks of 4 slots of 512 KiB = 2 MiB, 16 MiB a loop: 6 loops and 4 MiB, of which
  // each rank's chunk is 512 KiB.
  const CollectiveOperation large{Collective::all_reduce, Bytes(100 << 20)};
  const Chunking l = chunking_of(group, large, {Algorithm::ring, Protocol::simple, 1, 0.0});
  CHECK(l.chunk_bytes == 2 << 20);
  CHECK(l.loops == 7);
  CHECK(l.last_chunk_bytes == 512 << 10);
  CHECK(l.padding_bytes == 0);
}
