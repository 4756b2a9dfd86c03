#include "calibrate/fit/collective_fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <tuple>

#include "calibrate/fit/minimise.h"

namespace gpuplan::calibrate {

namespace {

using namespace collectives;
using Rows = std::vector<const MeasuredCollective*>;

// What has to occur among the rows for a constant to be fitted; else it keeps what it starts from.
enum class Needs { anything, ll, ll128, simple, reduction, nvls, peers, several_peers };

template <class Constants>
struct Fitted {
  double Constants::*member;
  double min, max;
  bool logarithmic;
  Needs needs = Needs::anything;
};

// Bounds keep to what NCCL's own constants say of the order of things: NVLS starts at least 10 us later than
// LL, a step of LL128 is no shorter than half of LL's.
using T = TimingConstants;
constexpr Fitted<T> kTiming[] = {
    {&T::floor, 1.0, 20.0, true},
    {&T::ll_step, 0.1, 4.0, true, Needs::ll},
    {&T::ll_more, 0.0, 2.0, false, Needs::ll},
    {&T::ll_more_bytes, 500.0, 40e3, true, Needs::ll},
    {&T::ll_share, 0.05, 2.0, true, Needs::ll},
    {&T::ll_overlap, 1.0, 6.0, false, Needs::ll},
    {&T::ll128_start, 0.0, 15.0, false, Needs::ll128},
    {&T::ll128_step, 0.4, 3.0, true, Needs::ll128},
    {&T::ll128_share, 0.2, 2.0, true, Needs::ll128},
    {&T::simple_start, 0.0, 40.0, false, Needs::simple},
    {&T::simple_step, 0.1, 10.0, true, Needs::simple},
    {&T::simple_share, 0.3, 1.5, true, Needs::simple},
    {&T::own, 0.0, 1.5, false, Needs::simple},
    {&T::reduce, -0.5, 0.5, false, Needs::reduction},
    {&T::slice, 0.0, 20.0, false, Needs::simple},
    {&T::slice_bytes, 2e4, 4e6, true, Needs::simple},
    {&T::nvls_start, 10.0, 60.0, false, Needs::nvls},
    {&T::nvls_share, 0.3, 1.5, true, Needs::nvls},
    {&T::nvls_slice, 0.0, 300.0, false, Needs::nvls},
    {&T::nvls_slice_bytes, 1e4, 1e8, true, Needs::nvls},
    {&T::p2p_peer, 0.0, 2.0, false, Needs::several_peers},
    {&T::p2p_ll_start, 0.0, 10.0, false, Needs::peers},
    {&T::p2p_ll_share, 0.002, 1.0, true, Needs::peers},
    {&T::p2p_start, 0.0, 30.0, false, Needs::peers},
    {&T::p2p_share, 0.3, 1.5, true, Needs::peers},
    {&T::p2p_own, 0.0, 1.5, false, Needs::peers},
    {&T::p2p_slice, 0.0, 50.0, false, Needs::peers},
    {&T::p2p_slice_bytes, 1e4, 2e7, true, Needs::peers},
};

using C = CustomConstants;
constexpr Fitted<C> kCustom[] = {
    {&C::one_start, 0.5, 20.0, true}, {&C::one_peer, 0.0, 2.0, false}, {&C::one_share, 0.02, 2.0, true},
    {&C::two_start, 0.5, 40.0, true}, {&C::two_peer, 0.0, 4.0, false}, {&C::two_share, 0.1, 1.5, true},
};

using N = NetworkConstants;
constexpr Fitted<N> kNetwork[] = {
    {&N::share, 0.1, 1.0, true},
    {&N::slice, 0.0, 3000.0, false},
    {&N::slice_bytes, 1e4, 1e8, true},
    {&N::step, 1.0, 200.0, true},
};

// Rows of one size run up to 26 % longer than the fastest where the switch cannot add their elements (8-bit
// integers); tables do not tell which. Above this, rows for which NVLS is chosen take no part in the fit;
// errors count them.
constexpr double kNotInSwitch = 1.12;
// Rows that must need a constant for it to be fitted.
constexpr std::size_t kLeastRows = 6;
// Where searches start: NICs well used, and NICs of which most are idle.
constexpr double kSharesToStart[] = {0.85, 0.15};
// Messages whose time is mostly latency, between nodes.
constexpr double kSmallBytes = 65536.0;
// An 80 % interval should cover 75 to 90 % of what comes.
constexpr double kSpreadQuantile = 0.83;

double robust(double predicted, double measured) {
  const double e = std::log(predicted / measured);
  return std::sqrt(e * e + 4e-4) - 0.02;
}

// Four significant digits: more is not known, and profiles stay readable.
double digits(double x) { return std::stod(fmt::format("{:.4g}", x)); }

HeldOutError error_of(const std::vector<double>& ratios) {  // predicted over measured
  HeldOutError out;
  if (ratios.empty()) {
    return out;
  }
  std::vector<double> absolute, bias, factors;
  for (const double ratio : ratios) {
    bias.push_back(ratio - 1.0);
    absolute.push_back(std::abs(ratio - 1.0));
    factors.push_back(std::max(ratio, 1.0 / ratio) - 1.0);
  }
  for (auto* values : {&bias, &absolute, &factors}) {
    std::sort(values->begin(), values->end());
  }
  out.median = digits(quantile(absolute, 0.5));
  out.p90 = digits(quantile(absolute, 0.9));
  out.bias = digits(quantile(bias, 0.5));
  out.q80 = digits(quantile(factors, kSpreadQuantile));
  out.rows = static_cast<std::int64_t>(ratios.size());
  return out;
}

// Best `Constants` for `predict(constants, row)` over the rows, starting from `initial`.
template <class Constants, class Predict>
std::pair<Constants, double> best_of(Constants initial, std::span<const Fitted<Constants>> fields,
                                     const Rows& rows, int evaluations, Predict predict) {
  std::vector<Parameter> parameters;
  for (const auto& field : fields) {
    parameters.push_back(
        {std::clamp(initial.*field.member, field.min, field.max), field.min, field.max, field.logarithmic});
  }
  const auto with = [&](const std::vector<double>& x) {
    Constants c = initial;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      c.*fields[i].member = x[i];
    }
    return c;
  };
  const auto loss = [&](const std::vector<double>& x) {
    const Constants c = with(x);
    double sum = 0.0;
    for (const MeasuredCollective* row : rows) {
      sum += robust(predict(c, *row), row->seconds * 1e6);
    }
    return sum / static_cast<double>(std::max<std::size_t>(1, rows.size()));
  };
  std::vector<double> x = minimise(parameters, loss, evaluations);
  for (double& value : x) {
    value = digits(value);
  }
  return {with(x), loss(x)};
}

// Rows of one version with the choices that NCCL makes for them.
class VersionRows {
 public:
  VersionRows(const Rows& rows, bool ll128) {
    std::map<std::tuple<std::string, Collective, int, double>, double> fastest;
    const auto key = [](const MeasuredCollective& row) {
      return std::tuple(row.gpu, row.operation.collective, row.group.ranks, row.operation.bytes.si());
    };
    for (const MeasuredCollective* row : rows) {
      Communicator group = row->group;
      group.ll128 = ll128;
      choices_[row] = choose(group, row->operation);
      const auto [at, fresh] = fastest.emplace(key(*row), row->seconds);
      at->second = std::min(at->second, row->seconds);
    }
    for (const MeasuredCollective* row : rows) {
      const bool slow = choices_.at(row).algorithm == Algorithm::nvls &&
                        row->seconds > kNotInSwitch * fastest.at(key(*row));
      if (held_out(*row)) {
        held_.push_back(row);
      } else if (!slow) {
        train_.push_back(row);
      }
    }
  }

  [[nodiscard]] double predicted(const TimingConstants& c, const MeasuredCollective& row) const {
    return time_of(c, {}, row.group, row.operation, choices_.at(&row)).total();
  }

  [[nodiscard]] std::vector<Fitted<T>> fields() const {
    std::vector<Fitted<T>> out;
    for (const Fitted<T>& field : kTiming) {
      const auto needing = std::count_if(train_.begin(), train_.end(), [&](const MeasuredCollective* row) {
        return needs(field.needs, *row);
      });
      if (static_cast<std::size_t>(needing) >= kLeastRows) {
        out.push_back(field);
      }
    }
    return out;
  }

  [[nodiscard]] const Rows& train() const { return train_; }
  [[nodiscard]] const Rows& held() const { return held_; }

 private:
  [[nodiscard]] bool needs(Needs what, const MeasuredCollective& row) const {
    const Choice& choice = choices_.at(&row);
    const bool peers = choice.algorithm == Algorithm::point_to_point,
               in_switch = choice.algorithm == Algorithm::nvls;
    const bool ring = !peers && !in_switch;
    switch (what) {
      case Needs::anything:
        return true;
      case Needs::ll:
        return ring && choice.protocol == Protocol::ll;
      case Needs::ll128:
        return ring && choice.protocol == Protocol::ll128;
      case Needs::simple:
        return ring && choice.protocol == Protocol::simple;
      case Needs::reduction:
        return ring && choice.protocol == Protocol::simple &&
               row.operation.collective != Collective::all_gather;
      case Needs::nvls:
        return in_switch;
      case Needs::peers:
        return peers;
      case Needs::several_peers:
        return peers && row.group.ranks > 2;
    }
    return true;
  }

  std::map<const MeasuredCollective*, Choice> choices_;
  Rows train_, held_;
};

VersionConstants fit_version(const std::string& version, const Rows& rows, const TimingConstants& initial,
                             int evaluations) {
  VersionConstants out;
  out.version = version;
  double least = 1e300;
  for (const bool ll128 : {true, false}) {
    const VersionRows chosen(rows, ll128);
    const std::vector<Fitted<T>> fields = chosen.fields();
    const auto predict = [&](const T& c, const MeasuredCollective& row) { return chosen.predicted(c, row); };
    const auto [found, loss] = best_of<T>(initial, fields, chosen.train(), evaluations, predict);
    if (loss < least) {
      least = loss;
      out.ll128 = ll128;
      out.time = found;
      std::vector<double> ratios;
      for (const MeasuredCollective* row : chosen.held()) {
        ratios.push_back(chosen.predicted(found, *row) / (row->seconds * 1e6));
      }
      out.error = error_of(ratios);
    }
  }
  return out;
}

// "2.9" before "2.27.3".
std::vector<int> numbers_of(const std::string& version) {
  std::vector<int> out(1, 0);
  for (const char c : version) {
    if (c == '.') {
      out.push_back(0);
    } else if (c >= '0' && c <= '9') {
      out.back() = out.back() * 10 + (c - '0');
    }
  }
  return out;
}

// An engine's kernels hand over to NCCL where that is faster; NCCL's part is priced with the newest version.
double custom_time(const C& c, const VersionConstants& nccl, const MeasuredCollective& row) {
  Communicator group = row.group;
  group.ll128 = nccl.ll128;
  double best = time_of(nccl.time, {}, group, row.operation, choose(group, row.operation)).total();
  for (const Algorithm algorithm : {Algorithm::one_shot, Algorithm::two_shot}) {
    best = std::min(best, time_of(c, group, row.operation.bytes, algorithm).total());
  }
  return best;
}

// Runs of one machine; what stands in brackets tells runs apart.
std::string series_of(const MeasuredCollective& row) {
  return row.gpu + row.setup.substr(0, row.setup.find(" ("));
}

void report(const CollectiveFitOptions& options, const std::string& name, const HeldOutError& e) {
  if (options.progress) {
    options.progress(fmt::format("{}: {} rows held out, median {:.1f} %, p90 {:.1f} %, bias {:+.1f} %", name,
                                 e.rows, 100.0 * e.median, 100.0 * e.p90, 100.0 * e.bias));
  }
}

}  // namespace

bool held_out(const MeasuredCollective& row) {
  std::uint64_t x = 0xcbf29ce484222325ull;  // FNV-1a, then a mix
  for (const char c :
       fmt::format("{}/{}/{}/{}/{:.0f}", row.gpu, row.setup, json::name_of(row.operation.collective),
                   row.group.ranks, row.operation.bytes.si())) {
    x = (x ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  }
  x ^= x >> 31;
  x *= 0x9e3779b97f4a7c15ull;
  x ^= x >> 29;
  return x % 4 == 0;
}

ArchitectureProfile fit_architecture(Architecture architecture, std::span<const MeasuredCollective> rows,
                                     const CollectiveFitOptions& options) {
  std::map<std::vector<int>, std::pair<std::string, Rows>> versions;
  Rows custom;
  for (const MeasuredCollective& row : rows) {
    if (row.group.architecture != architecture) {
      continue;
    }
    if (row.options.custom_kernel) {
      custom.push_back(&row);
    } else {
      auto& version = versions[numbers_of(row.group.version)];
      version.first = row.group.version;
      version.second.push_back(&row);
    }
  }
  ArchitectureProfile out;
  out.architecture = architecture;
  out.source = options.source;
  const std::string name(json::name_of(architecture));
  // The version with the most rows first: the others start from it, and keep what none of their rows shows.
  const auto most = std::max_element(versions.begin(), versions.end(), [](const auto& a, const auto& b) {
    return a.second.second.size() < b.second.second.size();
  });
  TimingConstants initial;
  if (most != versions.end()) {
    initial = fit_version(most->second.first, most->second.second, initial, options.evaluations).time;
  }
  for (const auto& [number, version] : versions) {
    out.versions.push_back(fit_version(version.first, version.second, initial, options.evaluations));
    report(options, name + " NCCL " + version.first, out.versions.back().error);
  }
  if (!custom.empty() && !out.versions.empty()) {
    Rows train;
    std::copy_if(custom.begin(), custom.end(), std::back_inserter(train),
                 [](const MeasuredCollective* row) { return !held_out(*row); });
    const VersionConstants& nccl = out.versions.back();
    const auto predict = [&](const C& c, const MeasuredCollective& row) { return custom_time(c, nccl, row); };
    out.custom = best_of<C>({}, kCustom, train, options.evaluations / 4, predict).first;
    std::vector<double> ratios;
    for (const MeasuredCollective* row : custom) {
      if (held_out(*row)) {
        ratios.push_back(predict(out.custom, *row) / (row->seconds * 1e6));
      }
    }
    out.custom_error = error_of(ratios);
    report(options, name + " custom", out.custom_error);
  }
  return out;
}

NetworkProfile fit_networks(const Profiles& profiles, std::span<const MeasuredCollective> rows,
                            const CollectiveFitOptions& options) {
  std::map<NetworkKind, Rows> fabrics;
  for (const MeasuredCollective& row : rows) {
    if (row.group.nodes > 1) {
      fabrics[row.group.fabric].push_back(&row);
    }
  }
  NetworkProfile out;
  out.source = options.source;
  for (const auto& group : fabrics) {
    const NetworkKind fabric = group.first;
    const Rows& all = group.second;
    const auto predict = [&](const N& c, const MeasuredCollective& row) {
      const VersionConstants& constants = profiles.version(row.group.architecture, row.group.version);
      Communicator ranks = row.group;
      ranks.ll128 = constants.ll128;
      Choice choice = choose(ranks, row.operation);
      if (row.options.algorithm) {
        choice.algorithm = *row.options.algorithm;
      }
      return time_of(constants.time, c, ranks, row.operation, choice).total();
    };
    MeasuredNetwork network;
    network.time.fabric = fabric;
    const N initial = network.time;
    const auto fitted_to = [&](const Rows& chosen) {
      // Latency shows in small messages, the ramp in many sizes; what rows do not show is not fitted.
      const auto small = std::count_if(chosen.begin(), chosen.end(), [](const MeasuredCollective* row) {
        return row->operation.bytes.si() <= kSmallBytes;
      });
      const std::span<const Fitted<N>> fields(kNetwork);
      const auto shown = chosen.size() < kLeastRows                     ? fields.first(1)
                         : static_cast<std::size_t>(small) < kLeastRows ? fields.first(3)
                                                                        : fields;
      std::optional<std::pair<N, double>> best;
      for (const double share : kSharesToStart) {
        N start = initial;
        start.share = share;
        const auto found = best_of<N>(start, shown, chosen, options.evaluations / 20, predict);
        if (!best || found.second < best->second) {
          best = found;
        }
      }
      return best->first;
    };
    network.time = fitted_to(all);
    std::set<std::string> series;
    for (const MeasuredCollective* row : all) {
      series.insert(series_of(*row));
    }
    std::vector<double> ratios;
    const auto judge = [&](auto left_out) {
      Rows train, test;
      for (const MeasuredCollective* row : all) {
        (left_out(*row) ? test : train).push_back(row);
      }
      const N found = fitted_to(train);
      for (const MeasuredCollective* row : test) {
        ratios.push_back(predict(found, *row) / (row->seconds * 1e6));
      }
    };
    if (series.size() > 1) {
      for (const std::string& one : series) {
        judge([&](const MeasuredCollective& row) { return series_of(row) == one; });
      }
    } else {
      for (const MeasuredCollective* one : all) {
        judge([&](const MeasuredCollective& row) { return &row == one; });
      }
    }
    network.error = error_of(ratios);
    report(options, "network " + std::string(json::name_of(fabric)), network.error);
    out.networks.push_back(network);
  }
  return out;
}

}  // namespace gpuplan::calibrate
