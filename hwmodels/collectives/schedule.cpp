#include "hwmodels/collectives/schedule.h"

#include <algorithm>
#include <cassert>

namespace gpuplan::collectives {

namespace {

int modulo(int x, int n) { return ((x % n) + n) % n; }

// Appends `part` after what is there, its steps behind the last one; every rank and chunk renamed.
template <class Rank, class Chunk>
void append(Schedule& out, const Schedule& part, int first_step, int count, Rank rank, Chunk chunk) {
  for (ChunkTransfer t : part.transfers) {
    t.step += first_step;
    t.from = rank(t.from);
    t.to = rank(t.to);
    t.chunk = chunk(t.chunk);
    t.count *= count;
    out.transfers.push_back(t);
  }
  out.steps = std::max(out.steps, first_step + part.steps);
}

void in_order(Schedule& schedule) {
  std::stable_sort(schedule.transfers.begin(), schedule.transfers.end(),
                   [](const ChunkTransfer& a, const ChunkTransfer& b) { return a.step < b.step; });
}

}  // namespace

Schedule ring_reduce_scatter(int ranks) {
  Schedule out{ranks, ranks, ranks - 1, {}};
  for (int step = 0; step < ranks - 1; ++step) {
    for (int rank = 0; rank < ranks; ++rank) {
      out.transfers.push_back({step, rank, modulo(rank + 1, ranks), modulo(rank - 1 - step, ranks), 1, true});
    }
  }
  return out;
}

Schedule ring_all_gather(int ranks) {
  Schedule out{ranks, ranks, ranks - 1, {}};
  for (int step = 0; step < ranks - 1; ++step) {
    for (int rank = 0; rank < ranks; ++rank) {
      out.transfers.push_back({step, rank, modulo(rank + 1, ranks), modulo(rank - step, ranks), 1, false});
    }
  }
  return out;
}

Schedule ring_all_reduce(int ranks) {
  Schedule out = ring_reduce_scatter(ranks);
  const auto same = [](int x) { return x; };
  append(out, ring_all_gather(ranks), out.steps, 1, same, same);
  return out;
}

std::optional<Schedule> halving_doubling_all_reduce(int ranks) {
  if (ranks < 1 || (ranks & (ranks - 1)) != 0) {
    return std::nullopt;
  }
  Schedule out{ranks, ranks, 0, {}};
  for (int distance = ranks / 2; distance >= 1; distance /= 2, ++out.steps) {
    for (int rank = 0; rank < ranks; ++rank) {
      const int partner = rank ^ distance;
      // The half of what this rank still reduces that holds the partner's chunk.
      out.transfers.push_back({out.steps, rank, partner, partner & ~(distance - 1), distance, true});
    }
  }
  for (int distance = 1; distance < ranks; distance *= 2, ++out.steps) {
    for (int rank = 0; rank < ranks; ++rank) {
      out.transfers.push_back({out.steps, rank, rank ^ distance, rank & ~(distance - 1), distance, false});
    }
  }
  return out;
}

std::vector<PatRound> pat_rounds(int ranks) {
  int farthest = 1;
  while (farthest < ranks) {
    farthest *= 2;
  }
  std::vector<PatRound> out;
  for (int distance = farthest / 2; distance >= 1; distance /= 2) {
    // Chunks of the owners 0, 2 d, 4 d ... behind, as far as they do not come round.
    out.push_back({distance, (ranks - distance + 2 * distance - 1) / (2 * distance)});
  }
  return out;
}

Schedule pat_all_gather(int ranks) {
  Schedule out{ranks, ranks, 0, {}};
  for (const auto& [distance, chunks] : pat_rounds(ranks)) {
    for (int rank = 0; rank < ranks; ++rank) {
      for (int i = 0; i < chunks; ++i) {
        const int offset = 2 * distance * i;
        out.transfers.push_back(
            {out.steps, rank, modulo(rank + distance, ranks), modulo(rank - offset, ranks), 1, false});
      }
    }
    ++out.steps;
  }
  return out;
}

Schedule pat_reduce_scatter(int ranks) {
  Schedule out = pat_all_gather(ranks);
  for (ChunkTransfer& t : out.transfers) {
    t.step = out.steps - 1 - t.step;
    std::swap(t.from, t.to);
    t.reduces = true;
  }
  in_order(out);
  return out;
}

Schedule hierarchical_all_reduce(int nodes, int gpus_per_node) {
  Schedule out{nodes * gpus_per_node, nodes * gpus_per_node, 0, {}};
  const auto inside = [&](const Schedule& part, int first_step) {
    for (int node = 0; node < nodes; ++node) {
      append(
          out, part, first_step, nodes, [&](int local) { return node * gpus_per_node + local; },
          [&](int chunk) { return chunk * nodes; });
    }
  };
  inside(ring_reduce_scatter(gpus_per_node), 0);
  const int across = out.steps;
  for (int local = 0; local < gpus_per_node; ++local) {
    append(
        out, ring_all_reduce(nodes), across, 1, [&](int node) { return node * gpus_per_node + local; },
        [&](int chunk) { return local * nodes + chunk; });
  }
  inside(ring_all_gather(gpus_per_node), out.steps);
  in_order(out);
  return out;
}

int BinaryTree::children(int rank) const {
  return static_cast<int>(std::count(parent.begin(), parent.end(), rank));
}

int BinaryTree::depth() const {
  int deepest = 0;
  for (int rank : parent) {
    int depth = 0;
    for (; rank >= 0; rank = parent[static_cast<std::size_t>(rank)]) {
      ++depth;
    }
    deepest = std::max(deepest, depth);
  }
  return deepest;
}

DoubleTree double_binary_tree(int ranks) {
  // In-order places 1..n: an odd place is a leaf, the others hang by their lowest set bit. The second tree is
  // shifted by one rank, so that who is a leaf in one may have children in the other.
  const auto tree = [&](int shift) {
    BinaryTree out;
    out.parent.resize(static_cast<std::size_t>(ranks));
    const auto rank_at = [&](int place) { return modulo(place - 1 + shift, ranks); };
    int root = 1;
    while (2 * root <= ranks) {
      root *= 2;
    }
    for (int place = 1; place <= ranks; ++place) {
      int up = place;
      do {
        const int bit = up & -up;
        up = (up ^ bit) | (2 * bit);
      } while (up > ranks && place != root);
      out.parent[static_cast<std::size_t>(rank_at(place))] = place == root ? -1 : rank_at(up);
    }
    return out;
  };
  return {tree(0), tree(1)};
}

Schedule double_tree_all_reduce(int ranks) {
  const DoubleTree trees = double_binary_tree(ranks);
  Schedule out{ranks, 2, 0, {}};
  for (int half = 0; half < 2; ++half) {
    const BinaryTree& tree = half == 0 ? trees.first : trees.second;
    const int deepest = tree.depth();
    for (int rank = 0; rank < ranks; ++rank) {
      const int parent = tree.parent[static_cast<std::size_t>(rank)];
      int depth = 0;
      for (int at = parent; at >= 0; at = tree.parent[static_cast<std::size_t>(at)]) {
        ++depth;
      }
      if (parent >= 0) {
        out.transfers.push_back({deepest - depth, rank, parent, half, 1, true});
        out.transfers.push_back({deepest + depth - 1, parent, rank, half, 1, false});
      }
    }
    out.steps = std::max(out.steps, 2 * deepest);
  }
  in_order(out);
  return out;
}

Schedule all_to_all(int ranks) {
  Schedule out{ranks, ranks * ranks, ranks - 1, {}};
  for (int step = 0; step < ranks - 1; ++step) {
    for (int rank = 0; rank < ranks; ++rank) {
      const int to = modulo(rank + 1 + step, ranks);
      out.transfers.push_back({step, rank, to, rank * ranks + to, 1, false});
    }
  }
  return out;
}

void run(const Schedule& schedule, std::vector<std::vector<double>>& buffers) {
  assert(buffers.size() == static_cast<std::size_t>(schedule.ranks));
  if (buffers.empty() || schedule.chunks == 0) {
    return;
  }
  const std::size_t chunk = buffers.front().size() / static_cast<std::size_t>(schedule.chunks);
  std::size_t first = 0;
  while (first < schedule.transfers.size()) {
    std::size_t last = first;
    std::vector<std::vector<double>> sent;  // all of a step is read before any of it is written
    while (last < schedule.transfers.size() &&
           schedule.transfers[last].step == schedule.transfers[first].step) {
      const ChunkTransfer& t = schedule.transfers[last++];
      const auto begin = buffers[static_cast<std::size_t>(t.from)].begin() +
                         static_cast<std::ptrdiff_t>(chunk * static_cast<std::size_t>(t.chunk));
      sent.emplace_back(begin,
                        begin + static_cast<std::ptrdiff_t>(chunk * static_cast<std::size_t>(t.count)));
    }
    for (std::size_t i = first; i < last; ++i) {
      const ChunkTransfer& t = schedule.transfers[i];
      double* into =
          buffers[static_cast<std::size_t>(t.to)].data() + chunk * static_cast<std::size_t>(t.chunk);
      for (std::size_t k = 0; k < sent[i - first].size(); ++k) {
        into[k] = (t.reduces ? into[k] : 0.0) + sent[i - first][k];
      }
    }
    first = last;
  }
}

}  // namespace gpuplan::collectives
