// What a plan trades off: prices by hand, numbers of nodes, placements.
#include <catch2/catch.hpp>
#include <set>

#include "sim/plan/training_plan.h"
#include "sim/report/training_report.h"
#include "tests/sim/sim_testing.h"

using namespace gpuplan;
using namespace gpuplan::sim;

namespace {

TrainingScenario scenario_of(const std::string& rest) {
  return resolve_training(json::parse(R"({"schema": 1, "kind": "training", "model": "llama-2-13b",
                      "batch": {"global_batch": 256, "seq_len": 4096}, )" +
                                          rest + "}",
                                      "test"),
                          "test", ".", library(), SplitCheck::open);
}
SearchResult searched(const TrainingScenario& s, int jobs = 1) {
  const auto kernels = kernels::KernelModel::for_gpu(s.machine.gpu, library().data_dir);
  SearchOptions options;
  options.jobs = jobs;
  return search_training(s, kernels, collectives::CollectiveModel::load(library().data_dir), options);
}

}  // namespace

TEST_CASE("Hours of rented and of owned GPUs by hand") {
  const std::string machine = R"("machine": {"gpu": "H100-SXM5-80GB", "nodes": 2})";
  const TrainingRates rented = scenario_of(machine + R"(, "cost": {"usd_per_gpu_hour": 2.5})").rates;
  CHECK(rented.hourly(0.0) == 2.5);  // the rent holds the electricity
  CHECK(rented.hourly(1.0) == 2.5);
  // DGX H100: 10.2 kW over 8 GPUs, of 700 W each.
  CHECK(rented.watts(1.0) == Approx(700.0 + (10200.0 / 8.0 - 700.0)));
  CHECK(rented.watts(0.0) == Approx(0.15 * 700.0 + 575.0));
  // USD 25,000 with server (1.64) and network (1.23) over 5 years of 8,766 hours: 1.1506 an hour. 1.275 kWh
  // at 0.0826 and a PUE of 1.25: 0.1316.
  const TrainingRates owned =
      scenario_of(machine + R"(, "cost": {"owned": true, "usd_per_gpu": 25000})").rates;
  CHECK(*owned.usd_per_hour == Approx(1.1506).epsilon(1e-4));
  CHECK(owned.hourly(1.0) == Approx(1.1506 + 0.1316).epsilon(1e-3));
  const TrainingRates dear = scenario_of(machine + R"(, "cost": {"owned": true, "usd_per_gpu": 25000,
      "years": 2.5, "usd_per_kwh": 0.3, "pue": 1.0})")
                                 .rates;
  CHECK(*dear.usd_per_hour == Approx(2.0 * 1.1506).epsilon(1e-4));
  CHECK(dear.hourly(1.0) - *dear.usd_per_hour == Approx(1.275 * 0.3));
  // A GPU that nobody sells has no price to write off.
  try {
    scenario_of(R"("machine": {"gpu": "B300-SXM"}, "cost": {"owned": true})");
    FAIL("no price was missed");
  } catch (const InputError& error) {
    CHECK(std::string(error.what()).find("$.cost.usd_per_gpu") != std::string::npos);
  }
}

TEST_CASE("Over numbers of nodes time, memory and money trade off") {
  const std::string job = R"("machine": {"gpu": "H100-SXM5-80GB", "nodes": 2},
      "cost": {"owned": true, "usd_per_gpu": 25000}, "plan": {"nodes": [1, 2, 8]})";
  const TrainingScenario s = scenario_of(job);
  const SearchResult found = searched(s);
  REQUIRE(found.by_nodes.size() == 3);
  // More GPUs are faster; the gradients that they exchange make a token dearer.
  CHECK(found.by_nodes.at(1).step > found.by_nodes.at(2).step);
  CHECK(found.by_nodes.at(2).step > found.by_nodes.at(8).step);
  CHECK(found.best.front().point == found.by_nodes.at(8).point);
  REQUIRE(found.cheapest() != nullptr);
  CHECK(found.cheapest()->point.nodes < 8);
  CHECK(found.cheapest()->cost < found.best.front().cost);
  // A cost by hand: 64 GPUs for a step of 256 x 4,096 tokens; between idle and busy electricity.
  const PlanCandidate& best = found.best.front();
  const double gpu_hours = 64.0 * best.step / 3600.0, mtokens = 256.0 * 4096.0 / 1e6;
  CHECK(best.cost > s.rates.hourly(0.0) * gpu_hours / mtokens);
  CHECK(best.cost < s.rates.hourly(1.0) * gpu_hours / mtokens);
  // Nobody on the front is beaten in all three.
  for (const PlanCandidate& a : found.front) {
    for (const PlanCandidate& b : found.front) {
      CHECK((a.point == b.point || b.step > a.step || b.memory > a.memory || b.cost > a.cost));
    }
  }
  std::set<int> nodes;
  for (const PlanCandidate& one : found.front) {
    nodes.insert(one.point.nodes);
  }
  CHECK(nodes.size() > 1);
  // The same from several processes.
  const SearchResult three = searched(s, 3);
  CHECK(three.by_nodes.at(2).point == found.by_nodes.at(2).point);
  CHECK(three.cheapest()->point == found.cheapest()->point);
  CHECK(three.front.size() == found.front.size());
}

TEST_CASE("Placements: those that a split can tell apart, and prices that follow them") {
  const TrainingScenario s = scenario_of(
      R"("machine": {"gpu": "H100-SXM5-80GB", "nodes": 2}, "plan": {"placements": true, "context": [1]})");
  const TrainingSpace space(s);
  const auto orders = [&](int tensor, int pipeline) {
    std::set<int> out;
    for (const PlanSplit& split : space.splits()) {
      if (split.tensor == tensor && split.pipeline == pipeline) {
        space.each(split, [&](const PlanPoint& point) {
          out.insert(point.order);
          return true;
        });
      }
    }
    return out.size();
  };
  // Tensor, data and pipeline: tensor or data or pipeline innermost, the first with either next: 4 of the
  // table's nine without context. Two of them: two orders. One: one.
  CHECK(orders(2, 2) == 4);
  CHECK(orders(2, 1) == 2);
  CHECK(orders(1, 1) == 1);
  const TrainingScenario node = scenario_of(R"("machine": {"gpu": "H100-SXM5-80GB", "nodes": 1},
                                           "plan": {"exhaustive": true, "tensor": [2], "pipeline": [2]})");
  const TrainingSpace alone(node);
  alone.each(alone.splits().front(), [&](const PlanPoint& point) {
    CHECK(point.order == 0);  // within a node all places are equal
    return point.order == 0;
  });
  const TrainingScenario all = scenario_of(R"("machine": {"gpu": "H100-SXM5-80GB", "nodes": 2},
      "plan": {"exhaustive": true, "tensor": [1, 2], "pipeline": [1, 4], "micro_batch": [1, 2]})");
  const TrainingSpace many(all);
  std::int64_t visited = 0, expected = 0;
  for (const PlanSplit& split : many.splits()) {
    expected += many.size_of(split);
    many.each(split, [&](const PlanPoint&) {
      ++visited;
      return true;
    });
  }
  CHECK(visited == expected);
  // Tensor 8 across two nodes exchanges its activations over the network: slower than within one.
  const auto kernels = kernels::KernelModel::for_gpu(s.machine.gpu, library().data_dir);
  const auto collectives = collectives::CollectiveModel::load(library().data_dir);
  PlanEvaluator prices(space, kernels, collectives, {}, 2);
  PlanPoint point{.nodes = 2, .tensor = 8, .data = 2, .sequence_parallel = true};
  REQUIRE(prices.check(point).empty());
  const double within = prices.price(point).step;
  point.order = 5;  // data innermost
  REQUIRE(placement_orders()[5].front() == Group::data);
  REQUIRE(prices.check(point).empty());
  CHECK(prices.price(point).step > 1.1 * within);
}
