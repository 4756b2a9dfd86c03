// What faults of the fabric leave to the groups of a training job, by hand.
#include <catch2/catch.hpp>
#include <cmath>

#include "sim/report/training_run_report.h"
#include "sim/scenario/serving_scenario.h"
#include "tests/sim/sim_testing.h"

using namespace gpuplan;
using namespace gpuplan::sim;

namespace {

json::Value rail(const std::vector<std::string>& changes = {}) {
  json::Value document =
      json::parse_file(std::string(GPUPLAN_SOURCE_DIR) + "/scenarios/training/loss-of-one-rail.json");
  for (const std::string& change : changes) {
    set_path(document, change);
  }
  return document;
}
TrainingScenario scenario(const std::vector<std::string>& changes = {}) {
  return resolve_training(rail(changes), "test", ".", library());
}
double network_left(const TrainingScenario& s, Group group) {
  return s.machine.losses[static_cast<std::size_t>(group)].network;
}

const std::vector<std::string> kTensor = {"parallelism.tensor=8", "parallelism.sharding=zero1",
                                          "recompute=full"};

}  // namespace

TEST_CASE("A rail down: rings over all GPUs keep seven eighths, a GPU a node half") {
  CHECK(network_left(scenario(), Group::shard) == Approx(7.0 / 8.0));
  // Eight data-parallel groups, one GPU of each node each. NICs 2 and 3 hang on the switch of GPUs 2 and 3:
  // both groups share NIC 3.
  const TrainingScenario tensor = scenario(kTensor);
  CHECK(network_left(tensor, Group::data) == Approx(0.5));
  CHECK(network_left(tensor, Group::tensor) == 1.0);  // inside the node
  // One NIC of one node is the same to both: NCCL keeps channels on rails that are whole everywhere, and the
  // slowest group decides.
  const std::string nic = R"(faults=[{"device": "node3/nic2"}])";
  CHECK(network_left(scenario({nic}), Group::shard) == Approx(7.0 / 8.0));
  std::vector<std::string> both = kTensor;
  both.push_back(nic);
  CHECK(network_left(scenario(both), Group::data) == Approx(0.5));
  // Two of eight rails.
  CHECK(network_left(scenario({R"(faults=[{"device": "leaf2"}, {"device": "leaf5"}])"}), Group::shard) ==
        Approx(6.0 / 8.0));
  // A NIC at half its speed: rings round all NICs wait for the slowest channel.
  CHECK(network_left(scenario({R"(faults=[{"device": "node0/nic1", "bandwidth": 0.5}])"}), Group::shard) ==
        Approx(0.5));
  // Rails never leave their leaf: a spine is not missed. In a fat tree of 16-port switches each of 8 leaves
  // has 8 uplinks, two to each of four spines.
  CHECK(network_left(scenario({R"(faults=[{"device": "spine0"}])"}), Group::shard) == 1.0);
  CHECK(network_left(scenario({R"(machine.fabric={"kind": "fat_tree", "ports": 16})",
                               R"(faults=[{"device": "spine0"}])"}),
                     Group::shard) == Approx(0.75));
  // Pipeline stages on other nodes send over the NICs of their GPUs.
  const TrainingScenario stages = scenario(
      {"parallelism.tensor=8", "parallelism.pipeline=8", "parallelism.sharding=ddp", "recompute=full"});
  CHECK(network_left(stages, Group::pipeline) == Approx(0.5));
}

TEST_CASE("What a step loses: the collectives that nothing hides take up to 8/7 of the time") {
  const TrainingScenario s = scenario();
  const TrainingOutcome o = estimate_training(s, library());
  REQUIRE(o.unharmed);
  TrainingScenario whole = s;
  whole.machine.losses = {};
  whole.spec.faults.clear();
  const TrainingOutcome before = estimate_training(whole, library());
  CHECK(before.estimate.step == *o.unharmed);
  // Gathering sets the pace of the forward pass here, one of three equal collectives of a layer; the backward
  // pass has more to hide the other two behind.
  const double exposed = before.estimate.exposed / before.estimate.step;
  REQUIRE(exposed > 0.1);
  const double gathered = before.estimate.stages[0].gather_reduce.si();
  const double straggle = 1.0 + before.estimate.straggle / (before.estimate.step - before.estimate.straggle);
  // They take 8/7 as long where the NICs set their speed; rings within nodes reach 360 GB/s of the 400 that
  // eight NICs have, so that less is lost: 7 x 50 = 350.
  const double more = o.estimate.step.si() - before.estimate.step.si();
  CHECK(more <= gathered / 7.0 * straggle * 1.01);
  CHECK(more > 0.6 * gathered / 3.0 / 7.0);
  const Result r = report_training(s, o, library());
  CHECK(r.number("training.fault_slowdown") == Approx(o.estimate.step / *o.unharmed));
  CHECK(r.number("training.unharmed_step_time") == o.unharmed->si());
  // On the engine too.
  const TrainingOutcome played = simulate_training(s, library());
  CHECK(played.estimate.step / *played.unharmed == Approx(o.estimate.step / *o.unharmed).epsilon(0.03));
}

TEST_CASE("Data-parallel reductions on one shared NIC take twice as long") {
  const TrainingScenario s = scenario(kTensor);
  const auto kernels = kernels::KernelModel::for_gpu(s.machine.gpu, library().data_dir);
  const auto collectives = collectives::CollectiveModel::load(library().data_dir);
  TrainingMachine whole = s.machine;
  whole.losses = {};
  const TrainingCollective scatter{"scatter gradients", collectives::Collective::reduce_scatter, Group::data,
                                   Bytes(4e9)};
  const double after = TrainingEstimator(s.machine, kernels, collectives).price(scatter, s.job).si();
  const double before = TrainingEstimator(whole, kernels, collectives).price(scatter, s.job).si();
  // 7/8 of 4 GB over 50 GB/s is 70 ms at line rate, 140 over half of it.
  CHECK(before > 0.070);
  CHECK(after / before == Approx(2.0).epsilon(0.1));
}

TEST_CASE("Links that answer late, NVLink at half, faults that cut off") {
  const TrainingScenario late = scenario({R"(faults=[{"device": "leaf2", "latency": 5e-5}])"});
  const FabricLoss& loss = late.machine.losses[static_cast<std::size_t>(Group::shard)];
  CHECK(loss.network == 1.0);
  // A ring of 64 over eight nodes crosses leaf 2 eight times at most, in and out.
  CHECK(loss.pass.si() > 5e-5);
  CHECK(loss.pass.si() <= 16 * 5e-5 + 1e-12);
  const TrainingScenario half =
      scenario({R"(faults=[{"device": "node0/gpu0", "to": "node0/nvswitch0", "bandwidth": 0.5}])"});
  CHECK(half.machine.losses[static_cast<std::size_t>(Group::shard)].nvlink == Approx(0.5));
  CHECK_THROWS_AS(scenario({R"(faults=[{"device": "leaf99"}])"}), InputError);
  std::string all = "faults=[";
  for (int i = 0; i < 8; ++i) {
    all += (i > 0 ? ", " : "") + std::string(R"({"device": "node1/nic)") + std::to_string(i) + "\"}";
  }
  CHECK_THROWS_AS(scenario({all + "]"}), InputError);
}
