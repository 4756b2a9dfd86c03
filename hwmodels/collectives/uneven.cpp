#include "hwmodels/collectives/uneven.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace gpuplan::collectives {

double imbalance_of(std::span<const double> sizes) {
  const double sum = std::accumulate(sizes.begin(), sizes.end(), 0.0);
  return sum > 0.0 ? *std::max_element(sizes.begin(), sizes.end()) * static_cast<double>(sizes.size()) / sum
                   : 1.0;
}

std::vector<double> power_law(int ranks, double exponent) {
  std::vector<double> out;
  for (int i = 1; i <= ranks; ++i) {
    out.push_back(std::pow(static_cast<double>(i), -exponent));
  }
  const double scale = ranks / std::accumulate(out.begin(), out.end(), 0.0);
  for (double& size : out) {
    size *= scale;
  }
  return out;
}

CollectiveOperation even_as_busiest(const CollectiveOperation& operation, double imbalance) {
  return {operation.collective, Bytes(operation.bytes.si() * imbalance)};
}

double copies_per_token(const ExpertExchange& exchange) {
  const double n = exchange.ranks;
  return exchange.once_per_rank ? n * (1.0 - std::pow(1.0 - 1.0 / n, exchange.top_k)) : exchange.top_k;
}

Bytes expert_exchange_bytes(const ExpertExchange& exchange) {
  return Bytes(exchange.tokens * copies_per_token(exchange) * exchange.hidden * exchange.element);
}

}  // namespace gpuplan::collectives
