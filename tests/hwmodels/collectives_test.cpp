#include <catch2/catch.hpp>

#include "hwmodels/collectives/collective_model.h"
#include "hwmodels/collectives/registry.h"

using namespace gpuplan;
using namespace gpuplan::collectives;

namespace {

const CollectiveModel& shipped() {
  static const CollectiveModel model = CollectiveModel::load(GPUPLAN_SOURCE_DIR);
  return model;
}

CollectiveOperation all_reduce(double bytes) { return {Collective::all_reduce, Bytes(bytes)}; }
CollectiveOperation all_gather(double bytes) { return {Collective::all_gather, Bytes(bytes)}; }

Choice choice_of(const Communicator& group, const CollectiveOperation& operation) {
  return choose(group, operation);
}

// Constants without fixed times, pipeline or hidden bytes: a ring of the closed form.
CollectiveModel ideal() {
  VersionConstants version;
  version.version = "ideal";
  TimingConstants& t = version.time;
  t.floor = t.simple_start = t.slice = t.own = t.reduce = 0.0;
  t.simple_step = 2.0;
  t.simple_share = 1.0;
  ArchitectureProfile profile;
  profile.architecture = Architecture::sm90;
  profile.versions = {version};
  Profiles profiles;
  profiles.architectures = {profile};
  return CollectiveModel(profiles);
}

// 8 H100 a node, a NIC of 400 Gb/s each.
Communicator nodes_of_eight(int nodes) {
  Communicator group = one_node(Architecture::sm90, 8 * nodes);
  group.nodes = nodes;
  group.channels = 8;
  return group;
}

}  // namespace

TEST_CASE("NCCL's estimates by hand: a ring on eight H100") {
  // LL, all-gather of 1 MB: 6.6 + 7 x 0.6 = 10.8 us; min(141, 360/2) = 141 GB/s of bus, x 8/7 = 161.14;
  // 1e6 B / 161.14 GB/s = 6.206 us.
  const Communicator group = one_node(Architecture::sm90, 8);
  const auto ll = ring().estimate(group, all_gather(1e6), Protocol::ll);
  REQUIRE(ll);
  CHECK(ll->latency == Approx(10.8));
  CHECK(ll->bandwidth == Approx(141.0 * 8.0 / 7.0));
  CHECK(ll->time(1e6) == Approx(17.006).epsilon(1e-4));
  // LL128: 14 + 7 x 1.9 = 27.3 us; min(0.92 x 360, 24 x 36.7) = 331.2 GB/s of bus.
  const auto ll128 = ring().estimate(group, all_gather(1e6), Protocol::ll128);
  CHECK(ll128->latency == Approx(27.3));
  CHECK(ll128->bandwidth == Approx(331.2 * 8.0 / 7.0));
  // Simple, all-reduce: 8.4 + 14 x 3.4 = 56 us, 360 x 8/14.
  const auto simple = ring().estimate(group, all_reduce(1e6), Protocol::simple);
  CHECK(simple->latency == Approx(56.0));
  CHECK(simple->bandwidth == Approx(360.0 * 8.0 / 14.0));
}

TEST_CASE("NCCL's estimates by hand: NVLS and a tree") {
  // NVLS on eight H100: 370.8 / 8 = 46.35 -> 40 GB/s a channel, x 8 x 0.85 x 2 x 7/8 = 476 of bus, x 8/14.
  const Communicator group = one_node(Architecture::sm90, 8);
  const auto in_switch = nvls().estimate(group, all_reduce(1e6), Protocol::simple);
  REQUIRE(in_switch);
  CHECK(in_switch->latency == 25.0);
  CHECK(in_switch->bandwidth == Approx(272.0));
  CHECK_FALSE(nvls().estimate(group, all_reduce(1e6), Protocol::ll));
  CHECK_FALSE(nvls().estimate(one_node(Architecture::sm80, 8), all_reduce(1e6), Protocol::simple));
  // A tree over 4 nodes of 8, LL, 8 KiB: 6.8 + 2 (7 x 0.6 + 2 x 5) = 35.2 us; bus min(0.92 x 360, 8 x 36) =
  // 288 / 3.8 = 75.8, at most 20.4; half of it, and 0.7 at 2^7 x 64 B.
  const auto up_and_down = tree().estimate(nodes_of_eight(4), all_reduce(8192), Protocol::ll);
  REQUIRE(up_and_down);
  CHECK(up_and_down->latency == Approx(35.2));
  CHECK(up_and_down->bandwidth == Approx(0.5 * 20.4 * 0.7));
  CHECK_FALSE(tree().estimate(group, all_gather(1e6), Protocol::ll));
}

TEST_CASE("The choice where estimates cross") {
  // All-gather on four A100: LL 6.6 + 3 x 0.6 = 8.4 us at 87.7 x 4/3 GB/s, Simple 8.4 + 3 x 3.4 = 18.6 us at
  // 320 GB/s; equal at 10.2 us / (1/116.93 - 1/320) per GB/s = 1.8797 MB. LL128, 19.7 us, is never better.
  const Communicator four = one_node(Architecture::sm80, 4);
  CHECK(choice_of(four, all_gather(1.87e6)).protocol == Protocol::ll);
  CHECK(choice_of(four, all_gather(1.89e6)).protocol == Protocol::simple);
  // All-reduce on eight H100: ring LL 15.0 us at 80.571 GB/s against NVLS 25 us at 272: 10 us apart, 1.1448
  // MB.
  const Communicator eight = one_node(Architecture::sm90, 8);
  CHECK(choice_of(eight, all_reduce(1.14e6)).algorithm == Algorithm::ring);
  CHECK(choice_of(eight, all_reduce(1.15e6)).algorithm == Algorithm::nvls);
  // On four of them NVLS has 4 x 60 x 0.85 x 2 x 3/4 = 306 of bus, less than the ring's 360.
  CHECK(choice_of(one_node(Architecture::sm90, 4), all_reduce(5e8)).algorithm == Algorithm::ring);
  CHECK(choice_of(eight, all_reduce(5e8)).algorithm == Algorithm::nvls);
  // Without LL128 all-gather goes from LL to Simple.
  Communicator plain = eight;
  plain.ll128 = false;
  CHECK(choice_of(eight, all_gather(1e7)).protocol == Protocol::ll128);
  CHECK(choice_of(plain, all_gather(1e7)).protocol == Protocol::simple);
}

TEST_CASE("Small messages: the ring on few nodes, the tree on many: log against linear") {
  Communicator group = one_node(Architecture::sm90, 2);
  group.switch_reduces = false;
  CHECK(choice_of(group, all_reduce(1024)).algorithm == Algorithm::ring);
  for (const int nodes : {4, 16, 64, 256}) {
    Communicator many = nodes_of_eight(nodes);
    many.switch_reduces = false;
    CHECK(choice_of(many, all_reduce(1024)).algorithm == Algorithm::tree);
    const double tree_time =
        shipped().price(many, all_reduce(1024), {.algorithm = Algorithm::tree}).time.si();
    const double ring_time =
        shipped().price(many, all_reduce(1024), {.algorithm = Algorithm::ring}).time.si();
    CHECK(tree_time < ring_time);
  }
  // Large ones on two nodes of little NIC: the ring's 2 (n-1)/n of the data through them.
  Communicator two = nodes_of_eight(2);
  two.switch_reduces = false;
  CHECK(choice_of(two, all_reduce(8e9)).algorithm == Algorithm::ring);
}

TEST_CASE("A ring is the closed form") {
  // 64 MB over 8 ranks at 450 GB/s, 2 us a step: 14 steps x 2 us + 2 x 7/8 x 64e6 / 450e9 = 28 + 248.889 us.
  const CollectivePrice price = ideal().price(one_node(Architecture::sm90, 8), all_reduce(64e6),
                                              {.algorithm = Algorithm::ring, .protocol = Protocol::simple});
  CHECK(price.time.si() == Approx(276.8888889e-6).epsilon(1e-9));
  CHECK(price.parts.step_count == 14);
  CHECK(price.parts.wire_bytes == Approx(112e6));
  CHECK(price.bus_bandwidth.si() == Approx(112e6 / 276.8888889e-6).epsilon(1e-9));
  CHECK(price.limiter == kernels::Limiter::link_bandwidth);
  // Twice the link: the bytes take half of the time, the steps as long as before.
  Communicator fast = one_node(Architecture::sm90, 8);
  fast.link = BytesPerSecond(900e9);
  CHECK(ideal()
            .price(fast, all_reduce(64e6), {.algorithm = Algorithm::ring, .protocol = Protocol::simple})
            .time.si() == Approx(28e-6 + 124.4444444e-6).epsilon(1e-9));
}

TEST_CASE("More bytes never take clearly less time, and no bus outruns its links") {
  for (const ArchitectureProfile& profile : shipped().profiles().architectures) {
    for (const VersionConstants& version : profile.versions) {
      for (const int nodes : {1, 2, 4}) {
        for (const int per_node : {2, 4, 8}) {
          Communicator group = one_node(profile.architecture, nodes * per_node);
          group.version = version.version;
          group.nodes = nodes;
          group.channels = nodes > 1 ? 8 : group.channels;
          for (int kind = 0; kind < 7; ++kind) {
            const auto collective = static_cast<Collective>(kind);
            for (const bool custom : {false, true}) {
              double longest = 0.0;
              for (double bytes = 256.0; bytes < 2e9; bytes *= 1.21) {
                const CollectivePrice price =
                    shipped().price(group, {collective, Bytes(bytes)}, {.custom_kernel = custom});
                INFO(json::name_of(profile.architecture)
                     << " " << version.version << " " << json::name_of(collective) << " " << nodes << " x "
                     << per_node << " " << bytes << " B");
                CHECK(price.time.si() >= 0.97 * longest);
                CHECK(price.time.si() > 1e-6);
                // NVLS sends S (1 + 1/n) where the bus counts 2 S (n-1)/n.
                CHECK(price.parts.wire_bytes / price.time.si() <= group.link.si());
                longest = std::max(longest, price.time.si());
              }
            }
          }
        }
      }
    }
  }
}

TEST_CASE("An engine's own all-reduce is faster for small messages and hands over large ones") {
  const Communicator eight = one_node(Architecture::sm90, 8);
  const CollectivePrice small = shipped().price(eight, all_reduce(8192), {.custom_kernel = true});
  CHECK(small.choice.algorithm == Algorithm::one_shot);
  CHECK(small.time.si() < 0.4 * shipped().price(eight, all_reduce(8192)).time.si());
  CHECK(shipped().price(eight, all_reduce(5e8), {.custom_kernel = true}).choice.algorithm == Algorithm::nvls);
}

TEST_CASE("A price says how sure it is, and explains itself") {
  const Communicator eight = one_node(Architecture::sm90, 8);
  kernels::Explanation why;
  const CollectivePrice inside = shipped().price(eight, all_reduce(64e6), {}, &why);
  CHECK_FALSE(inside.outside_measured_range);
  CHECK(inside.provenance == kernels::Provenance::measured);
  CHECK(inside.spread80 > inside.relative_error);
  REQUIRE(why.lines.size() >= 5);
  CHECK(why.lines[1].find("NCCL's estimates: nvls Simple") == 0);
  CHECK(why.lines.back().find("expected error") == 0);
  const CollectivePrice beyond = shipped().price(eight, all_reduce(64e9));
  CHECK(beyond.outside_measured_range);
  CHECK(beyond.relative_error == Approx(2.0 * inside.relative_error));
  CHECK(shipped().price(one_node(Architecture::sm90, 6), all_reduce(64e6)).outside_measured_range);
  CHECK(shipped().price(nodes_of_eight(4), all_reduce(64e6)).relative_error > inside.relative_error);
  Communicator other = eight;
  other.version = "2.99";
  CHECK(shipped().price(other, all_reduce(64e6)).outside_measured_range);
  CHECK(shipped().price(one_node(Architecture::sm90, 1), all_reduce(64e6)).time.si() == 0.0);
  // Nothing measured at all: assumed.
  CHECK(CollectiveModel(Profiles{}).price(eight, all_reduce(64e6)).provenance ==
        kernels::Provenance::assumed);
}

TEST_CASE("Channels grow with the message") {
  // LL on a ring of 8: 512 threads x 8 B x 8 ranks = 32 KiB a channel.
  CHECK(channels_used(Algorithm::ring, Protocol::ll, 24, 8, 1024) == 1);
  CHECK(channels_used(Algorithm::ring, Protocol::ll, 24, 8, 2 * 32768) == 2);
  CHECK(channels_used(Algorithm::ring, Protocol::ll, 24, 8, 1e9) == 24);
  CHECK(channels_used(Algorithm::ring, Protocol::simple, 24, 8, 10 * 32768) == 10);
}

TEST_CASE("More nodes take longer, and reductions in the network less") {
  double before = 0.0;
  for (const int nodes : {1, 2, 4, 8, 32}) {
    const double time = shipped().price(nodes_of_eight(nodes), all_reduce(1e9)).time.si();
    CHECK(time > before);
    before = time;
  }
  Communicator sharp = nodes_of_eight(8);
  sharp.network_reduces = true;
  CHECK(shipped().price(sharp, all_reduce(1e9)).time <
        shipped().price(nodes_of_eight(8), all_reduce(1e9)).time);
  // PAT where each node holds one rank.
  Communicator one_each = nodes_of_eight(4);
  one_each.ranks = 64;
  one_each.nodes = 64;
  CHECK(choice_of(one_each, all_gather(65536)).algorithm == Algorithm::pat);
}
