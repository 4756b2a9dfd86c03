#include "sim/scenario/collective_workload.h"

#include <fmt/format.h>

#include <array>

#include "hwmodels/collectives/uneven.h"

namespace gpuplan::sim {

namespace {

using std::string_view;
constexpr std::array<string_view, 3> kFormats = {"bf16", "fp8", "fp8_block"};

}  // namespace

std::span<const string_view> enum_names(ExpertFormat /*tag*/) { return kFormats; }

double element_bytes(ExpertFormat format) {
  constexpr double kScale = 4.0 / 128.0;  // an fp32 for 128 elements, as DeepSeek-V3 sends
  switch (format) {
    case ExpertFormat::bf16:
      return 2.0;
    case ExpertFormat::fp8:
      return 1.0;
    case ExpertFormat::fp8_block:
      return 1.0 + kScale;
  }
  return 2.0;
}

std::vector<MoveSpec> moves_of(const CommunicationSpec& spec, int ranks) {
  std::vector<MoveSpec> out = spec.moves;
  if (spec.experts) {
    const ExpertMoveSpec& e = *spec.experts;
    for (const ExpertFormat format : {e.dispatch, e.combine}) {
      const Bytes bytes = collectives::expert_exchange_bytes({.tokens = e.tokens,
                                                              .hidden = e.hidden,
                                                              .top_k = e.top_k,
                                                              .element = element_bytes(format),
                                                              .ranks = ranks,
                                                              .once_per_rank = e.once_per_rank});
      out.push_back({collectives::Collective::all_to_all, bytes.si(), e.layers});
    }
  }
  return out;
}

Seconds compute_time(const CommunicationSpec& spec, const Gpu& gpu) {
  if (!spec.compute) {
    return Seconds(0.0);
  }
  const ComputeSpec& c = *spec.compute;
  if (c.time.si() > 0.0) {
    return c.time;
  }
  const auto peak = gpu.peak(Precision::bf16);
  return peak ? Seconds(6.0 * c.parameters * c.tokens / (peak->si() * c.mfu)) : Seconds(0.0);
}

double imbalance_of(const UnevenSpec& spec, int ranks) {
  return spec.imbalance   ? *spec.imbalance
         : spec.power_law ? collectives::imbalance_of(collectives::power_law(ranks, *spec.power_law))
                          : collectives::imbalance_of(spec.peers);
}

void check(const std::vector<CommunicationSpec>& workloads, const std::optional<UnevenSpec>& uneven,
           const Gpu& gpu, int ranks, const std::string& at, std::vector<Problem>& problems) {
  for (std::size_t i = 0; i < workloads.size(); ++i) {
    const CommunicationSpec& spec = workloads[i];
    const std::string path = fmt::format("{}.workloads[{}]", at, i);
    if (spec.moves.empty() && !spec.experts) {
      problems.push_back({path + ".moves", "none", "collectives in moves, or experts", ""});
    }
    if (spec.compute && compute_time(spec, gpu).si() <= 0.0) {
      problems.push_back({path + ".compute", "no time",
                          gpu.peak(Precision::bf16)
                              ? "parameters and tokens, or time"
                              : "time, for the catalogue has no bf16 peak of " + gpu.name,
                          ""});
    }
  }
  if (!uneven) {
    return;
  }
  const int given =
      (uneven->imbalance ? 1 : 0) + (uneven->power_law ? 1 : 0) + (uneven->peers.empty() ? 0 : 1);
  if (given != 1) {
    problems.push_back(
        {at + ".uneven", fmt::format("{} of them", given), "one of imbalance, power_law and peers", ""});
  } else if (!uneven->peers.empty() && static_cast<int>(uneven->peers.size()) != ranks) {
    problems.push_back({at + ".uneven.peers", fmt::format("{} sizes", uneven->peers.size()),
                        fmt::format("one for each of the {} ranks", ranks), ""});
  } else if (!uneven->peers.empty() && collectives::imbalance_of(uneven->peers) <= 0.0) {
    problems.push_back({at + ".uneven.peers", "no part above 0", "a part that is sent", ""});
  }
}

}  // namespace gpuplan::sim
