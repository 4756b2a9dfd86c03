// The host issues kernel i at i t_issue, the GPU runs it when it is issued and the one before is done:
//
//   start_i = max(end_{i-1}, (i + 1) t_issue),  T = end_last  (stream, framework);  T = t_graph + sum (graph)
//
// so a stream of kernels shorter than t_issue takes n t_issue, and of longer ones one t_issue more than their
// sum: launch is exposed where the queue runs dry. t_issue is the profile's launch_stream (2.43 us on H200,
// measured with empty kernels); eager PyTorch took 30 and 41 us an operator (launch.json). A graph's own
// launch is assumed.
#include "hwmodels/kernels/launch_sequence.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace gpuplan::kernels {

namespace {
constexpr std::array<std::string_view, 3> kIssueNames = {"stream", "framework", "graph"};

// The launch times of the profile are its GPU's; what a framework or a graph adds is assumed.
Provenance standing_of(const KernelModel& model, Issue issue) {
  const KernelProfile& profile = model.profile();
  if (issue != Issue::stream || profile.gpu.empty() || profile.launch_source.starts_with("assumed")) {
    return Provenance::assumed;
  }
  return profile.gpu == model.gpu().name ? Provenance::measured : Provenance::physics;
}

// Where a sum stands: as its least known part does that is a tenth of it or more.
Provenance least_known(const std::array<Seconds, 4>& time) {
  const Seconds whole = time[0] + time[1] + time[2] + time[3];
  for (const Provenance doubtful : {Provenance::assumed, Provenance::datasheet, Provenance::physics}) {
    if (time[static_cast<std::size_t>(doubtful)] * 10.0 >= whole && whole.si() > 0.0) {
      return doubtful;
    }
  }
  return Provenance::measured;
}

}  // namespace

std::span<const std::string_view> enum_names(Issue /*tag*/) { return kIssueNames; }

Price price_sequence(const KernelModel& model, std::span<const Price> kernels, Issue issue,
                     Explanation* why) {
  const LaunchConstants& c = model.operations().launch;
  const Seconds per_kernel = issue == Issue::graph    ? Seconds(0.0)
                             : issue == Issue::stream ? model.launch(false)
                                                      : Seconds(c.framework_issue * 1e-6);
  const Seconds start = issue == Issue::graph ? Seconds(c.graph_launch * 1e-6) : Seconds(0.0);
  Price total;
  std::array<Seconds, 4> known{};  // time by provenance
  std::array<Seconds, kLimiters> limited{};
  Seconds issued = start, end = start, busy, error, spread;
  for (const Price& kernel : kernels) {
    issued += per_kernel;
    end = max(end, issued) + kernel.time;
    busy += kernel.time;
    total.compute += kernel.compute;
    total.hbm += kernel.hbm;
    total.l2 += kernel.l2;
    total.link += kernel.link;
    total.flops += kernel.flops;
    total.hbm_bytes += kernel.hbm_bytes;
    total.link_bytes += kernel.link_bytes;
    known[static_cast<std::size_t>(kernel.provenance)] += kernel.time;
    limited[static_cast<std::size_t>(kernel.limiter)] += kernel.time;
    total.outside_measured_range = total.outside_measured_range || kernel.outside_measured_range;
    error += kernel.time * kernel.relative_error;
    spread += kernel.time * kernel.spread80;
  }
  total.time = end;
  total.fixed = end - busy;
  known[static_cast<std::size_t>(standing_of(model, issue))] += total.fixed;
  if (end.si() > 0.0) {
    const double launch_error = issue == Issue::stream ? 0.1 : 0.5;  // of the exposed part: assumed
    total.relative_error = (error + total.fixed * launch_error) / end;
    total.spread80 = (spread + total.fixed * (2.0 * launch_error)) / end;
  }
  // What limits most of the kernels' time, unless launching them takes longer.
  const auto most = std::max_element(limited.begin(), limited.end());
  total.limiter = total.fixed * 2.0 > end ? Limiter::launch : static_cast<Limiter>(most - limited.begin());
  total.provenance = least_known(known);
  if (end.si() > 0.0) {
    const FlopsPerSecond peak = model.gpu().peak(Precision::bf16).value_or(model.gpu().vector_fp32_peak);
    total.fraction_of_peak = total.limiter == Limiter::compute && peak.si() > 0.0
                                 ? total.flops / peak / end
                                 : total.hbm_bytes / model.gpu().memory_bandwidth / end;
  }
  if (why != nullptr) {
    why->add(fmt::format("{} kernels, {:.2f} us of work, issued by {} ({:.2f} us each, {:.2f} us once)",
                         kernels.size(), busy.si() * 1e6, json::name_of(issue), per_kernel.si() * 1e6,
                         start.si() * 1e6));
    why->add(fmt::format("T = {:.2f} us, of which {:.2f} us ({:.0f} %) exposed launch", end.si() * 1e6,
                         total.fixed.si() * 1e6, end.si() > 0.0 ? 100.0 * (total.fixed / end) : 0.0));
  }
  return total;
}

}  // namespace gpuplan::kernels
