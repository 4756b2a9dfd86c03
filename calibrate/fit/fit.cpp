#include "calibrate/fit/fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <tuple>

#include "calibrate/fit/parameters.h"
#include "calibrate/fit/residual_fit.h"
#include "calibrate/fit/residual_plans.h"

namespace gpuplan::calibrate {

namespace {

using kernels::AllReduce;
using kernels::AttentionDecode;
using kernels::AttentionPrefill;
using kernels::DecodeConstants;
using kernels::ExpertConstants;
using kernels::FamilyError;
using kernels::Gemm;
using kernels::GemmConstants;
using kernels::GroupedExperts;
using kernels::KernelModel;
using kernels::KernelProfile;
using kernels::PrefillConstants;

// Shares of datasheet bandwidth: no read stream above the first has been measured on any of the GPUs.
constexpr double kImpossibleBandwidth = 0.96;

// An 80 % interval should cover 75 to 90 % of what comes, new shapes among it, which are harder than the rows
// that it is set on.
constexpr double kSpreadQuantile = 0.84;

// Whole series of expert rows (one shape and one routing, at all token counts) run 3 to 12 times longer than
// the same shape under another routing: the library picked a wrong kernel there, which no shape explains.
// Rows this much slower than physics are kept out of the curves; the errors count them.
constexpr double kWrongKernel = 1.8;

// A prime, to walk through rows out of their order.
constexpr std::size_t kMixing = 7919;

// Sizes of other rows at which each row's shape must not become cheaper with more work; decode attention has
// the most kinds of shapes for its rows.
constexpr std::size_t kPartners = 4, kDecodePartners = 16;

// No expected error is stated below this.
constexpr double kLeastError = 0.002;

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

std::vector<double> features_of(const MeasuredKernel& row) {
  return std::visit(
      [](const auto& op) -> std::vector<double> {
        if constexpr (std::is_same_v<std::decay_t<decltype(op)>, AllReduce>) {
          return {};
        } else {
          const auto values = kernels::features(op);
          return {values.begin(), values.end()};
        }
      },
      row.operation);
}

// Operations like that of `row`, and ones with more work by one measure of its size. The first of a pair lies
// somewhere around the row, by a fixed sequence, so that pairs fall between the measured sizes too.
struct Grown {
  MeasuredKernel less, more;
};
std::vector<Grown> more_work(const MeasuredKernel& row, std::size_t sequence) {
  constexpr std::array<std::array<double, 2>, 2> kFactors = {{{1.2, 2.0}, {1.5, 4.0}}};
  constexpr double kGolden = 0.6180339887498949;
  std::vector<Grown> out;
  const auto scaled = [](auto size, double factor) {
    return static_cast<decltype(size)>(std::ceil(static_cast<double>(size) * factor));
  };
  const auto grow = [&](auto set) {
    double turns = 0.0;
    const double around = std::exp2(std::modf(static_cast<double>(sequence) * kGolden, &turns) - 0.5);
    for (const double factor : kFactors[sequence % 2]) {
      Grown pair{row, row};
      set(pair.less, around);
      set(pair.more, around * factor);
      out.push_back(std::move(pair));
    }
  };
  const auto member = [&](auto pointer) {
    grow([&, pointer](MeasuredKernel& kernel, double factor) {
      std::visit(
          [&](auto& op) {
            if constexpr (requires { op.*pointer; }) {
              op.*pointer = scaled(op.*pointer, factor);
            }
          },
          kernel.operation);
    });
  };
  if (const auto* gemm = std::get_if<Gemm>(&row.operation)) {
    for (const std::int64_t less : {std::max<std::int64_t>(1, gemm->m - 1), gemm->m}) {
      Grown pair{row, row};
      std::get<Gemm>(pair.less.operation).m = less;
      std::get<Gemm>(pair.more.operation).m = less + 1;
      out.push_back(std::move(pair));
    }
    member(&Gemm::m);
    member(&Gemm::n);
    member(&Gemm::k);
  } else if (std::holds_alternative<AttentionPrefill>(row.operation)) {
    member(&AttentionPrefill::batch);
    grow([&](MeasuredKernel& kernel, double factor) {
      auto& op = std::get<AttentionPrefill>(kernel.operation);
      op.context = op.queries = scaled(op.queries, factor);
    });
  } else if (std::holds_alternative<AttentionDecode>(row.operation)) {
    member(&AttentionDecode::batch);
    member(&AttentionDecode::context);
  } else if (std::holds_alternative<GroupedExperts>(row.operation)) {
    member(&GroupedExperts::tokens);
  }
  return out;
}

// The shape of one row at the size of another: between them, the rows of a table cover all that is asked for.
MeasuredKernel resized(const MeasuredKernel& shape, const MeasuredKernel& size) {
  MeasuredKernel out = shape;
  std::visit(
      [&](auto& op) {
        using Op = std::decay_t<decltype(op)>;
        const auto* from = std::get_if<Op>(&size.operation);
        if (from == nullptr) {
          return;
        }
        if constexpr (std::is_same_v<Op, Gemm>) {
          op.m = from->m;
        } else if constexpr (std::is_same_v<Op, AttentionPrefill>) {
          op.batch = from->batch;
          op.queries = from->queries;
          op.context = from->context;
        } else if constexpr (std::is_same_v<Op, AttentionDecode>) {
          op.batch = from->batch;
          op.context = from->context;
        } else if constexpr (std::is_same_v<Op, GroupedExperts>) {
          op.tokens = from->tokens;
        }
      },
      out.operation);
  return out;
}

// How a family is corrected.
struct CorrectionPlan {
  ResidualPlan curves, error;
  std::span<const std::string_view> names;
  // Whether the family's constants price an operation, which it may adapt; empty: all that its rows resemble.
  std::function<bool(MeasuredKernel&)> own = {};
  bool falls =
      false;  // where physics falls with more work, so do measurements: curves need not make up for it
};

// Fits one GPU's profile family by family.
class Fitter {
 public:
  Fitter(const Gpu& gpu, KernelProfile profile, const FitOptions& options)
      : gpu_(slim(gpu)), profile_(std::move(profile)), options_(options) {
    profile_.gpu = gpu_.name;
    profile_.datasheet = datasheet_of(gpu_);
    profile_.source = options_.source;
    const auto forget = [](auto& family) {
      for (auto& constants : family) {
        constants.correction = {};
      }
    };
    forget(profile_.gemm);
    forget(profile_.prefill);
    forget(profile_.decode);
    forget(profile_.experts);
  }

  void gemm(const Rows& all) {
    for (const auto& group : grouped(all, [](const MeasuredKernel& r) { return gemm_format(r.dtype); })) {
      const std::string& format = group.first;
      const std::size_t i = entry(
          profile_.gemm, [&](const auto& c) { return c.format == format; },
          [&](auto& c) { c.format = format; });
      profile_.gemm[i].pair_tiles = gpu_.architecture.starts_with("Blackwell");
      profile_.gemm[i].deep_gemm = gpu_.architecture.starts_with("Hopper") && format == "fp8_block";
      if (format != "bf16" && profile_.gemm.front().format == "bf16") {
        // Launch and drain of the kernel itself are those of 16 bit, fitted before; what else is fixed with
        // narrow activations is the quantise pass.
        profile_.gemm[i].t0 = profile_.gemm.front().t0;
      }
      const auto select = [i](KernelProfile& p) -> GemmConstants& { return p.gemm[i]; };
      family(group.second, select);
      corrected_later("gemm " + format, group.second, select,
                      {.curves = gemm_plan(),
                       .error = gemm_error_plan(),
                       .names = kernels::kGemmFeatures,
                       .falls = profile_.gemm[i].deep_gemm});
    }
  }

  void prefill(const Rows& all) {
    for (const auto& group :
         grouped(all, [](const MeasuredKernel& r) { return attention_format(r.dtype); })) {
      const std::string& format = group.first;
      const std::size_t i = entry(
          profile_.prefill, [&](const auto& c) { return c.format == format; },
          [&](auto& c) { c.format = format; });
      const auto select = [i](KernelProfile& p) -> PrefillConstants& { return p.prefill[i]; };
      family(group.second, select);
      corrected_later("prefill " + format, group.second, select,
                      {prefill_plan(), prefill_error_plan(), kernels::kPrefillFeatures});
    }
  }

  void decode(const Rows& all) {
    // What TensorRT-LLM runs: XQA and a kernel without groups; other kernels from Blackwell on.
    profile_.xqa = !gpu_.architecture.starts_with("Blackwell");
    profile_.widest_group = 32;
    decode_kernels(all);
    // Wider groups than the grouped kernel takes are priced, and corrected, with the single kernel's.
    const auto key_of = [&](const MeasuredKernel& row) {
      const AttentionDecode& op = std::get<AttentionDecode>(row.operation);
      return std::pair<std::string, bool>(attention_format(row.dtype),
                                          kernels::decodes_grouped(profile_, gpu_.sm_count, op));
    };
    for (const auto& group : grouped(all, key_of)) {
      const auto& key = group.first;
      for (std::size_t i = 0; i < profile_.decode.size(); ++i) {
        if (profile_.decode[i].format == key.first && profile_.decode[i].grouped == key.second) {
          const auto own = [this, in_groups = key.second](MeasuredKernel& row) {
            AttentionDecode& op = std::get<AttentionDecode>(row.operation);
            op.tensorrt_llm = !in_groups;  // other engines decode all groups in the grouped kernel
            return kernels::decodes_grouped(profile_, gpu_.sm_count, op) == in_groups;
          };
          corrected_later(fmt::format("decode {} {}", key.first, key.second ? "grouped" : "single"),
                          group.second, [i](KernelProfile& p) -> DecodeConstants& { return p.decode[i]; },
                          {decode_plan(key.second), decode_error_plan(), kernels::kDecodeFeatures, own});
        }
      }
    }
  }

  void experts(const Rows& all) {
    for (const auto& group : grouped(all, [](const MeasuredKernel& r) { return gemm_format(r.dtype); })) {
      const std::string& format = group.first;
      const std::size_t i = entry(
          profile_.experts, [&](const auto& c) { return c.format == format; },
          [&](auto& c) { c.format = format; });
      const auto select = [i](KernelProfile& p) -> ExpertConstants& { return p.experts[i]; };
      family(group.second, select);
      corrected_later("experts " + format, group.second, select,
                      {expert_plan(), expert_error_plan(), kernels::kExpertFeatures});
    }
  }

  // The profile; curves are fitted here, after the physics of all families.
  KernelProfile take() {
    for (const auto& correct : corrections_) {
      correct();
    }
    return std::move(profile_);
  }

 private:
  [[nodiscard]] Rows trained(const Rows& rows) const {
    Rows out;
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(out), [&](const MeasuredKernel* row) {
      return share_of(*row, options_.shares) == FitShare::train;
    });
    return out;
  }

  void decode_kernels(const Rows& all) {
    const auto key_of = [&](const MeasuredKernel& row) {
      const AttentionDecode& op = std::get<AttentionDecode>(row.operation);
      return std::pair<std::string, bool>(attention_format(row.dtype),
                                          kernels::decodes_grouped(profile_, gpu_.sm_count, op));
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
      profile_.decode[i].repeat_share = 0.0;
      family(rows, select);
      if (key.second && profile_.decode[i].hbm_efficiency > kImpossibleBandwidth) {
        // More than HBM can deliver: what exceeds plain streaming came from L2.
        profile_.decode[i].repeat_share = 0.2;
        family(rows, select);
      }
    }
  }

  // Fits the curves that the physics of `select` leaves, from the training rows, and fills in the errors.
  template <class Select>
  void correct(const std::string& name, const Rows& rows, Select select, const CorrectionPlan& plan) {
    auto& constants = select(profile_);
    constants.correction = {};
    const KernelModel physics(gpu_, profile_);
    const FamilyError before = held_out_error(physics, rows, options_.shares);
    const Rows train = trained(rows);
    constants.correction.curves = curves(physics, train, plan);
    const KernelModel corrected(gpu_, profile_);
    constants.error = held_out_error(corrected, rows, options_.shares);
    constants.error.far_median = far_error(physics, rows, select, plan);
    local_error(corrected, rows, plan, constants);
    report(name, rows, before, constants.error);
  }

  template <class Select>
  void corrected_later(const std::string& name, const Rows& rows, Select select, const CorrectionPlan& plan) {
    corrections_.emplace_back([=, this] { correct(name, rows, select, plan); });
  }

  void report(const std::string& name, const Rows& rows, const FamilyError& before,
              const FamilyError& e) const {
    if (options_.progress) {
      options_.progress(
          fmt::format("{:<26} {:>5} fitted; physics {:4.1f}/{:4.1f} %, corrected, random {:>4}: "
                      "{:4.1f}/{:4.1f} bias {:+4.1f}, "
                      "unseen {:>4}: {:4.1f}/{:4.1f}, far {:4.1f} %",
                      name, trained(rows).size(), 100.0 * before.median, 100.0 * before.p90, e.rows,
                      100.0 * e.median, 100.0 * e.p90, 100.0 * e.bias, e.unseen_rows, 100.0 * e.unseen_median,
                      100.0 * e.unseen_p90, 100.0 * e.far_median));
    }
  }

  std::vector<kernels::ResidualGrid> curves(const KernelModel& physics, const Rows& train,
                                            const CorrectionPlan& plan) const {
    std::vector<ResidualSample> samples;
    std::vector<OrderPair> order;
    for (const MeasuredKernel* row : train) {
      const double time = price(physics, *row).time.si();
      if (std::holds_alternative<GroupedExperts>(row->operation) && row->seconds > kWrongKernel * time) {
        continue;
      }
      samples.push_back({features_of(*row), std::log(row->seconds / time)});
      const bool decode = std::holds_alternative<AttentionDecode>(row->operation);
      const std::size_t partners = decode ? kDecodePartners : kPartners;
      for (std::size_t partner = 0; partner < partners; ++partner) {
        const std::size_t sequence = samples.size() * partners + partner;
        const MeasuredKernel& other = *train[sequence * kMixing % train.size()];
        for (Grown& pair : more_work(resized(*row, other), sequence)) {
          if (plan.own && !(plan.own(pair.less) && plan.own(pair.more))) {
            continue;
          }
          const double rise = std::log(price(physics, pair.more).time / price(physics, pair.less).time);
          if (rise >= 0.0 || !plan.falls) {
            order.push_back({features_of(pair.less), features_of(pair.more), rise});
          }
        }
      }
    }
    return fit_residual(plan.curves, plan.names, samples, order);
  }

  // How large errors are around a shape, from the rows held out of fitted shapes; and the spread that, in
  // multiples of it, covers as many as it should: half of what it is set on are rows of unseen shapes, since
  // what is asked for is mostly new.
  template <class Constants>
  void local_error(const KernelModel& corrected, const Rows& rows, const CorrectionPlan& plan,
                   Constants& constants) const {
    const auto error_of = [&](const MeasuredKernel& row) {
      return std::abs(std::log(price(corrected, row).time.si() / row.seconds));
    };
    std::vector<ResidualSample> samples;
    Rows held_out, unseen;
    for (const MeasuredKernel* row : rows) {
      const FitShare share = share_of(*row, options_.shares);
      if (share == FitShare::held_out) {
        samples.push_back({features_of(*row), std::log(error_of(*row) + kLeastError)});
        held_out.push_back(row);
      } else if (share == FitShare::unseen && sets_spread(*row, options_.shares)) {
        unseen.push_back(row);
      }
    }
    constants.correction.error = fit_residual(plan.error, plan.names, samples, {});
    const kernels::ResidualField local(constants.correction.error, plan.names);
    std::vector<std::pair<double, double>> weighted;  // spread that would cover a row, weight
    for (const Rows* part : {&held_out, &unseen}) {
      for (const MeasuredKernel* row : *part) {
        const double relative =
            local.empty() ? 1.0 : constants.error.median / std::exp(local.at(features_of(*row)));
        weighted.emplace_back(std::expm1(error_of(*row)) * relative, 1.0 / static_cast<double>(part->size()));
      }
    }
    std::sort(weighted.begin(), weighted.end());
    double total = 0.0, covered = 0.0;
    for (const auto& [spread, weight] : weighted) {
      total += weight;
    }
    for (const auto& [spread, weight] : weighted) {
      covered += weight;
      if (covered >= kSpreadQuantile * total) {
        constants.error.q80 = std::round(spread * 1e4) / 1e4;
        break;
      }
    }
  }

  // Median error on the tenth of all rows with the most work, with curves that saw none of them.
  template <class Select>
  double far_error(const KernelModel& physics, const Rows& rows, Select select, const CorrectionPlan& plan) {
    Rows by_work = rows;
    std::stable_sort(by_work.begin(), by_work.end(), [&](const MeasuredKernel* a, const MeasuredKernel* b) {
      return price(physics, *a).flops < price(physics, *b).flops;
    });
    const auto last = by_work.begin() + static_cast<std::ptrdiff_t>(by_work.size() * 9 / 10);
    const Rows near(by_work.begin(), last), far(last, by_work.end());
    KernelProfile trial = profile_;
    select(trial).correction.curves = curves(physics, trained(near), plan);
    const KernelModel model(gpu_, trial);
    std::vector<double> errors;
    for (const MeasuredKernel* row : far) {
      errors.push_back(std::abs(price(model, *row).time.si() / row->seconds - 1.0));
    }
    std::sort(errors.begin(), errors.end());
    return std::round(quantile(errors, 0.5) * 1e4) / 1e4;
  }

  // Fits the constants that `select` picks from a profile to `rows`.
  template <class Select>
  void family(const Rows& rows, Select select) {
    auto& constants = select(profile_);
    const auto fields = fitted_fields(constants);
    const Rows train = spread(trained(rows), options_.physics_rows);
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
  }

  // At most `most` of the rows, evenly by position.
  static Rows spread(const Rows& rows, std::size_t most) {
    if (rows.size() <= most) {
      return rows;
    }
    Rows out;
    for (std::size_t i = 0; i < most; ++i) {
      out.push_back(rows[i * rows.size() / most]);
    }
    return out;
  }

  Gpu gpu_;
  KernelProfile profile_;
  const FitOptions& options_;
  std::vector<std::function<void()>> corrections_;
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
  e.unseen_p90 = digits(quantile(unseen, 0.9));
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
        break;  // fitted by collective_fit.h
    }
  }
  return fitter.take();
}

}  // namespace gpuplan::calibrate
