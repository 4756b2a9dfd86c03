// Properties of serving runs: conservation, skipping ahead against single steps, preemption, overload.
#include <catch2/catch.hpp>
#include <random>

#include "sim/report/serving_report.h"
#include "sim/serving/simulation.h"

using namespace gpuplan;
using namespace gpuplan::sim;

namespace {

const Library& library() {
  static const Library loaded = Library::load(GPUPLAN_SOURCE_DIR);
  return loaded;
}

json::Value base(const std::string& traffic) {
  return json::parse(
      R"({"schema": 1, "kind": "serving", "name": "t", "machine": {"gpu": "H100-SXM5-80GB", "gpus": 1},
    "model": "llama-2-13b", "precision": {"weights": "fp16"}, "engine": {"max_model_len": 4096}, "traffic": )" +
          traffic + "}",
      "test");
}

ServingOutcome run(json::Value document, const std::vector<std::string>& sets = {},
                   ServingObserver* observer = nullptr) {
  for (const std::string& set : sets) {
    set_path(document, set);
  }
  return simulate_serving(resolve_serving(document, "test", ".", library()), library().data_dir, observer);
}

const std::string kPoisson = R"({"arrivals": {"rate": 6}, "requests": 300,
  "prompt": {"distribution": "lognormal", "mean": 700, "p50": 500, "max": 3000},
  "output": {"distribution": "lognormal", "mean": 150, "p50": 100, "max": 900}})";

// Follows tokens and blocks through a run.
class Auditor final : public ServingObserver {
 public:
  void on_step(const StepRecord& step) override {
    CHECK(step.start >= last_);
    CHECK(step.end >= step.start);
    last_ = step.end;
  }
  void on_finish(const RequestRecord& request) override {
    ++finished;
    outputs += request.output;
    CHECK(request.arrival <= request.admitted);
    CHECK(request.admitted < request.first_token);
    CHECK(request.first_token <= request.finish);
  }
  std::int64_t finished = 0, outputs = 0;

 private:
  Seconds last_;
};

}  // namespace

TEST_CASE("every request ends once, and every token is computed once without preemption") {
  Auditor auditor;
  const ServingOutcome o = run(base(kPoisson), {}, &auditor);
  CHECK(o.arrived == 300);
  CHECK(o.completed + o.rejected == 300);
  CHECK(auditor.finished == o.completed);
  CHECK(o.preemptions == 0);
  // Prompt tokens plus all output tokens but the last of each request pass through the model.
  CHECK(o.computed_tokens == o.prompt_tokens + o.output_tokens - static_cast<double>(o.completed));
  CHECK(o.itl.count() == o.output_tokens - static_cast<double>(o.completed));
  CHECK(static_cast<double>(auditor.outputs) == o.output_tokens);
}

TEST_CASE("a run of steps played as one is the same as step by step") {
  // Runs are cut by arrivals; with arrivals every few milliseconds hardly any run is longer than a step, with
  // none after the start all are. Both must agree with the closed form: same requests, same total time as the
  // sum of steps recorded one by one.
  struct Sum final : ServingObserver {
    void on_step(const StepRecord& step) override {
      busy += (step.end - step.start).si();
      steps += step.steps;
      longest = std::max(longest, step.steps);
    }
    double busy = 0.0;
    std::int64_t steps = 0, longest = 0;
  };
  const std::string burst =
      R"({"arrivals": {"process": "burst"}, "requests": 4, "prompt": {"mean": 64}, "output": {"mean": 400}})";
  Sum whole;
  const ServingOutcome o = run(base(burst), {}, &whole);
  CHECK(whole.longest > 100);
  CHECK(whole.steps == o.steps);
  // A fifth request that comes in the middle cuts the run; the four others' tokens up to then are unchanged,
  // so the number of steps grows only by those that carry the newcomer alone.
  Sum cut;
  const std::string with_late =
      R"({"arrivals": {"process": "staged", "stages": [{"duration": 20, "rate": 0.4}]},
    "prompt": {"mean": 64}, "output": {"mean": 400}})";
  const ServingOutcome late = run(base(with_late), {}, &cut);
  CHECK(cut.steps == late.steps);
  CHECK(late.itl.count() == static_cast<double>(late.completed) * 399.0);
  CHECK(cut.busy <= late.end.si());
}

TEST_CASE("a prompt whose last chunk is one token still has a first token") {
  // 64 + 64 + 1 tokens: the third step carries one prompt token and emits the first output token.
  ServingOutcome o = run(
      base(
          R"({"arrivals": {"process": "burst"}, "requests": 1, "prompt": {"mean": 129}, "output": {"mean": 10}})"),
      {"engine.max_num_batched_tokens=64"});
  REQUIRE(o.completed == 1);
  CHECK(o.steps == 3 + 9);
  CHECK(o.itl.count() == 9.0);
  // TTFT is the three steps, e2e the rest at one gap a token.
  CHECK(o.ttft.mean() > 0.0);
  CHECK(o.e2e.mean() == Approx(o.ttft.mean() + 9.0 * o.tpot.mean()));
  CHECK(o.tpot.mean() == Approx(o.itl.mean()));
}

TEST_CASE("no figure of a request is negative") {
  ServingOutcome o = run(
      base(
          R"({"arrivals": {"rate": 30}, "requests": 2000, "prompt": {"distribution": "uniform", "min": 1, "max": 300},
    "output": {"distribution": "uniform", "min": 1, "max": 50}})"),
      {"engine.max_num_batched_tokens=128"});
  CHECK(o.ttft.quantile(0.0) > 0.0);
  CHECK(o.tpot.quantile(0.0) > 0.0);
  CHECK(o.queueing.quantile(0.0) >= 0.0);
  CHECK(o.ttft.mean() < o.ttft.quantile(1.0));
}

TEST_CASE("a cache that is too small preempts, and everything still ends") {
  const std::string traffic =
      R"({"arrivals": {"process": "burst"}, "requests": 60, "prompt": {"mean": 200}, "output": {"mean": 300}})";
  for (const std::string preemption : {"recompute", "swap"}) {
    for (const std::string scheduler : {"vllm_v1", "vllm_v0"}) {
      INFO(preemption << " " << scheduler);
      const ServingOutcome o = run(
          base(traffic),
          {"engine.num_gpu_blocks=200", "engine.preemption=" + preemption, "engine.scheduler=" + scheduler});
      CHECK(o.completed == 60);
      CHECK(o.preemptions > 0);
      CHECK(o.kv_blocks_max <= 200);
      CHECK((o.swap_bytes > 0.0) == (preemption == "swap"));
    }
  }
}

TEST_CASE("random small scenarios end, whatever the scheduler") {
  std::mt19937_64 random(7);
  const auto pick = [&](std::int64_t low, std::int64_t high) {
    return std::to_string(low +
                          static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(high - low + 1)));
  };
  for (int i = 0; i < 150; ++i) {
    const std::vector<std::string> sets = {
        "engine.num_gpu_blocks=" + pick(40, 400),
        "engine.max_num_seqs=" + pick(1, 40),
        "engine.max_num_batched_tokens=" + pick(600, 2048),
        std::string("engine.scheduler=") + (random() % 2 == 0 ? "vllm_v0" : "vllm_v1"),
        std::string("engine.preemption=") + (random() % 2 == 0 ? "swap" : "recompute"),
        std::string("engine.policy=") + (random() % 2 == 0 ? "fcfs" : "priority"),
        "engine.watermark=" + std::string(random() % 2 == 0 ? "0" : "0.02"),
        "seed=" + pick(1, 1000000),
        "traffic.requests=" + pick(1, 60),
        "traffic.arrivals.rate=" + pick(1, 200)};
    std::string all;
    for (const std::string& set : sets) {
      all += set + " ";
    }
    INFO(all);
    const ServingOutcome o = run(
        base(
            R"({"arrivals": {"rate": 5}, "requests": 20, "prompt": {"distribution": "uniform", "min": 1, "max": 500},
      "output": {"distribution": "uniform", "min": 1, "max": 200}})"),
        sets);
    REQUIRE(o.completed + o.rejected == o.arrived);
    REQUIRE(o.kv_blocks_max <= o.memory.kv_blocks);
  }
}

TEST_CASE("overload is said, not averaged away") {
  ServingOutcome calm = run(base(kPoisson), {"traffic.arrivals.rate=2"});
  CHECK_FALSE(calm.overloaded);
  const ServingOutcome heavy = run(base(kPoisson), {"traffic.arrivals.rate=200", "traffic.requests=3000"});
  CHECK(heavy.overloaded);
  CHECK(heavy.queue_growth > 10.0);
  CHECK(heavy.completed + heavy.rejected == 3000);
}

TEST_CASE("more bandwidth, more load and more GPUs act as they must") {
  ServingOutcome plain = run(base(kPoisson));
  json::Value fast = base(kPoisson);
  set_path(fast, R"(machine.gpu={"base": "H100-SXM5-80GB", "memory_bandwidth_gbps": 6704})");
  ServingOutcome doubled = run(fast);
  CHECK(doubled.tpot.mean() < 0.75 * plain.tpot.mean());
  ServingOutcome busier = run(base(kPoisson), {"traffic.arrivals.rate=12"});
  CHECK(busier.tpot.mean() > plain.tpot.mean());
  ServingOutcome two = run(base(kPoisson), {"machine.gpus=2"});
  CHECK(two.tpot.mean() < plain.tpot.mean());
  CHECK(two.ttft.quantile(0.9) <= plain.ttft.quantile(0.9));
}

TEST_CASE("a closed loop keeps its number of requests in flight") {
  const ServingOutcome o =
      run(base(R"({"arrivals": {"process": "closed_loop", "concurrency": 8}, "requests": 80,
    "prompt": {"mean": 100}, "output": {"mean": 50}})"));
  CHECK(o.completed == 80);
  CHECK(o.running_seconds / o.busy_seconds <= 8.0);
  CHECK(o.running_seconds / o.busy_seconds > 6.0);
}

TEST_CASE("a model that does not fit says by how much and what would") {
  json::Value document = base(kPoisson);
  set_path(document, "model=llama-3.1-70b");
  const ServingScenario s = resolve_serving(document, "test", ".", library());
  const std::optional<DoesNotFit> misfit = check_fit(s, library());
  REQUIRE(misfit);
  // 70.55e9 parameters x 2 B = 141.1e9 B against 76.5e9 B allowed.
  CHECK(misfit->short_by.si() > 141.1e9 - 76.6e9);
  CHECK(misfit->short_by.si() < 141.1e9 - 76.6e9 + 5e9);
  REQUIRE(misfit->remedies.size() >= 2);
  CHECK(misfit->remedies[0].find("tensor_parallel=2") != std::string::npos);
  CHECK_FALSE(check_fit(resolve_serving(base(kPoisson), "test", ".", library()), library()));
}
