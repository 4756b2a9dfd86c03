#include "sim/report/kernel_table.h"

#include <algorithm>

#include "hwmodels/json/describe.h"

namespace gpuplan::sim {

namespace {

template <std::size_t N>
std::size_t largest(const std::array<double, N>& parts) {
  return static_cast<std::size_t>(std::max_element(parts.begin(), parts.end()) - parts.begin());
}

// {"compute": 0.7, ...}: the parts above zero as shares of `whole`.
template <class Enum, std::size_t N>
json::Value shares(const std::array<double, N>& parts, double whole) {
  json::Value out{json::Object{}};
  for (std::size_t i = 0; i < N; ++i) {
    if (parts[i] > 0.0) {
      out[json::name_of(static_cast<Enum>(i))] = parts[i] / whole;
    }
  }
  return out;
}

json::Value or_null(const std::optional<double>& value) {
  return value ? json::Value(*value) : json::Value();
}

}  // namespace

KernelUse& KernelUse::operator+=(const KernelUse& other) {
  calls += other.calls;
  seconds += other.seconds;
  flops += other.flops;
  hbm_bytes += other.hbm_bytes;
  link_bytes += other.link_bytes;
  peak_flops_seconds += other.peak_flops_seconds;
  l2_seconds += other.l2_seconds;
  occupancy_seconds += other.occupancy_seconds;
  occupancy_known += other.occupancy_known;
  for (std::size_t i = 0; i < limited.size(); ++i) {
    limited[i] += other.limited[i];
  }
  for (std::size_t i = 0; i < provenance.size(); ++i) {
    provenance[i] += other.provenance[i];
  }
  error_seconds += other.error_seconds;
  return *this;
}

double KernelUse::hbm_share(BytesPerSecond hbm_bandwidth) const {
  return hbm_bandwidth.si() > 0.0 ? share(hbm_bytes / hbm_bandwidth.si()) : 0.0;
}

std::optional<double> KernelUse::l2_share() const {
  return l2_seconds > 0.0 ? std::optional(share(l2_seconds)) : std::nullopt;
}

std::optional<double> KernelUse::occupancy() const {
  return occupancy_known > 0.0 ? std::optional(occupancy_seconds / occupancy_known) : std::nullopt;
}

kernels::Limiter KernelUse::limiter() const { return static_cast<kernels::Limiter>(largest(limited)); }

kernels::Provenance KernelUse::known_from() const {
  return static_cast<kernels::Provenance>(largest(provenance));
}

void KernelTable::add(std::string_view name, const kernels::Price& price, double peak_flops,
                      std::optional<double> occupancy, double calls) {
  auto found = kernels_.find(name);
  if (found == kernels_.end()) {
    found = kernels_.emplace(name, KernelUse{}).first;
    found->second.name = name;
  }
  const double seconds = price.time.si() * calls;
  KernelUse use;
  use.calls = calls;
  use.seconds = seconds;
  use.flops = price.flops.si() * calls;
  use.hbm_bytes = price.hbm_bytes.si() * calls;
  use.link_bytes = price.link_bytes.si() * calls;
  use.peak_flops_seconds = peak_flops > 0.0 ? use.flops / peak_flops : 0.0;
  use.l2_seconds = price.l2.si() * calls;
  use.occupancy_seconds = occupancy.value_or(0.0) * seconds;
  use.occupancy_known = occupancy ? seconds : 0.0;
  use.limited[static_cast<std::size_t>(price.limiter)] = seconds;
  use.provenance[static_cast<std::size_t>(price.provenance)] = seconds;
  use.error_seconds = price.relative_error * seconds;
  found->second += use;
}

std::vector<KernelUse> KernelTable::by_time() const {
  std::vector<KernelUse> out;
  out.reserve(kernels_.size());
  for (const auto& [name, use] : kernels_) {
    out.push_back(use);
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const KernelUse& a, const KernelUse& b) { return a.seconds > b.seconds; });
  return out;
}

double KernelTable::seconds() const { return total().seconds; }

KernelUse KernelTable::total() const {
  KernelUse sum;
  sum.name = "total";
  for (const auto& [name, use] : kernels_) {
    sum += use;
  }
  return sum;
}

json::Value to_json(const KernelTable& table, BytesPerSecond hbm_bandwidth) {
  const double total = table.seconds();
  json::Array out;
  for (const KernelUse& use : table.by_time()) {
    json::Value entry;
    entry["name"] = use.name;
    entry["calls"] = use.calls;
    entry["seconds"] = use.seconds;
    entry["share"] = total > 0.0 ? use.seconds / total : 0.0;
    entry["flops"] = use.flops;
    entry["hbm_bytes"] = use.hbm_bytes;
    entry["link_bytes"] = use.link_bytes;
    entry["sm_share_of_peak"] = use.compute_share();
    entry["hbm_share_of_peak"] = use.hbm_share(hbm_bandwidth);
    entry["l2_share_of_peak"] = or_null(use.l2_share());
    entry["occupancy"] = or_null(use.occupancy());
    entry["limiter"] = json::name_of(use.limiter());
    entry["limited_share"] = shares<kernels::Limiter>(use.limited, std::max(use.seconds, 1e-300));
    entry["provenance_share"] = shares<kernels::Provenance>(use.provenance, std::max(use.seconds, 1e-300));
    entry["relative_error"] = use.seconds > 0.0 ? use.error_seconds / use.seconds : 0.0;
    out.push_back(std::move(entry));
  }
  return json::Value(std::move(out));
}

}  // namespace gpuplan::sim
