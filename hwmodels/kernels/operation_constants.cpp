#include "hwmodels/kernels/operation_constants.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <filesystem>

#include "hwmodels/kernels/standing.h"

namespace gpuplan::kernels {

namespace {

template <class Constants>
struct Entries {
  std::vector<Constants> entries;
};
template <class V, class Constants>
void describe(V& v, Entries<Constants>& s) {
  v.field("entries", s.entries, "one a GPU (and format)", json::required);
}

template <class Constants>
std::vector<Constants> read_entries(const std::string& data_dir, const char* family, const Gpu& gpu,
                                    LeaveOut leave_out) {
  const std::string path = data_dir + "/calibrate/profiles/operations/" + family + ".json";
  std::error_code error;
  Entries<Constants> file;
  if (std::filesystem::exists(path, error)) {
    std::vector<Problem> problems;
    json::read(json::parse_file(path), path + ": $", file, problems);
    if (!problems.empty()) {
      throw InputError(std::move(problems));
    }
  }
  std::erase_if(file.entries,
                [&](const Constants& c) { return left_out(leave_out, c.gpu, c.architecture, gpu); });
  return std::move(file.entries);
}

// The nearest entry for each of `keys`, which `key_of` reads off an entry; defaults where there is none at
// all.
template <class Constants, class Keys, class KeyOf>
std::vector<Constants> nearest_of_each(const std::vector<Constants>& all, const Gpu& gpu, const Keys& keys,
                                       KeyOf key_of) {
  std::vector<Constants> chosen;
  for (const auto& key : keys) {
    std::vector<Constants> candidates;
    std::copy_if(all.begin(), all.end(), std::back_inserter(candidates),
                 [&](const Constants& c) { return key_of(c) == key; });
    if (!candidates.empty()) {
      chosen.push_back(nearest_entry(candidates, gpu));
    }
  }
  return chosen.empty() ? std::vector<Constants>{Constants{}} : chosen;
}

// How much wider errors are with another GPU's constants, from pricing each GPU's measurements with those of
// the others: standard attention 8 and 13 % (own 1 and 3 %), 2:4 sparse GEMM 7 to 35 % (own 4 to 8 %). Within
// an architecture nobody measured two; between the two and the own error, assumed.
constexpr Borrowed kSameArchitecture = {1.5, 0.08};
constexpr Borrowed kOtherArchitecture = {3.0, 0.15};

}  // namespace

OperationConstants OperationConstants::for_gpu(const Gpu& gpu, const std::string& data_dir,
                                               LeaveOut leave_out) {
  const auto entries = [&]<class Constants>(Constants /*tag*/, const char* family) {
    return read_entries<Constants>(data_dir, family, gpu, leave_out);
  };
  const auto nearest = [&]<class Constants>(Constants& out, const char* family) {
    out = nearest_entry(entries(Constants{}, family), gpu);
  };
  using Version = FlashAttention::Version;
  OperationConstants c;
  nearest(c.standard_attention, "standard_attention");
  c.flash_attention = nearest_of_each(entries(FlashAttentionConstants{}, "flash_attention"), gpu,
                                      std::array{Version::fa2, Version::fa3},
                                      [](const FlashAttentionConstants& one) { return one.version; });
  c.sparse = nearest_of_each(entries(SparseConstants{}, "sparse_gemm"), gpu,
                             std::array<std::string_view, 3>{"bf16", "fp8", "int8"},
                             [](const SparseConstants& one) { return std::string_view(one.format); });
  nearest(c.int4, "int4_gemm");
  nearest(c.convolution, "convolution");
  nearest(c.copy, "copy");
  nearest(c.row_pass, "row_pass");
  nearest(c.launch, "launch");
  nearest(c.memory, "memory");
  return c;
}

void stand_on(Price& price, const Evidence& evidence, const Gpu& gpu, bool outside) {
  const bool known = !evidence.gpu.empty() && evidence.error.rows > 0;
  const bool own = known && evidence.gpu == gpu.name && same(evidence.sm_count, gpu.sm_count) &&
                   same(evidence.bandwidth_gbps * 1e9, gpu.memory_bandwidth.si());
  price.provenance = own ? Provenance::measured : known ? Provenance::physics : Provenance::assumed;
  price.relative_error = evidence.error.median;
  price.spread80 = evidence.error.q80;
  if (known && !own) {
    const bool related = gpu.architecture.starts_with(evidence.architecture);
    widen(price, related ? kSameArchitecture : kOtherArchitecture);
  }
  mark_range(price, outside);
}

void assume(Price& price, double error) {
  price.provenance = Provenance::assumed;
  price.relative_error = std::max(error, price.relative_error);
  price.spread80 = std::max(2.0 * error, price.spread80);
}

void set_limiter(Price& price, FlopsPerSecond peak, BytesPerSecond bandwidth) {
  const Seconds longest = max(max(price.compute, price.hbm), max(price.l2, price.link));
  price.limiter = price.fixed > longest      ? Limiter::latency
                  : price.compute == longest ? Limiter::compute
                  : price.hbm == longest     ? Limiter::hbm_bandwidth
                  : price.l2 == longest      ? Limiter::l2_bandwidth
                                             : Limiter::link_bandwidth;
  const Seconds at_peak = price.limiter == Limiter::compute        ? price.flops / peak
                          : price.limiter == Limiter::l2_bandwidth ? price.l2
                                                                   : price.hbm_bytes / bandwidth;
  price.fraction_of_peak = at_peak / price.time;
}

void explain_evidence(const Price& price, const Evidence& evidence, Explanation& why) {
  const std::string basis = evidence.error.rows > 0
                                ? fmt::format("median error {:.1f} % over {} rows kept back",
                                              100.0 * evidence.error.median, evidence.error.rows)
                                : std::string("nobody measured them");
  why.add(fmt::format("constants: {} ({}), {}; {}; expected here {:.0f} %{}",
                      evidence.gpu.empty() ? "no GPU" : evidence.gpu, evidence.source,
                      json::name_of(price.provenance), basis, 100.0 * price.relative_error,
                      price.outside_measured_range ? ", outside the measured range" : ""));
}

}  // namespace gpuplan::kernels
