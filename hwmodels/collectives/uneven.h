// All-to-all whose parts differ in size (all-to-all-v), and what mixture-of-experts models exchange.
//
// Every rank sends the same mix of sizes, so the rank that the largest part goes to receives that part from
// all: it decides. The exchange takes as long as an even one whose every part is the largest; the bandwidth
// that nccl-tests would state counts the mean.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "hwmodels/collectives/communicator.h"

namespace gpuplan::collectives {

// Largest over mean of positive sizes, 1 where they are even; 1 for none.
double imbalance_of(std::span<const double> sizes);

// Relative sizes 1, 2^-a, 3^-a, ... of `ranks` parts, which add up to `ranks`: popularity of experts by a
// power law of exponent a (0: even).
std::vector<double> power_law(int ranks, double exponent);

// The even all-to-all that takes as long as one of `operation` whose largest part is `imbalance` means.
CollectiveOperation even_as_busiest(const CollectiveOperation& operation, double imbalance);

// One expert-parallel layer: each token goes to the ranks of `top_k` experts and back.
struct ExpertExchange {
  double tokens = 1.0;   // of a rank
  double hidden = 0.0;   // elements of a token
  double top_k = 1.0;    // experts of a token
  double element = 2.0;  // bytes; with scales where a format has some: 1 + 4/128 for fp8 in blocks of 128
  int ranks = 8;         // that share the experts
  bool once_per_rank = false;  // a token whose experts share a rank travels there once
};

// Copies of a token that are sent, its own rank's included: top_k, or the distinct ranks that top_k experts
// drawn evenly lie on, n (1 - (1 - 1/n)^k).
double copies_per_token(const ExpertExchange& exchange);

// Bytes of a rank's buffer, as nccl-tests counts an all-to-all: tokens x copies x hidden x bytes. Dispatch
// and combine differ in `element` alone.
Bytes expert_exchange_bytes(const ExpertExchange& exchange);

}  // namespace gpuplan::collectives
