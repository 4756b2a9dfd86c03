// Pipeline schedules against the bubbles and activations that their papers derive.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <string>

#include "workloads/pipeline/play.h"
#include "workloads/traffic/random.h"

using namespace gpuplan;
using namespace gpuplan::pipeline;

namespace {

PlayedSchedule played(ScheduleKind kind, const PipelineShape& shape, const PassTimes& times = {}) {
  return play(make_schedule(kind, shape), times);
}

}  // namespace

TEST_CASE("pipeline: GPipe and 1F1B idle (p - 1)(F + B), and hold all or p micro-batches") {
  const PassTimes times{.forward = 1.0, .backward_input = 1.2, .backward_weight = 0.9};
  for (const int p : {1, 2, 4, 8}) {
    for (const int m : {8, 24}) {
      const double pass = 1.0 + 1.2 + 0.9;
      for (const ScheduleKind kind : {ScheduleKind::gpipe, ScheduleKind::one_f_one_b}) {
        const PlayedSchedule s = played(kind, {.stages = p, .micro_batches = m}, times);
        CHECK(s.time == Approx((m + p - 1) * pass));
        CHECK(s.bubble == Approx((p - 1.0) / (m + p - 1.0)));
        for (int stage = 0; stage < p; ++stage) {
          CHECK(s.in_flight[static_cast<std::size_t>(stage)] ==
                (kind == ScheduleKind::gpipe ? m : std::min(m, p - stage)));
        }
      }
    }
  }
}

TEST_CASE("pipeline: interleaving divides the bubble by the chunks, and holds p (1 + (p-1)/(p v)) layers") {
  // Chunks of v take 1/v of a stage's time. Korthikanti et al.: the first stage holds p layers' worth of a
  // stage times 1 + (p-1)/(p v), counted here in chunks: p v + p - 1.
  for (const int p : {2, 4, 8}) {
    for (const int v : {2, 4}) {
      const int m = 4 * p;
      const PassTimes times{.forward = 1.0 / v, .backward_input = 1.0 / v, .backward_weight = 1.0 / v};
      const PlayedSchedule s =
          played(ScheduleKind::interleaved, {.stages = p, .chunks = v, .micro_batches = m}, times);
      CHECK(s.time == Approx(3.0 * m + 3.0 * (p - 1) / v));
      CHECK(s.in_flight[0] == p * v + p - 1);
    }
  }
}

TEST_CASE("pipeline: zero bubble idles (p - 1)(F + B - W) and holds no more than 1F1B") {
  // Qi et al., ZB-H1, equal passes: p - 1 instead of 3 (p - 1); p micro-batches on every stage.
  for (const int p : {2, 4, 8}) {
    const int m = 3 * p;
    const PlayedSchedule s = played(ScheduleKind::zero_bubble, {.stages = p, .micro_batches = m});
    CHECK(s.time == Approx(3.0 * m + p - 1.0));
    CHECK(*std::max_element(s.in_flight.begin(), s.in_flight.end()) <= p);
  }
}

TEST_CASE(
    "pipeline: DualPipe idles no more than (p/2 - 1)(2 F + 2 B - 3 W) of its paper, in two directions") {
  // Equal passes, forward and backward of two micro-batches one after the other: F&B = F + B + W, a whole
  // backward pass B + W: (p/2 - 1)(3 + 2 - 3) = p - 2. Ends of both chains idle at the start and end.
  for (const int p : {4, 8, 16}) {
    const int m = 4 * p;
    const PlayedSchedule s = played(ScheduleKind::dualpipe, {.stages = p, .micro_batches = m});
    CHECK(s.time >= 3.0 * m);
    CHECK(s.time <= 3.0 * m + p - 2.0 + 1.0);
    CHECK(*std::max_element(s.in_flight.begin(), s.in_flight.end()) <= p + 1);
  }
}

TEST_CASE("pipeline: every pass of every micro-batch once, each after what it needs") {
  Random random(3, 0);
  const auto below = [&](int n) { return static_cast<int>(random.bits() % static_cast<unsigned>(n)); };
  for (int trial = 0; trial < 200; ++trial) {
    const auto kind = static_cast<ScheduleKind>(below(5));
    PipelineShape shape{.stages = 1 + below(8), .micro_batches = 1 + below(24)};
    shape.chunks = kind == ScheduleKind::interleaved ? 2 + below(3) : 1;
    if (kind == ScheduleKind::interleaved) {
      shape.micro_batches = shape.stages * (1 + below(4));
    }
    if (kind == ScheduleKind::dualpipe) {
      shape.stages = 2 * (1 + below(4));
      shape.micro_batches = 2 * shape.stages + 2 * below(6);
    }
    INFO(enum_names(kind)[static_cast<std::size_t>(kind)] << " " << shape.stages << " x " << shape.chunks
                                                          << ", " << shape.micro_batches);
    const PassTimes times{.forward = random.uniform(),
                          .backward_input = random.uniform(),
                          .backward_weight = random.uniform(),
                          .transfer = random.uniform()};
    const PipelineSchedule schedule = make_schedule(kind, shape);
    const PlayedSchedule s = play(schedule, times);
    std::map<std::pair<int, int>, double> forward, input, weight;  // ends, by micro-batch and position
    for (const auto& stage : s.stages) {
      double before = 0.0;
      for (const PlayedPass& pass : stage) {
        REQUIRE(pass.begin >= before);
        before = pass.end;
        auto& ends = pass.op.pass == Pass::forward           ? forward
                     : pass.op.pass == Pass::backward_weight ? weight
                                                             : input;
        REQUIRE(ends.emplace(std::pair(pass.op.micro_batch, pass.op.position), pass.end).second);
      }
    }
    const auto positions = static_cast<std::size_t>(shape.stages * shape.chunks);
    REQUIRE(forward.size() == positions * static_cast<std::size_t>(shape.micro_batches));
    REQUIRE(input.size() == forward.size());
    REQUIRE((weight.empty() || weight.size() == forward.size()));
    for (const auto& stage : s.stages) {
      for (const PlayedPass& pass : stage) {
        const auto [m, q] = std::pair(pass.op.micro_batch, pass.op.position);
        const double hop = shape.stages > 1 ? times.transfer : 0.0;
        if (pass.op.pass == Pass::forward && q > 0) {
          REQUIRE(pass.begin >= forward.at({m, q - 1}) + hop - 1e-12);
        }
        if (pass.op.pass == Pass::backward || pass.op.pass == Pass::backward_input) {
          REQUIRE(pass.begin >= forward.at({m, q}));
          if (q + 1 < static_cast<int>(positions)) {
            REQUIRE(pass.begin >= input.at({m, q + 1}) + hop - 1e-12);
          }
        }
        if (pass.op.pass == Pass::backward_weight) {
          REQUIRE(pass.begin >= input.at({m, q}));
        }
      }
    }
    CHECK(s.bubble >= -1e-12);
    CHECK(s.bubble < 1.0);
  }
}

TEST_CASE("pipeline: shapes that a schedule cannot take are told by their rule") {
  CHECK(broken_rule(ScheduleKind::interleaved, {.stages = 4, .chunks = 2, .micro_batches = 6}) ==
        "micro-batches in multiples of the stages");
  CHECK(broken_rule(ScheduleKind::interleaved, {.stages = 4, .chunks = 1, .micro_batches = 8}) ==
        "at least 2 chunks a stage");
  CHECK_FALSE(broken_rule(ScheduleKind::one_f_one_b, {.stages = 4, .chunks = 2, .micro_batches = 8}).empty());
  CHECK_FALSE(broken_rule(ScheduleKind::dualpipe, {.stages = 3, .micro_batches = 8}).empty());
  CHECK(broken_rule(ScheduleKind::one_f_one_b, {.stages = 4, .micro_batches = 3}).empty());
  CHECK_THROWS(make_schedule(ScheduleKind::gpipe, {.stages = 0}));
}
