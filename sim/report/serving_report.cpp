#include "sim/report/serving_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/cost/cost_metrics.h"

namespace gpuplan::sim {

namespace {

// A median absolute error e of a normal error is 0.674 sigma; the 80 % interval is 1.282 sigma wide each way.
constexpr double kMedianTo80 = 1.2816 / 0.6745;

class Metrics {
 public:
  explicit Metrics(std::vector<Metric>& out) : out_(out) {}
  void add(std::string name, double value) {
    out_.push_back({std::move(name), json::Value(value), std::nullopt});
  }
  void count(std::string name, std::int64_t value) {
    out_.push_back({std::move(name), json::Value(value), std::nullopt});
  }
  // With an 80 % interval of value x exp(+-half_width).
  void add(std::string name, double value, double half_width) {
    out_.push_back({std::move(name), json::Value(value),
                    std::array<double, 2>{value * std::exp(-half_width), value * std::exp(half_width)}});
  }
  template <class Distribution>
  void distribution(const std::string& name, Distribution& d, double half_width) {
    add(name + ".mean", d.mean(), half_width);
    for (const auto& [suffix, q] : {std::pair{"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}}) {
      add(name + "." + suffix, d.quantile(q), half_width);
    }
  }

 private:
  std::vector<Metric>& out_;
};

struct HalfWidths {
  double ttft, tpot, throughput, utilisation, memory;
};

HalfWidths half_widths(const ServingScenario& s, const ServingOutcome& o) {
  const double kernels = kernel_half_width(o.use);
  const double rho = std::min(0.95, o.busy_seconds / std::max(1e-9, o.end.si() * s.replicas));
  // Queueing amplifies an error of the service time: d ln W / d ln S = 1 / (1 - rho) in an M/M/1 queue.
  const double waiting = o.ttft.mean() > 0.0 ? std::clamp(o.queueing.mean() / o.ttft.mean(), 0.0, 1.0) : 0.0;
  const double amplified = kernels * (1.0 + waiting * std::min(4.0, rho / (1.0 - rho)));
  // An open loop that keeps up delivers what arrives, whatever the step time; sampling of the ends remains.
  const bool keeps_up = !o.closed_loop && !o.overloaded && rho < 0.9;
  const ServingUncertainty& u = s.profile.uncertainty;
  return {.ttft = std::max(u.ttft, amplified),
          .tpot = std::max(u.tpot, kernels),
          .throughput = keeps_up ? 0.02 : std::max(u.throughput, kernels),
          .utilisation = std::max(0.1, kernels),
          .memory = 0.03};
}

void add_bottlenecks(const ServingScenario& s, const ServingOutcome& o, std::vector<Bottleneck>& out) {
  const double total = o.use.time + o.overhead_seconds + o.swap_seconds;
  if (total <= 0.0) {
    return;
  }
  const auto part = [&](StepPart p) { return o.use.seconds[static_cast<std::size_t>(p)] / total; };
  for (std::size_t i = 0; i < kernels::kLimiters; ++i) {
    const double share = o.use.limited[i] / total;
    if (share >= 0.02) {
      out.push_back({std::string(json::name_of(static_cast<kernels::Limiter>(i))), share,
                     "kernel time that this limits"});
    }
  }
  if (o.overhead_seconds / total >= 0.02) {
    out.push_back({"cpu", o.overhead_seconds / total, "GPU waiting for the engine's CPU work between steps"});
  }
  if (o.swap_seconds / total >= 0.02) {
    out.push_back({"pcie", o.swap_seconds / total, "swapping KV blocks to host memory"});
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const Bottleneck& a, const Bottleneck& b) { return a.share > b.share; });
  const double kv_full = static_cast<double>(o.kv_blocks_max) /
                         static_cast<double>(std::max<std::int64_t>(1, o.memory.kv_blocks));
  if (o.preemptions > 0 || (o.queue_max > 0 && kv_full > 0.95)) {
    out.push_back(
        {"kv_capacity", kv_full,
         fmt::format("KV blocks ran out: {} preemptions, queue up to {}", o.preemptions, o.queue_max)});
  }
  if (!out.empty()) {
    out.front().detail += fmt::format(
        " (matrices {:.0f} %, decode attention {:.0f} %, prefill attention {:.0f} %, all-reduce {:.0f} % of "
        "busy time)",
        100 * (part(StepPart::gemm) + part(StepPart::experts)), 100 * part(StepPart::attention_decode),
        100 * part(StepPart::attention_prefill), 100 * part(StepPart::all_reduce));
  }
  (void)s;
}

void add_warnings(const ServingScenario& s, const ServingOutcome& o, std::vector<std::string>& out) {
  if (o.overloaded) {
    out.push_back(fmt::format(
        "overload: the waiting queue grows by {:.2f} requests/s and holds {} at the last arrival; "
        "latencies reflect the length of this run, not a steady state",
        o.queue_growth, o.queue_at_last_arrival));
  }
  if (o.rejected > 0) {
    out.push_back(fmt::format(
        "{} of {} requests were rejected: longer than max_model_len = {} or than the KV cache of {} tokens",
        o.rejected, o.arrived, *s.spec.engine.max_model_len, o.memory.kv_tokens()));
  }
  if (o.measured == 0) {
    out.push_back("no request was measured: all metrics are zero");
  } else if (o.measured < 100) {
    out.push_back(
        fmt::format("only {} requests measured: tail percentiles rest on a handful of them", o.measured));
  }
  if (*s.spec.engine.max_model_len <= std::int64_t{1} << 32 &&
      o.memory.kv_tokens() < *s.spec.engine.max_model_len) {
    out.push_back(
        fmt::format("the KV cache holds {} tokens, less than max_model_len = {}: vLLM would refuse to start; "
                    "lower engine.max_model_len",
                    o.memory.kv_tokens(), *s.spec.engine.max_model_len));
  }
  if (o.use.time > 0.0 && o.use.outside / o.use.time > 0.05) {
    out.push_back(
        fmt::format("{:.0f} % of the kernel time was priced outside the measured range of its model",
                    100.0 * o.use.outside / o.use.time));
  }
  out.insert(out.end(), s.notes.begin(), s.notes.end());
  out.insert(out.end(), o.notes.begin(), o.notes.end());
}

json::Value provenance(const ServingScenario& s, const ServingOutcome& o, const kernels::KernelModel& model) {
  json::Value out;
  const kernels::Price sample = model.price(kernels::Gemm{.m = 16,
                                                          .n = 4096,
                                                          .k = 4096,
                                                          .activations = s.deployment.activations,
                                                          .weights = s.deployment.weights});
  out["kernels"] = fmt::format("{} ({})", json::name_of(sample.provenance),
                               s.gpu.kernel_profile.empty() ? "no profile" : s.gpu.kernel_profile);
  out["gpu"] = "datasheet (catalogue: " + s.gpu.name + ")";
  out["engine"] = s.profile.name + ": " + s.profile.source;
  out["kv_blocks"] =
      "physics: memory budget of the engine; shares held by CUDA and NCCL assumed from two published logs";
  out["cost"] = s.rates.hour_source;
  out["capex"] = s.rates.purchase_source;
  out["power"] =
      "assumed: TDP (0.15 + 0.55 HBM utilisation + 0.30 matrix utilisation) and the node's remaining power";
  out["kernel_half_width80"] = kernel_half_width(o.use);
  return out;
}

}  // namespace

double kernel_half_width(const StepUse& use) {
  double variance = 0.0;
  for (const double error : use.error) {
    variance += error * error;
  }
  return use.time > 0.0 ? kMedianTo80 * std::sqrt(variance) / use.time : 0.0;
}

Watts mean_power(const ServingScenario& s, const ServingOutcome& o) {
  const double tdp = s.gpu.tdp.si();
  const double gpu = tdp * std::min(1.0, 0.15 + 0.55 * o.resource_hbm + 0.30 * o.resource_sm);
  const double host = s.node.power.si() > 0.0 && s.node.gpu_count > 0
                          ? std::max(0.0, s.node.power.si() / s.node.gpu_count - tdp)
                          : 0.3 * tdp;
  return Watts(s.rates.mean_watts.value_or(gpu + host) * s.gpus_used());
}

json::Value resolved_json(const ServingScenario& s) { return json::write(s.spec); }

Result report_serving(const ServingScenario& s, ServingOutcome& o, const Library& library) {
  Result result;
  result.scenario = resolved_json(s);
  Metrics m(result.metrics);
  const HalfWidths h = half_widths(s, o);
  const int gpus = s.gpus_used();

  m.distribution("serving.ttft", o.ttft, h.ttft);
  m.distribution("serving.tpot", o.tpot, h.tpot);
  m.distribution("serving.itl", o.itl, h.tpot);
  m.distribution("serving.e2e", o.e2e,
                 std::max(h.tpot, o.e2e.mean() > 0.0 ? h.ttft * o.ttft.mean() / o.e2e.mean() : 0.0));

  const double window = std::max(1e-12, (o.window_end - o.window_start).si());
  const double output_rate = o.measured > 0 ? o.output_tokens / window : 0.0;
  const double total_rate = o.measured > 0 ? (o.output_tokens + o.prompt_tokens) / window : 0.0;
  const double request_rate = o.measured > 0 ? static_cast<double>(o.measured) / window : 0.0;
  const double attainment =
      o.measured > 0 ? static_cast<double>(o.attained) / static_cast<double>(o.measured) : 0.0;
  m.add("serving.output_tokens_per_s", output_rate, h.throughput);
  m.add("serving.output_tokens_per_s_per_gpu", output_rate / gpus, h.throughput);
  m.add("serving.total_tokens_per_s", total_rate, h.throughput);
  m.add("serving.requests_per_s", request_rate, h.throughput);
  m.add("serving.goodput_requests_per_s", request_rate * attainment);
  m.add("serving.slo_attainment", attainment);
  m.count("serving.arrived", o.arrived);
  m.count("serving.completed", o.completed);
  m.count("serving.rejected", o.rejected);
  m.count("serving.preemptions", o.preemptions);
  m.add("serving.kv_blocks", static_cast<double>(o.memory.kv_blocks * s.replicas), h.memory);
  m.add("serving.kv_blocks_per_replica", static_cast<double>(o.memory.kv_blocks), h.memory);
  const double pool = static_cast<double>(std::max<std::int64_t>(1, o.memory.kv_blocks));
  m.add("serving.kv_utilisation.mean", o.kv_block_seconds / std::max(1e-12, pool * o.end.si() * s.replicas));
  m.add("serving.kv_utilisation.max", static_cast<double>(o.kv_blocks_max) / pool);
  m.add("serving.batch.mean", o.busy_seconds > 0.0 ? o.running_seconds / o.busy_seconds : 0.0);
  m.add("serving.queue.mean_wait", o.queueing.mean(), h.ttft);
  m.count("serving.queue.max", o.queue_max);
  m.count("serving.queue.at_last_arrival", o.queue_at_last_arrival);
  m.add("serving.queue.growth_per_s", o.queue_growth);
  m.add("serving.prefix_hit_rate", 0.0);
  m.add("serving.accepted_tokens_per_step", 1.0);

  const double span = std::max(1e-12, o.end.si() * s.replicas);
  m.add("serving.busy_fraction", o.busy_seconds / span);
  const double busy = o.use.time + o.overhead_seconds + o.swap_seconds;
  for (std::size_t i = 0; i < kStepParts; ++i) {
    m.add("serving.time_share." + std::string(json::name_of(static_cast<StepPart>(i))),
          busy > 0.0 ? o.use.seconds[i] / busy : 0.0);
  }
  m.add("serving.time_share.cpu", busy > 0.0 ? o.overhead_seconds / busy : 0.0);
  m.add("serving.time_share.swap", busy > 0.0 ? o.swap_seconds / busy : 0.0);
  m.count("serving.steps", o.steps);

  m.add("serving.memory.weights_per_gpu", o.memory.weights.si());
  m.add("serving.memory.kv_per_gpu", static_cast<double>(o.memory.kv_blocks) * o.memory.kv_per_block.si());
  m.add("serving.memory.activations_per_gpu", o.memory.activations.si());
  m.add("serving.memory.kv_bytes_per_token", kv_bytes_per_token(s.model, s.deployment.kv).si());

  const double watts = mean_power(s, o).si();
  add_cost_metrics({.spec = s.spec.cost,
                    .machine = s.rates.machine,
                    .gpus = gpus,
                    .busy_watts = watts / gpus,
                    .per_hour = {{"cost.usd_per_million_tokens", total_rate * 3.6e-3},
                                 {"cost.usd_per_million_output_tokens", output_rate * 3.6e-3}},
                    .performance = relative(h.throughput),
                    .seed = static_cast<std::uint64_t>(s.spec.seed)},
                   library.hardware, result);
  if (total_rate > 0.0) {
    m.add("cost.energy_per_token", watts / total_rate);
  }
  m.add("power.mean", watts);
  m.add("util.sm", o.resource_sm, h.utilisation);
  m.add("util.hbm", o.resource_hbm, h.utilisation);
  m.add("util.nvlink", o.resource_link, h.utilisation);
  m.add("util.pcie", o.resource_pcie);
  m.add("util.network", 0.0);
  m.count("sim.events", static_cast<std::int64_t>(o.events));

  result.provenance = provenance(s, o, kernels::KernelModel::for_gpu(s.gpu, library.data_dir));
  add_bottlenecks(s, o, result.bottlenecks);
  add_warnings(s, o, result.warnings);
  return result;
}

}  // namespace gpuplan::sim
