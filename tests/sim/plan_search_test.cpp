// The search over splits: kept prices against fresh ones, the space, the order of plans.
#include <catch2/catch.hpp>
#include <set>

#include "sim/plan/training_plan.h"
#include "sim/report/training_report.h"
#include "tests/sim/sim_testing.h"
#include "workloads/memory/training_memory.h"
#include "workloads/traffic/random.h"

using namespace gpuplan;
using namespace gpuplan::sim;

namespace {

TrainingScenario scenario_of(const std::string& text) {
  return resolve_training(json::parse(text, "test"), "test", ".", library());
}

const collectives::CollectiveModel& collective_model() {
  static const auto model = collectives::CollectiveModel::load(library().data_dir);
  return model;
}

const char* kBatch = R"("batch": {"global_batch": 64, "seq_len": 8192}})";

}  // namespace

TEST_CASE("Kept prices give the same step as fresh ones, over every kind of split") {
  const std::vector<std::string> jobs = {
      R"({"schema": 1, "kind": "training", "machine": {"gpu": "H100-SXM5-80GB", "nodes": 4},
          "model": "llama-2-13b", "plan": {"exhaustive": true, "offload": ["none", "optimizer"], "tensor": [1, 4], "micro_batch": [1, 4]}, )",
      R"({"schema": 1, "kind": "training", "machine": {"gpu": "A100-SXM4-80GB", "nodes": 2},
          "model": "mixtral-8x7b", "plan": {"exhaustive": true, "pipeline": [1, 2], "tensor": [1, 2]}, "software": {"framework": "fsdp"}, )",
      R"({"schema": 1, "kind": "training", "machine": {"gpu": "A100-SXM4-80GB", "nodes": 2},
          "model": "gpt3-175b", "plan": {"exhaustive": true, "pipeline": [1, 4], "micro_batch": [1, 2]}, "software": {"framework": "deepspeed"}, )"};
  for (const std::string& job : jobs) {
    const TrainingScenario s = scenario_of(job + kBatch);
    const TrainingSpace space(s);
    const auto kernels = kernels::KernelModel::for_gpu(s.machine.gpu, library().data_dir);
    PlanEvaluator kept(space, kernels, collective_model(), {}, s.machine.nodes);
    const TrainingEstimator fresh(s.machine, kernels, collective_model());
    Random random(5, 0);
    int compared = 0;
    for (const PlanSplit& split : space.splits()) {
      space.each(split, [&](const PlanPoint& point) {
        if (random.uniform() > 0.0003 || !kept.check(point).empty()) {
          return true;
        }
        const PlanCandidate one = kept.price(point);
        TrainingJob alone = s.job;
        std::vector<Problem> problems;
        space.apply(point, alone);
        resolve_job(alone, "$", problems);
        CHECK(problems.empty());
        CHECK(one.step == fresh.estimate(alone, lower_training(alone)).step.si());
        CHECK(kept.memory() == plan_training_memory(s.machine.gpu, alone).peak().total().si());
        ++compared;
        return true;
      });
    }
    CHECK(compared > 100);
  }
}

TEST_CASE("The space holds each split once, and the scenario's own") {
  const TrainingScenario s = scenario_of(
      R"({"schema": 1, "kind": "training", "machine": {"gpu": "H100-SXM5-80GB", "nodes": 1},
          "model": "llama-2-7b", "parallelism": {"tensor": 2, "sharding": "zero1"}, )" +
      std::string(kBatch));
  const TrainingSpace space(s);
  // 8 GPUs over tensor x pipeline x data with seq 8192 / context >= 4096: context 1 (10 products of three) or
  // 2 (6 products of the 4 left).
  CHECK(space.splits().size() == 16);
  std::set<PlanPoint> seen;
  std::size_t count = 0;
  for (const PlanSplit& split : space.splits()) {
    space.each(split, [&](const PlanPoint& point) {
      seen.insert(point);
      ++count;
      return true;
    });
  }
  CHECK(seen.size() == count);
  std::int64_t counted = 0;
  for (const PlanSplit& split : space.splits()) {
    counted += space.size_of(split);
  }
  CHECK(counted == static_cast<std::int64_t>(count));
  CHECK(seen.contains(space.own()));
}

TEST_CASE("A search finds the least of all it looks at, whatever the number of workers") {
  const TrainingScenario s = scenario_of(
      R"({"schema": 1, "kind": "training", "machine": {"gpu": "H100-SXM5-80GB", "nodes": 2},
          "model": "llama-2-13b", "plan": {"memory_margin": 0.1}, )" +
      std::string(kBatch));
  const auto kernels = kernels::KernelModel::for_gpu(s.machine.gpu, library().data_dir);
  const SearchResult one = search_training(s, kernels, collective_model());
  SearchOptions options;
  options.jobs = 3;
  double last = 0.0;
  options.progress = [&](double done, double left) {
    CHECK(done >= last);
    CHECK(left >= 0.0);
    last = done;
  };
  const SearchResult three = search_training(s, kernels, collective_model(), options);
  CHECK(one.complete());
  CHECK(last == Approx(1.0).margin(0.02));  // of all candidates, counted beforehand
  CHECK(three.candidates == one.candidates);
  CHECK(three.legal == one.legal);
  CHECK(three.fit == one.fit);
  CHECK(three.illegal == one.illegal);
  REQUIRE(three.best.size() == one.best.size());
  REQUIRE(three.front.size() == one.front.size());
  for (std::size_t i = 0; i < one.best.size(); ++i) {
    CHECK(three.best[i].point == one.best[i].point);
  }
  for (std::size_t i = 0; i < one.front.size(); ++i) {
    CHECK(three.front[i].point == one.front[i].point);
  }
  // By hand: every point once more.
  const TrainingSpace space(s);
  PlanEvaluator prices(space, kernels, collective_model(), {}, 2);
  const double limit = 0.9 * plan_training_memory(s.machine.gpu, s.job).usable.si();
  double least = 1e300;
  for (const PlanSplit& split : space.splits()) {
    space.each(split, [&](const PlanPoint& point) {
      if (prices.check(point).empty() && prices.memory() <= limit) {
        least = std::min(least, prices.price(point).step);
      }
      return true;
    });
  }
  CHECK(one.best.front().step == least);
  CHECK(one.best.front().memory <= limit);
  // On the front, what is faster takes more memory.
  for (std::size_t i = 1; i < one.front.size(); ++i) {
    CHECK(one.front[i].step >= one.front[i - 1].step);
    CHECK(one.front[i].memory < one.front[i - 1].memory);
  }
  // Among equals the simplest.
  const PlanCandidate& chosen = recommended(one.best, 0.05);
  CHECK(chosen.step <= 1.05 * least);
  for (const PlanCandidate& other : one.best) {
    if (other.step <= 1.05 * least) {
      CHECK(complexity(chosen.point) <= complexity(other.point));
    }
  }
}

TEST_CASE("A search that is stopped hands back what it has") {
  const TrainingScenario s = scenario_of(
      R"({"schema": 1, "kind": "training", "machine": {"gpu": "H100-SXM5-80GB", "nodes": 2},
          "model": "llama-2-13b", )" +
      std::string(kBatch));
  const auto kernels = kernels::KernelModel::for_gpu(s.machine.gpu, library().data_dir);
  volatile std::sig_atomic_t stop = 0;
  SearchOptions options;
  options.stop = &stop;
  int ticks = 0;
  options.progress = [&](double, double) {
    if (++ticks == 3) {
      stop = 1;
    }
  };
  const SearchResult part = search_training(s, kernels, collective_model(), options);
  CHECK_FALSE(part.complete());
  CHECK(part.splits_done < part.splits);
  CHECK(part.candidates > 0);
}

TEST_CASE("A plan is never slower than the scenario's own split") {
  // 126 layers over 16 stages of 4 chunks: even only with embedding and head as layers.
  const json::Value layout =
      json::parse_file(std::string(GPUPLAN_SOURCE_DIR) + "/scenarios/training/llama3.1-405b-16384xh100.json");
  const TrainingScenario s = resolve_training(layout, "405b", ".", library());
  const TrainingSpace space(s);
  bool found = false;
  for (const PlanSplit& split : space.splits()) {
    if (split.tensor == 8 && split.pipeline == 16 && split.context == 1) {
      space.each(split, [&](const PlanPoint& point) {
        found = found || point == space.own();
        return !found;
      });
    }
  }
  CHECK(found);
  const TrainingPlan plan = plan_training(s, library());
  REQUIRE(plan.own);
  CHECK(plan.top.front().step <= plan.own->step);
  CHECK(plan.own->step.si() == Approx(simulate_training(s, library()).estimate.step.si()).epsilon(1e-12));
}
