#include "calibrate/fit/fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <tuple>

#include "calibrate/fit/parameters.h"

namespace gpuplan::calibrate {

namespace {

using kernels::AllReduce;
using kernels::AllReduceConstants;
using kernels::AttentionDecode;
using kernels::DecodeConstants;
using kernels::ExpertConstants;
using kernels::FamilyError;
using kernels::GemmConstants;
using kernels::KernelModel;
using kernels::KernelProfile;
using kernels::PrefillConstants;

// Shares of datasheet bandwidth: no read stream above the first has been measured on any of the GPUs.
constexpr double kImpossibleBandwidth = 0.96;

// An 80 % interval should cover 75 to 90 % of what comes: the middle, for new shapes are harder than these
// rows.
constexpr double kSpreadQuantile = 0.825;

using Rows = std::vector<const MeasuredKernel*>;

// About |log error|, smooth below 4 % so that ties between small errors do not stall the search.
double robust(double predicted, double measured) {
  const double e = std::log(predicted / measured);
  return std::sqrt(e * e + 0.04 * 0.04) - 0.04;
}

double mean_loss(const KernelModel& model, const Rows& rows) {
  double loss = 0.0, weight = 0.0;
  for (const MeasuredKernel* row : rows) {
    const double w = weight_of(*row);
    loss += w * robust(price(model, *row).time.si(), row->seconds);
    weight += w;
  }
  return weight > 0.0 ? loss / weight : 0.0;
}

// The parts of a GPU that prices depend on: cheap to copy, once per evaluation.
Gpu slim(Gpu gpu) {
  gpu.raw = {};
  gpu.sources.clear();
  gpu.aliases.clear();
  return gpu;
}

kernels::FittedDatasheet datasheet_of(const Gpu& gpu) {
  return {gpu.architecture.substr(0, gpu.architecture.find(' ')),
          gpu.sm_count,
          gpu.boost_clock.si(),
          gpu.peak(Precision::bf16).value_or(FlopsPerSecond(0.0)).si(),
          gpu.memory_bandwidth.si(),
          gpu.l2.si(),
          gpu.scale_up_bandwidth.si(),
          gpu.tdp.si()};
}

// Index of the entry with `matches`, appended (a copy of the first with `name` applied) where there is none.
template <class T, class Matches, class Name>
std::size_t entry(std::vector<T>& entries, Matches matches, Name name) {
  const auto found = std::find_if(entries.begin(), entries.end(), matches);
  if (found != entries.end()) {
    return static_cast<std::size_t>(found - entries.begin());
  }
  T fresh = entries.empty() ? T{} : entries.front();
  name(fresh);
  entries.push_back(fresh);
  return entries.size() - 1;
}

std::string gemm_format(const std::string& dtype) {
  static const std::map<std::string, std::string> kNames = {{"bfloat16", "bf16"},
                                                            {"float16", "bf16"},
                                                            {"sq", "int8"},
                                                            {"int8_wo", "int8_weight_only"},
                                                            {"int4_wo", "int4_weight_only"},
                                                            {"w4a16_mxfp4", "int4_weight_only"}};
  const auto found = kNames.find(dtype);
  return found == kNames.end() ? dtype : found->second;
}

// "bf16", "fp8", "bf16/fp8": as the model names formats of attention.
std::string attention_format(const std::string& dtype) {
  return dtype == "bfloat16/fp8" || dtype == "float16/fp8" ? "bf16/fp8" : dtype == "fp8" ? "fp8" : "bf16";
}

template <class KeyOf>
auto grouped(const Rows& rows, KeyOf key_of) {
  std::map<decltype(key_of(*rows.front())), Rows> out;
  for (const MeasuredKernel* row : rows) {
    out[key_of(*row)].push_back(row);
  }
  return out;
}

// The three lines by their start, so that their names mean what they say.
void in_order(AllReduceConstants& c) {
  std::array<std::pair<double, double>, 3> lines = {
      {{c.small_alpha, c.small_share}, {c.middle_alpha, c.middle_share}, {c.large_alpha, c.large_share}}};
  std::sort(lines.begin(), lines.end());
  std::tie(c.small_alpha, c.small_share) = lines[0];
  std::tie(c.middle_alpha, c.middle_share) = lines[1];
  std::tie(c.large_alpha, c.large_share) = lines[2];
}

// Fits one GPU's profile family by family.
class Fitter {
 public:
  Fitter(const Gpu& gpu, KernelProfile profile, const FitOptions& options)
      : gpu_(slim(gpu)), profile_(std::move(profile)), options_(options) {
    profile_.gpu = gpu_.name;
    profile_.datasheet = datasheet_of(gpu_);
    profile_.source = options_.source;
  }

  void gemm(const Rows& all) {
    for (const auto& group : grouped(all, [](const MeasuredKernel& r) { return gemm_format(r.dtype); })) {
      const std::string& format = group.first;
      const std::size_t i = entry(
          profile_.gemm, [&](const auto& c) { return c.format == format; },
          [&](auto& c) { c.format = format; });
      profile_.gemm[i].pair_tiles = gpu_.architecture.starts_with("Blackwell");
      if (format != "bf16" && profile_.gemm.front().format == "bf16") {
        // Launch and drain of the kernel itself are those of 16 bit, fitted before; what else is fixed with
        // narrow activations is the quantise pass.
        profile_.gemm[i].t0 = profile_.gemm.front().t0;
      }
      family("gemm " + format, group.second, [i](KernelProfile& p) -> GemmConstants& { return p.gemm[i]; });
    }
  }

  void prefill(const Rows& all) {
    for (const auto& group :
         grouped(all, [](const MeasuredKernel& r) { return attention_format(r.dtype); })) {
      const std::string& format = group.first;
      const std::size_t i = entry(
          profile_.prefill, [&](const auto& c) { return c.format == format; },
          [&](auto& c) { c.format = format; });
      family("prefill " + format, group.second,
             [i](KernelProfile& p) -> PrefillConstants& { return p.prefill[i]; });
    }
  }

  // How wide a group the grouped kernel takes decides which rows are whose: both limits are tried.
  void decode(const Rows& all) {
    const KernelProfile before = profile_;
    KernelProfile best;
    double least = 1e300;
    for (const int widest : {32, 128}) {
      profile_ = before;
      profile_.widest_group = widest;
      decode_kernels(all);
      const double loss = mean_loss(KernelModel(gpu_, profile_), trained(all));
      if (loss < least) {
        least = loss;
        best = profile_;
      }
    }
    profile_ = best;
  }

  void experts(const Rows& all) {
    for (const auto& group : grouped(all, [](const MeasuredKernel& r) { return gemm_format(r.dtype); })) {
      const std::string& format = group.first;
      const std::size_t i = entry(
          profile_.experts, [&](const auto& c) { return c.format == format; },
          [&](auto& c) { c.format = format; });
      family("experts " + format, group.second,
             [i](KernelProfile& p) -> ExpertConstants& { return p.experts[i]; });
    }
  }

  void all_reduce(const Rows& all) {
    const auto library_of = [](const MeasuredKernel& row) {
      return std::string(std::get<AllReduce>(row.operation).custom_kernel ? "custom" : "nccl");
    };
    const auto gpus_of = [](const MeasuredKernel& row) { return std::get<AllReduce>(row.operation).gpus; };
    for (const auto& by_library : grouped(all, library_of)) {
      const std::string& library = by_library.first;
      for (const auto& [ranks, rows] : grouped(by_library.second, gpus_of)) {
        const int gpus = ranks;
        const std::size_t i = entry(
            profile_.all_reduce, [&](const auto& c) { return c.library == library && c.gpus == gpus; },
            [&](auto& c) {
              c.library = library;
              c.gpus = gpus;
            });
        family(fmt::format("all_reduce {} {}", library, gpus), rows,
               [i](KernelProfile& p) -> AllReduceConstants& { return p.all_reduce[i]; });
      }
      for (AllReduceConstants& c : profile_.all_reduce) {
        in_order(c);
      }
      // A few held-out rows a rank count say little: the library's errors are pooled.
      const FamilyError pooled =
          held_out_error(KernelModel(gpu_, profile_), by_library.second, options_.shares);
      for (AllReduceConstants& c : profile_.all_reduce) {
        c.error = c.library == library ? pooled : c.error;
      }
    }
  }

  KernelProfile take() { return std::move(profile_); }

 private:
  [[nodiscard]] Rows trained(const Rows& rows) const {
    Rows out;
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(out), [&](const MeasuredKernel* row) {
      return share_of(*row, options_.shares) == FitShare::train;
    });
    return out;
  }

  void decode_kernels(const Rows& all) {
    const auto key_of = [](const MeasuredKernel& row) {
      const AttentionDecode& op = std::get<AttentionDecode>(row.operation);
      return std::pair<std::string, bool>(attention_format(row.dtype), op.heads > op.kv_heads);
    };
    // Groups wider than the grouped kernel takes are priced with the single one's constants, but not fitted:
    // they are rare in models, and would bend what one-to-one heads need.
    Rows fitted;
    std::copy_if(all.begin(), all.end(), std::back_inserter(fitted), [&](const MeasuredKernel* row) {
      const AttentionDecode& op = std::get<AttentionDecode>(row->operation);
      return op.heads <= profile_.widest_group * op.kv_heads;
    });
    for (const auto& group : grouped(fitted, key_of)) {
      const auto& key = group.first;
      const Rows& rows = group.second;
      const auto matches = [&key](const auto& c) { return c.format == key.first && c.grouped == key.second; };
      const std::size_t i = entry(profile_.decode, matches, [&key](auto& c) {
        c.format = key.first;
        c.grouped = key.second;
      });
      const auto select = [i](KernelProfile& p) -> DecodeConstants& { return p.decode[i]; };
      const std::string name = fmt::format("decode {} {}, groups to {}", key.first,
                                           key.second ? "grouped" : "single", profile_.widest_group);
      profile_.decode[i].repeat_share = 0.0;
      family(name, rows, select);
      if (key.second && profile_.decode[i].hbm_efficiency > kImpossibleBandwidth) {
        // More than HBM can deliver: what exceeds plain streaming came from L2.
        profile_.decode[i].repeat_share = 0.2;
        family(name + ", partly from L2", rows, select);
      }
    }
  }

  // Fits the constants that `select` picks from a profile to `rows`, and fills in their held-out errors.
  template <class Select>
  void family(const std::string& name, const Rows& rows, Select select) {
    auto& constants = select(profile_);
    const auto fields = fitted_fields(constants);
    const Rows train = trained(rows);
    KernelProfile trial = profile_;
    const auto set = [&](KernelProfile& target, const std::vector<double>& values) {
      auto& chosen = select(target);
      for (std::size_t i = 0; i < fields.size(); ++i) {
        chosen.*(fields[i].member) = values[i];
      }
    };
    const Loss loss = [&](const std::vector<double>& values) {
      set(trial, values);
      return mean_loss(KernelModel(gpu_, trial), train);
    };
    // The loss has more than one valley: short searches from the neighbour's constants, from the defaults and
    // from points spread over the box, then a long one from the best of them.
    using Constants = std::decay_t<decltype(constants)>;
    const Constants defaults;
    std::vector<Parameter> parameters;
    for (const auto& field : fields) {
      const double initial = std::clamp(constants.*(field.member), field.min, field.max);
      parameters.push_back({initial, field.min, field.max, field.logarithmic});
    }
    std::vector<double> found;
    double least = 1e300;
    const auto search = [&](int evaluations) {
      const std::vector<double> candidate = minimise(parameters, loss, evaluations);
      const double reached = loss(candidate);
      if (reached < least) {
        least = reached;
        found = candidate;
      }
    };
    search(options_.evaluations / 4);
    for (std::size_t i = 0; i < fields.size(); ++i) {
      parameters[i].initial = std::clamp(defaults.*(fields[i].member), fields[i].min, fields[i].max);
    }
    search(options_.evaluations / 4);
    for (int start = 0; start < options_.spread_starts; ++start) {
      const std::vector<double> point = spread_point(parameters, start);
      for (std::size_t i = 0; i < fields.size(); ++i) {
        parameters[i].initial = point[i];
      }
      search(options_.evaluations / 4);
    }
    for (std::size_t i = 0; i < fields.size(); ++i) {
      parameters[i].initial = found[i];
    }
    search(options_.evaluations);
    for (double& value : found) {  // four digits: more would be noise
      value = std::stod(fmt::format("{:.4g}", value));
    }
    set(profile_, found);
    constants.error = held_out_error(KernelModel(gpu_, profile_), rows, options_.shares);
    if (options_.progress) {
      const FamilyError& e = constants.error;
      options_.progress(
          fmt::format("{:<30} {:>5} fitted; held out {:>5}: median {:4.1f} %, p90 {:5.1f} %, bias {:+5.1f} "
                      "%; unseen {:>5}: {:4.1f} %",
                      name, train.size(), e.rows, 100.0 * e.median, 100.0 * e.p90, 100.0 * e.bias,
                      e.unseen_rows, 100.0 * e.unseen_median));
    }
  }

  Gpu gpu_;
  KernelProfile profile_;
  const FitOptions& options_;
};

}  // namespace

FamilyError held_out_error(const KernelModel& model, std::span<const MeasuredKernel* const> rows,
                           const SplitShares& shares) {
  std::vector<double> errors, absolute, factors, unseen;
  for (const MeasuredKernel* row : rows) {
    const FitShare share = share_of(*row, shares);
    const double predicted = price(model, *row).time.si();
    const double error = predicted / row->seconds - 1.0;
    if (share == FitShare::held_out) {
      errors.push_back(error);
      absolute.push_back(std::abs(error));
      factors.push_back(std::max(predicted / row->seconds, row->seconds / predicted) - 1.0);
    } else if (share == FitShare::unseen) {
      unseen.push_back(std::abs(error));
    }
  }
  for (std::vector<double>* values : {&errors, &absolute, &factors, &unseen}) {
    std::sort(values->begin(), values->end());
  }
  const auto digits = [](double value) { return std::round(value * 1e4) / 1e4; };
  FamilyError e;
  e.rows = static_cast<std::int64_t>(errors.size());
  e.unseen_rows = static_cast<std::int64_t>(unseen.size());
  e.median = digits(quantile(absolute, 0.5));
  e.p90 = digits(quantile(absolute, 0.9));
  e.bias = digits(quantile(errors, 0.5));
  e.unseen_median = digits(quantile(unseen, 0.5));
  e.q80 = digits(quantile(factors, kSpreadQuantile));
  return e;
}

KernelProfile fit(const Gpu& gpu, std::span<const KernelTable> tables, KernelProfile initial,
                  const FitOptions& options) {
  std::map<KernelOperation, Rows> by_operation;
  for (const KernelTable& table : tables) {
    for (const MeasuredKernel& row : table.rows) {
      by_operation[table.operation].push_back(&row);
    }
  }
  Fitter fitter(gpu, std::move(initial), options);
  for (const auto& [operation, rows] : by_operation) {
    switch (operation) {
      case KernelOperation::gemm:
        fitter.gemm(rows);
        break;
      case KernelOperation::attention_prefill:
        fitter.prefill(rows);
        break;
      case KernelOperation::attention_decode:
        fitter.decode(rows);
        break;
      case KernelOperation::moe:
        fitter.experts(rows);
        break;
      case KernelOperation::collectives:
        fitter.all_reduce(rows);
        break;
    }
  }
  return fitter.take();
}

}  // namespace gpuplan::calibrate
