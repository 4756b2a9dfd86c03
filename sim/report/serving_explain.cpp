#include "sim/report/serving_explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/cost/cost_explain.h"
#include "sim/report/serving_report.h"

namespace gpuplan::sim {

namespace {

using Lines = std::vector<std::string>;

double gb(Bytes bytes) { return bytes.si() / 1e9; }
std::string ms(double seconds) { return fmt::format("{:.3f} ms", seconds * 1e3); }

void explain_memory(const ServingScenario& s, const ServingOutcome& o, Lines& out) {
  const ServingMemory& m = o.memory;
  const double sold = s.gpu.memory.si() / 1e9;
  out.push_back(fmt::format(
      "usable      = {:g} GB sold, counted in GiB, less what driver and ECC keep = {:.2f} GB [assumed share]",
      sold, gb(m.usable)));
  out.push_back(fmt::format("allowed     = usable x gpu_memory_utilization = {:.2f} x {:g} = {:.2f} GB",
                            gb(m.usable), s.spec.engine.gpu_memory_utilization, gb(m.requested)));
  out.push_back(fmt::format(
      "weights     = {:.3f} G parameters in {} over TP {} = {:.2f} GB per GPU [derived from shapes]",
      count_parameters(s.model).total / 1e9, json::name_of(s.deployment.weights),
      s.deployment.tensor_parallel, gb(m.weights)));
  out.push_back(
      fmt::format("activations = peak of {} batched tokens and {} sampled rows = {:.2f} GB [physics]",
                  *s.spec.engine.max_num_batched_tokens, *s.spec.engine.max_num_seqs, gb(m.activations)));
  out.push_back(
      fmt::format("held        = CUDA context {:.2f} GB + communication {:.2f} GB [engine profile {}]",
                  gb(m.context), gb(m.communication), s.profile.name));
  out.push_back(fmt::format("KV budget   = {:.2f} - {:.2f} - {:.2f} - {:.2f} = {:.2f} GB per GPU",
                            gb(m.requested), gb(m.weights), gb(m.activations),
                            gb(m.context + m.communication), gb(m.kv_budget)));
  if (s.model.mla) {
    out.push_back(fmt::format(
        "KV per token= layers x (latent + rope) x bytes = {} x ({} + {}) x {:g} = {:.0f} B on every rank",
        s.model.layers, s.model.mla->kv_lora_rank, s.model.mla->qk_rope_head_dim,
        bytes_per_element(s.deployment.kv), m.kv_per_token.si()));
  } else {
    out.push_back(
        fmt::format("KV per token= 2 x layers x KV heads on the rank x head size x bytes = 2 x {} x {} x {} "
                    "x {:g} = {:.0f} B",
                    s.model.layers, kv_heads_per_rank(s.model, s.deployment.tensor_parallel),
                    s.model.head_dim, bytes_per_element(s.deployment.kv), m.kv_per_token.si()));
  }
  out.push_back(fmt::format("KV blocks   = {:.2f} GB / ({} tokens x {:.0f} B) = {} per replica = {} tokens{}",
                            gb(m.kv_budget), m.block_size, m.kv_per_token.si(), m.kv_blocks, m.kv_tokens(),
                            s.spec.engine.num_gpu_blocks ? " [set by engine.num_gpu_blocks]" : ""));
  out.push_back(
      fmt::format("all replicas= {} x {} = {} blocks", s.replicas, m.kv_blocks, m.kv_blocks * s.replicas));
}

// Table of the operations of a step; the formula of the largest ones.
double explain_operations(const StepCost& cost, const std::vector<LoweredOperation>& operations, Lines& out) {
  struct Row {
    const LoweredOperation* op;
    kernels::Price price;
    kernels::Explanation why;
    double total;
  };
  std::vector<Row> rows;
  double sum = 0.0;
  for (const LoweredOperation& op : operations) {
    Row row{&op, {}, {}, 0.0};
    row.price = cost.price(op, &row.why);
    row.total = row.price.time.si() * op.count;
    sum += row.total;
    rows.push_back(std::move(row));
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.total > b.total; });
  out.push_back(fmt::format("  {:<19}{:>5} {:>10} {:>10} {:>5}  {:<14}{}", "kernel", "calls", "each", "total",
                            "share", "limited by", "known"));
  for (const Row& row : rows) {
    out.push_back(fmt::format("  {:<19}{:>5.0f} {:>7.2f} us {:>7.3f} ms {:>4.0f}%  {:<14}{}", row.op->name,
                              row.op->count, row.price.time.si() * 1e6, row.total * 1e3,
                              100.0 * row.total / sum, json::name_of(row.price.limiter),
                              json::name_of(row.price.provenance)));
  }
  for (std::size_t i = 0; i < rows.size() && i < 3; ++i) {
    for (const std::string& line : rows[i].why.lines) {
      out.push_back(fmt::format("  {}: {}", rows[i].op->name, line));
    }
  }
  return sum;
}

void explain_tpot(const ServingScenario& s, const ServingOutcome& o, const Result& result, StepCost& cost,
                  Lines& out) {
  if (o.decode_seconds <= 0.0) {
    out.push_back("no step of this run was a pure decode step");
    return;
  }
  const double batch_mean = o.decode_sequence_seconds / o.decode_seconds;
  const double context = o.context_token_seconds / std::max(1e-12, o.decode_sequence_seconds);
  const std::int64_t batch = std::max<std::int64_t>(1, std::llround(batch_mean));
  out.push_back(fmt::format(
      "a decode step at the run's mean batch of {:.1f} sequences and mean context of {:.0f} tokens:",
      batch_mean, context));
  std::vector<LoweredOperation> operations;
  cost.lowering().body(cost.padded(batch), operations);
  cost.lowering().head(batch, operations);
  cost.lowering().decode_attention(batch, context, operations);
  const double kernels = explain_operations(cost, operations, out);
  const double overhead = cost.overhead(batch, batch, kernels);
  const double step = kernels + overhead;
  out.push_back(fmt::format("step = kernels {} + CPU {} (scheduling and sampling output, {}) = {}",
                            ms(kernels), ms(overhead), s.profile.name, ms(step)));
  out.push_back(fmt::format("floor: weights {:.2f} GB / {:.2f} TB/s datasheet = {}", gb(o.memory.weights),
                            s.gpu.memory_bandwidth.si() / 1e12,
                            ms((o.memory.weights / s.gpu.memory_bandwidth).si())));
  const double tpot = result.number("serving.tpot.mean");
  out.push_back(
      fmt::format("TPOT mean = {} = that step + {} from steps that carried prompts, preemption and variation "
                  "of the batch",
                  ms(tpot), ms(tpot - step)));
}

void explain_ttft(const ServingScenario& s, const ServingOutcome& o, const Result& result, StepCost& cost,
                  Lines& out) {
  const double mean_prompt = o.measured > 0 ? o.prompt_tokens / static_cast<double>(o.measured) : 1.0;
  const std::int64_t prompt = std::max<std::int64_t>(1, std::llround(mean_prompt));
  std::vector<LoweredOperation> operations;
  cost.lowering().body(prompt, operations);
  cost.lowering().head(1, operations);
  cost.lowering().prefill_attention(prompt, prompt, operations);
  out.push_back(fmt::format("a prompt of the mean length, {} tokens, alone in one step:", prompt));
  const double kernels = explain_operations(cost, operations, out);
  const double alone = kernels + cost.overhead(1, prompt, kernels);
  const double queue = o.queueing.mean();
  const double ttft = result.number("serving.ttft.mean");
  const double rest = ttft - queue - alone;
  out.push_back(
      fmt::format("wait = from arrival to the first step that carries the prompt: mean {} (of which {} for "
                  "HTTP and tokenisation, {})",
                  ms(queue), ms(s.profile.request_overhead.si()), s.profile.name));
  out.push_back(
      fmt::format("TTFT mean = wait {} + prompt alone {} + {} for sharing its steps with other sequences and "
                  "for longer prompts = {}",
                  ms(queue), ms(alone), ms(rest), ms(ttft)));
}

void explain_throughput(const ServingOutcome& o, const Result& result, const ServingScenario& s, Lines& out) {
  const double window = (o.window_end - o.window_start).si();
  out.push_back(fmt::format("window = first measured arrival {:.3f} s to last completion {:.3f} s = {:.3f} s",
                            o.window_start.si(), o.window_end.si(), window));
  out.push_back(fmt::format("output tokens {:.0f} / {:.3f} s = {:.2f} tokens/s; over {} GPUs {:.2f}",
                            o.output_tokens, window, result.number("serving.output_tokens_per_s"),
                            s.gpus_used(), result.number("serving.output_tokens_per_s_per_gpu")));
  out.push_back(
      fmt::format("with prompts {:.0f} + {:.0f} tokens = {:.2f} tokens/s; {} requests = {:.4f} requests/s",
                  o.prompt_tokens, o.output_tokens, result.number("serving.total_tokens_per_s"), o.measured,
                  result.number("serving.requests_per_s")));
  out.push_back(fmt::format("goodput = requests/s x SLO attainment = {:.4f} x {} / {} = {:.4f}",
                            result.number("serving.requests_per_s"), o.attained, o.measured,
                            result.number("serving.goodput_requests_per_s")));
}

void explain_money(const ServingScenario& s, const ServingOutcome& o, const Result& result, Lines& out) {
  const int gpus = s.gpus_used();
  const json::Value* source = result.provenance.find("cost");
  if (s.rates.chosen != nullptr) {
    const Lines steps = explain_way(*s.rates.chosen, result.number("power.mean") / gpus);
    out.insert(out.end(), steps.begin(), steps.end());
    out.push_back(fmt::format("usd_per_hour = {} GPUs x ${:.3f} = ${:.2f}", gpus,
                              result.number("cost.usd_per_hour") / gpus, result.number("cost.usd_per_hour")));
  } else {
    out.push_back(source != nullptr ? source->string() : "");
  }
  out.push_back(fmt::format("per million output tokens = ${:.2f}/h / 3600 / {:.2f} tokens/s x 1e6 = ${:.4f}",
                            result.number("cost.usd_per_hour"), result.number("serving.output_tokens_per_s"),
                            result.number("cost.usd_per_million_output_tokens")));
  out.push_back(
      fmt::format("power = {} x (TDP {:.0f} W x (0.15 + 0.55 x HBM {:.3f} + 0.30 x matrix {:.3f}) + host "
                  "share) = {:.0f} W [assumed model]",
                  gpus, s.gpu.tdp.si(), o.resource_hbm, o.resource_sm, result.number("power.mean")));
  out.push_back(fmt::format("energy per token = {:.0f} W / {:.2f} tokens/s = {:.3f} J",
                            result.number("power.mean"), result.number("serving.total_tokens_per_s"),
                            result.number("cost.energy_per_token")));
}

void explain_utilisation(const ServingScenario& s, const ServingOutcome& o, Lines& out) {
  const double peak = s.gpu.peak(s.deployment.activations).value_or(s.gpu.vector_fp32_peak).si();
  const double span = o.end.si() * s.replicas;
  out.push_back(
      fmt::format("over {:.3f} s x {} replicas, one representative GPU each:", o.end.si(), s.replicas));
  out.push_back(
      fmt::format("sm     = {:.4g} FLOP / ({:.4g} FLOP/s x {:.1f} s) = {:.4f} [peak: datasheet, dense {}]",
                  o.use.flops, peak, span, o.resource_sm, json::name_of(s.deployment.activations)));
  out.push_back(fmt::format("hbm    = {:.4g} B / ({:.4g} B/s x {:.1f} s) = {:.4f} [bandwidth: datasheet]",
                            o.use.hbm_bytes + o.swap_bytes, s.gpu.memory_bandwidth.si(), span,
                            o.resource_hbm));
  out.push_back(fmt::format("nvlink = {:.4g} B / ({:.4g} B/s x {:.1f} s) = {:.4f}", o.use.link_bytes,
                            s.gpu.scale_up_bandwidth.si(), span, o.resource_link));
  out.push_back(fmt::format("pcie   = {:.4g} B of swapped KV = {:.4f}", o.swap_bytes, o.resource_pcie));
}

bool starts_with_any(const std::string& text, std::initializer_list<std::string_view> prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view p) { return text.rfind(p, 0) == 0; });
}

}  // namespace

std::vector<std::string> headline_metrics() {
  return {"serving.kv_blocks",           "serving.tpot.mean", "serving.ttft.mean",
          "serving.output_tokens_per_s", "util.hbm",          "cost.usd_per_million_output_tokens"};
}

ExplanationText explain_metric(const ServingScenario& s, const ServingOutcome& o, const Result& result,
                               StepCost& cost, const std::string& name) {
  const Metric* metric = result.find(name);
  if (metric == nullptr) {
    std::vector<std::string> names;
    for (const Metric& m : result.metrics) {
      names.push_back(m.name);
    }
    throw InputError(Problem{"metric", "\"" + name.substr(0, 60) + "\"", "a metric of this scenario",
                             did_you_mean(name, names)});
  }
  ExplanationText text;
  text.title = fmt::format(
      "{} = {}", name,
      metric->value.is_number() ? fmt::format("{:.6g}", metric->value.number()) : json::dump(metric->value));
  if (metric->interval80) {
    text.title +=
        fmt::format("   80 % interval [{:.4g}, {:.4g}]", (*metric->interval80)[0], (*metric->interval80)[1]);
  }
  Lines& out = text.lines;
  if (starts_with_any(name, {"serving.kv_blocks", "serving.memory"})) {
    explain_memory(s, o, out);
  } else if (starts_with_any(name, {"serving.tpot", "serving.itl", "serving.time_share"})) {
    explain_tpot(s, o, result, cost, out);
  } else if (starts_with_any(name, {"serving.ttft", "serving.queue"})) {
    explain_ttft(s, o, result, cost, out);
  } else if (starts_with_any(name, {"serving.e2e"})) {
    const double outputs = o.measured > 0 ? o.output_tokens / static_cast<double>(o.measured) : 0.0;
    out.push_back(fmt::format(
        "E2E = TTFT + (output tokens - 1) x TPOT, request by request; of the means: {} + ({:.1f} - 1) x {} = "
        "{}",
        ms(result.number("serving.ttft.mean")), outputs, ms(result.number("serving.tpot.mean")),
        ms(result.number("serving.ttft.mean") + (outputs - 1.0) * result.number("serving.tpot.mean"))));
    out.push_back(fmt::format(
        "mean over {} requests = {} (differs where long outputs ran at another TPOT than short ones)",
        o.measured, ms(result.number("serving.e2e.mean"))));
  } else if (name == "cost.capex") {
    out = explain_outlay(*s.rates.bought);
  } else if (starts_with_any(name, {"cost.", "power."})) {
    explain_money(s, o, result, out);
  } else if (starts_with_any(name, {"util.", "serving.busy_fraction"})) {
    explain_utilisation(s, o, out);
  } else if (starts_with_any(name, {"serving.output_tokens", "serving.total_tokens", "serving.requests",
                                    "serving.goodput", "serving.slo"})) {
    explain_throughput(o, result, s, out);
  } else if (starts_with_any(name, {"serving.kv_utilisation"})) {
    out.push_back(fmt::format(
        "mean = integral of used blocks {:.0f} block-seconds / ({} blocks x {} replicas x {:.3f} s)",
        o.kv_block_seconds, o.memory.kv_blocks, s.replicas, o.end.si()));
    out.push_back(
        fmt::format("max  = {} / {} blocks of the fullest replica", o.kv_blocks_max, o.memory.kv_blocks));
  } else if (starts_with_any(name, {"serving.batch"})) {
    out.push_back(
        fmt::format("running sequences, weighted by busy time: {:.1f} sequence-seconds / {:.3f} busy seconds",
                    o.running_seconds, o.busy_seconds));
  } else {
    out.push_back("counted during the run");
  }
  return text;
}

}  // namespace gpuplan::sim
