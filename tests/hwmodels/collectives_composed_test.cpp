// Collectives put together from smaller ones, and all-to-all of uneven parts.
#include <catch2/catch.hpp>
#include <numeric>

#include "hwmodels/collectives/composed.h"
#include "hwmodels/collectives/uneven.h"

using namespace gpuplan;
using namespace gpuplan::collectives;

namespace {

const CollectiveModel& shipped() {
  static const CollectiveModel model = CollectiveModel::load(GPUPLAN_SOURCE_DIR);
  return model;
}

Communicator nodes_of_eight(int nodes) {
  Communicator group = one_node(Architecture::sm90, 8 * nodes);
  group.nodes = nodes;
  group.channels = 8;
  return group;
}

CollectiveOperation all_reduce(double bytes) { return {Collective::all_reduce, Bytes(bytes)}; }

// Bytes of its buffer that a GPU sends in a phase: 2 (n-1)/n or (n-1)/n of it.
double sent(const Phase& phase) {
  return phase.operation.bytes.si() * bus_factor(phase.operation.collective, phase.group.ranks);
}

}  // namespace

TEST_CASE("Phases of a hierarchical all-reduce over 8 nodes of 8") {
  const auto phases = phases_of(nodes_of_eight(8), all_reduce(64e6), Algorithm::hierarchical);
  REQUIRE(phases.size() == 3);
  CHECK(phases[0].operation.collective == Collective::reduce_scatter);
  CHECK(phases[0].group.ranks == 8);
  CHECK(phases[0].group.nodes == 1);
  CHECK(phases[0].operation.bytes.si() == 64e6);
  CHECK(phases[1].operation.collective == Collective::all_reduce);
  CHECK(phases[1].group.ranks == 8);
  CHECK(phases[1].group.nodes == 8);
  CHECK(phases[1].operation.bytes.si() == 8e6);  // an eighth is left on each GPU
  CHECK(phases[2].operation.collective == Collective::all_gather);
  CHECK(phases[2].operation.bytes.si() == 64e6);
  // Each GPU sends 7/8 + 2 x 7/8 / 8 + 7/8 = 1.96875 of the buffer, as in a flat ring: 2 x 63/64.
  CHECK(sent(phases[0]) + sent(phases[1]) + sent(phases[2]) == Approx(1.96875 * 64e6));
  // Eight rails share the NICs: one of 50 GB/s each, or an eighth of the only one.
  CHECK(phases[1].group.nics == 1);
  CHECK(phases[1].group.nic.si() == 50e9);
  Communicator single = nodes_of_eight(8);
  single.nics = 1;
  const auto narrow = phases_of(single, all_reduce(64e6), Algorithm::hierarchical);
  CHECK(narrow[1].group.nics * narrow[1].group.nic.si() == Approx(50e9 / 8.0));
}

TEST_CASE("Rows and columns of a torus, the halves of gathers and scatters") {
  // 16 ranks of one node as 4 x 4, 12 as 4 x 3, 7 as a single row.
  const auto square = phases_of(one_node(Architecture::sm90, 16), all_reduce(16e6), Algorithm::torus);
  REQUIRE(square.size() == 4);
  CHECK(square[0].group.ranks == 4);
  CHECK(square[1].operation.bytes.si() == 4e6);
  CHECK(square[1].operation.collective == Collective::reduce_scatter);
  CHECK(square[2].operation.collective == Collective::all_gather);
  const auto oblong = phases_of(one_node(Architecture::sm90, 12), all_reduce(12e6), Algorithm::torus);
  CHECK(oblong[0].group.ranks == 4);
  CHECK(oblong[1].group.ranks == 3);
  CHECK(phases_of(one_node(Architecture::sm90, 7), all_reduce(7e6), Algorithm::torus).size() == 2);
  // Rows are the GPUs of a node where there are several nodes.
  const auto nodes = phases_of(nodes_of_eight(4), all_reduce(32e6), Algorithm::torus);
  CHECK(nodes[0].group.nodes == 1);
  CHECK(nodes[1].group.nodes == 4);
  const Bytes bytes(64e6);
  CHECK(phases_of(nodes_of_eight(8), {Collective::all_gather, bytes}, Algorithm::hierarchical).size() == 2);
  CHECK(phases_of(nodes_of_eight(8), {Collective::reduce_scatter, bytes}, Algorithm::hierarchical).size() ==
        2);
  CHECK(phases_of(nodes_of_eight(8), {Collective::all_to_all, bytes}, Algorithm::hierarchical).empty());
}

TEST_CASE("A torus of a machine without overheads is the closed form") {
  // Steps of 2 us, the whole link of 450 GB/s. 6.4 GB over 4 x 4: 4 phases of 3 steps, 24 us, and
  // 2 (3/4 + 3/16) S / B = 1.875 x 6.4e9 / 450e9 = 26666.67 us. A flat ring: 30 steps, 60 us, the same bytes.
  VersionConstants version;
  TimingConstants& t = version.time;
  t.floor = t.simple_start = t.slice = t.own = t.reduce = 0.0;
  t.simple_step = 2.0;
  t.simple_share = 1.0;
  ArchitectureProfile profile;
  profile.versions = {version};
  Profiles profiles;
  profiles.architectures = {profile};
  const CollectiveModel ideal(profiles);
  const Communicator group = one_node(Architecture::sm90, 16);
  const CollectivePrice torus = ideal.price(group, all_reduce(6.4e9), {.algorithm = Algorithm::torus});
  CHECK(torus.time.si() == Approx(24e-6 + 26666.66667e-6).epsilon(1e-9));
  CHECK(torus.parts.step_count == 12);
  CHECK(torus.parts.wire_bytes == Approx(12e9));
  const CollectivePrice ring =
      ideal.price(group, all_reduce(6.4e9), {.algorithm = Algorithm::ring, .protocol = Protocol::simple});
  CHECK(ring.time.si() - torus.time.si() == Approx(36e-6).epsilon(1e-6));
}

TEST_CASE("A composed price is the sum of its phases, and says that nobody measured it") {
  for (const Algorithm algorithm : {Algorithm::hierarchical, Algorithm::torus}) {
    for (const double bytes : {1e4, 1e6, 1e8, 1e10}) {
      const Communicator group = nodes_of_eight(4);
      const CollectivePrice whole = shipped().price(group, all_reduce(bytes), {.algorithm = algorithm});
      double sum = 0.0;
      for (const Phase& phase : phases_of(group, all_reduce(bytes), algorithm)) {
        sum += shipped().price(phase.group, phase.operation).time.si();
      }
      CHECK(whole.time.si() == Approx(sum).epsilon(1e-12));
      CHECK(whole.parts.total() * 1e-6 == Approx(sum).epsilon(1e-9));
      CHECK(whole.choice.algorithm == algorithm);
      CHECK(whole.provenance != kernels::Provenance::measured);
    }
  }
}

TEST_CASE("PCIe is priced, and assumed") {
  Communicator box = one_node(Architecture::sm90, 2);
  box.nvlink = box.switch_reduces = false;
  box.link = BytesPerSecond(31.5e9);
  box.channels = 2;
  const CollectivePrice two = shipped().price(box, all_reduce(134217728.0));
  // NCCL 2.27.3 measured 20.0 GB/s of bus bandwidth between two L40S at 128 MiB.
  CHECK(two.bus_bandwidth.si() == Approx(20.0e9).epsilon(0.1));
  CHECK(two.provenance == kernels::Provenance::assumed);
  CHECK(two.relative_error >= 0.5);
  box.ranks = 8;
  CHECK(shipped().price(box, all_reduce(134217728.0)).bus_bandwidth.si() < 0.6 * two.bus_bandwidth.si());
}

TEST_CASE("Uneven parts: the largest decides") {
  // 1 + 1/2 + 1/3 + 1/4 = 25/12; the first of four parts is 4 x 12/25 = 1.92 means.
  const std::vector<double> law = power_law(4, 1.0);
  CHECK(law[0] == Approx(1.92));
  CHECK(std::accumulate(law.begin(), law.end(), 0.0) == Approx(4.0));
  CHECK(imbalance_of(law) == Approx(1.92));
  CHECK(imbalance_of(power_law(8, 0.0)) == Approx(1.0));
  CHECK(imbalance_of(std::vector<double>{2, 1, 1, 1, 1, 1, 1, 1}) == Approx(16.0 / 9.0));
  CHECK(even_as_busiest({Collective::all_to_all, Bytes(9e6)}, 1.5).bytes.si() == 13.5e6);
}

TEST_CASE("Bytes of an expert exchange by hand") {
  // 128 tokens x 8 experts x 7168 x 2 B = 14 MiB; in fp8 with an fp32 scale for 128 elements x 1.03125 / 2.
  ExpertExchange layer{.tokens = 128, .hidden = 7168, .top_k = 8, .element = 2.0, .ranks = 8};
  CHECK(expert_exchange_bytes(layer).si() == 14.0 * 1048576.0);
  layer.element = 1.03125;
  CHECK(expert_exchange_bytes(layer).si() == 7569408.0);
  // Two experts on 8 ranks lie on 8 (1 - (7/8)^2) = 1.875 of them.
  layer = {.tokens = 1, .hidden = 1000, .top_k = 2, .element = 1.0, .ranks = 8, .once_per_rank = true};
  CHECK(copies_per_token(layer) == Approx(1.875));
  CHECK(expert_exchange_bytes(layer).si() == Approx(1875.0));
}
