// Kernels of a serving run, against the run's own sums.
#include "sim/report/serving_kernels.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "sim/serving/simulation.h"

using namespace gpuplan;
using namespace gpuplan::sim;

namespace {

const Library& library() {
  static const Library loaded = Library::load(GPUPLAN_SOURCE_DIR);
  return loaded;
}

struct Profiled {
  ServingOutcome outcome;
  KernelTable table;
  ServingScenario scenario;
};

Profiled profile(const std::string& traffic, const std::vector<std::string>& sets = {}) {
  json::Value document = json::parse(
      R"({"schema": 1, "kind": "serving", "name": "t", "machine": {"gpu": "H100-SXM5-80GB", "gpus": 1},
    "model": "llama-2-13b", "precision": {"weights": "fp16"}, "engine": {"max_model_len": 4096}, "traffic": )" +
          traffic + "}",
      "test");
  for (const std::string& set : sets) {
    set_path(document, set);
  }
  Profiled out;
  out.scenario = resolve_serving(document, "test", ".", library());
  ServingKernels kernels;
  out.outcome = simulate_serving(out.scenario, library().data_dir, &kernels);
  out.table = kernels.table(out.scenario, library().data_dir);
  return out;
}

double seconds_of(const KernelTable& table, std::initializer_list<std::string_view> names) {
  double sum = 0.0;
  for (const KernelUse& use : table.by_time()) {
    for (const std::string_view name : names) {
      sum += use.name == name ? use.seconds : 0.0;
    }
  }
  return sum;
}

double calls_of(const KernelTable& table, std::string_view name) {
  for (const KernelUse& use : table.by_time()) {
    if (use.name == name) {
      return use.calls;
    }
  }
  return 0.0;
}

// Every part of the outcome's kernel time, and what the kernels used.
void check_parts(const Profiled& p, double tolerance) {
  const StepUse& use = p.outcome.use;
  const auto part = [&](StepPart which) { return use.seconds[static_cast<std::size_t>(which)]; };
  const auto same = [&](double a, double b) {
    INFO(a << " against " << b);
    CHECK(std::abs(a - b) <= tolerance * std::max(a, b));
  };
  same(seconds_of(p.table, {"qkv_proj", "o_proj", "gate_up_proj", "down_proj", "router", "lm_head"}),
       part(StepPart::gemm));
  same(seconds_of(p.table, {"experts"}), part(StepPart::experts));
  same(seconds_of(p.table, {"decode_attention"}), part(StepPart::attention_decode));
  same(seconds_of(p.table, {"prefill_attention"}), part(StepPart::attention_prefill));
  same(seconds_of(p.table, {"input_norm", "post_attention_norm", "qk_norm", "activation", "final_norm"}),
       part(StepPart::norm_activation));
  same(seconds_of(p.table, {"embedding", "sampler"}), part(StepPart::embedding_sampling));
  same(seconds_of(p.table, {"all_reduce"}), part(StepPart::all_reduce));
  const double copies = seconds_of(p.table, {"swap_copy"});
  same(copies, p.outcome.swap_seconds);
  same(p.table.seconds() - copies, use.time);
  same(p.table.seconds() - copies, p.outcome.busy_seconds - p.outcome.overhead_seconds);
  const KernelUse total = p.table.total();
  same(total.flops, use.flops);
  same(total.hbm_bytes, use.hbm_bytes + p.outcome.swap_bytes);
  same(total.link_bytes, use.link_bytes + p.outcome.swap_bytes);
}

const std::string kPoisson = R"({"arrivals": {"rate": 6}, "requests": 300,
  "prompt": {"distribution": "lognormal", "mean": 700, "p50": 500, "max": 3000},
  "output": {"distribution": "lognormal", "mean": 150, "p50": 100, "max": 900}})";

}  // namespace

TEST_CASE("the kernels of one request, counted by hand") {
  // 512 prompt tokens in one step, then 127 decode steps, of 40 layers each; one head a step.
  const Profiled p = profile(
      R"({"arrivals": {"process": "burst"}, "requests": 1, "prompt": {"mean": 512}, "output": {"mean": 128}})");
  CHECK(calls_of(p.table, "qkv_proj") == 40.0 * 128.0);
  CHECK(calls_of(p.table, "prefill_attention") == 40.0);
  CHECK(calls_of(p.table, "decode_attention") == Approx(40.0 * 127.0));
  CHECK(calls_of(p.table, "lm_head") == 128.0);
  CHECK(calls_of(p.table, "all_reduce") == 0.0);
  check_parts(p, 1e-3);
  // The largest is the GEMM with the most weights, at 2 x 27648 x 5120 B a call: HBM-bound, 75 to 95 % of
  // 3.352 TB/s.
  const KernelUse largest = p.table.by_time().front();
  CHECK(largest.name == "gate_up_proj");
  CHECK(largest.limiter() == kernels::Limiter::hbm_bandwidth);
  CHECK(largest.hbm_bytes / largest.calls == Approx(2.0 * 27648.0 * 5120.0).epsilon(0.01));
  CHECK(largest.hbm_share(p.scenario.gpu.memory_bandwidth) > 0.75);
  CHECK(largest.hbm_share(p.scenario.gpu.memory_bandwidth) < 0.95);
  CHECK(largest.occupancy().value() <= 12.0 / 64.0);
}

TEST_CASE("a run's kernels sum to its kernel time, part by part") {
  check_parts(profile(kPoisson), 0.01);
  check_parts(profile(kPoisson, {"machine.gpus=4", "parallelism.tensor_parallel=2"}), 0.01);
  check_parts(profile(kPoisson, {"model=mixtral-8x7b", "machine.gpus=2", "parallelism.tensor_parallel=2"}),
              0.01);
  check_parts(profile(kPoisson, {"engine.cuda_graphs=false", "engine.max_num_batched_tokens=256"}), 0.01);
}

TEST_CASE("swap copies are a row of their own") {
  const Profiled p = profile(
      R"({"arrivals": {"process": "burst"}, "requests": 60, "prompt": {"mean": 200}, "output": {"mean": 300}})",
      {"engine.num_gpu_blocks=200", "engine.preemption=swap"});
  REQUIRE(p.outcome.swap_seconds > 0.0);
  check_parts(p, 0.01);
  CHECK(calls_of(p.table, "swap_copy") > 0.0);
}

TEST_CASE("an observer of kernels changes nothing, alone or with others") {
  struct Steps final : ServingObserver {
    void on_step(const StepRecord& step) override { steps += step.copy ? 0 : step.steps; }
    std::int64_t steps = 0;
  };
  const Profiled p = profile(kPoisson);
  const ServingOutcome plain = simulate_serving(p.scenario, library().data_dir);
  CHECK(plain.busy_seconds == p.outcome.busy_seconds);
  CHECK(plain.use.time == p.outcome.use.time);
  Steps steps;
  ServingKernels kernels;
  ObserverList both;
  CHECK_FALSE(both.wants_batches());
  both.add(steps);
  CHECK_FALSE(both.wants_batches());
  both.add(kernels);
  CHECK(both.wants_batches());
  const ServingOutcome watched = simulate_serving(p.scenario, library().data_dir, &both);
  CHECK(steps.steps == watched.steps);
  CHECK(json::dump(to_json(kernels.table(p.scenario, library().data_dir), BytesPerSecond(1e12))) ==
        json::dump(to_json(p.table, BytesPerSecond(1e12))));
}

TEST_CASE("a GPU whose capability nobody knows has no occupancy, but all the rest") {
  const Profiled p = profile(kPoisson, {"machine.gpu=MI300X"});
  check_parts(p, 0.01);
  for (const KernelUse& use : p.table.by_time()) {
    CHECK_FALSE(use.occupancy().has_value());
  }
}
