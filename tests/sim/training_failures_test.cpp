// Checkpoints and failures: Daly's formula by hand and against simulated runs, spares, Llama 3's figures.
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "sim/report/training_run_report.h"
#include "sim/scenario/serving_scenario.h"
#include "tests/sim/sim_testing.h"

using namespace gpuplan;
using namespace gpuplan::sim;

namespace {

FailureModel model(double mean, double interval, double stop, double restart, double settles = 0.0) {
  return {.mean_between = Seconds(mean),
          .interval = Seconds(interval),
          .stop = Seconds(stop),
          .settles = Seconds(settles),
          .restart = Seconds(restart),
          .spares = std::nullopt,
          .repair = Seconds(0)};
}
struct Sample {
  double mean = 0.0, error = 0.0;
};
template <class F>
Sample sample(int trials, F one) {
  double sum = 0.0, squares = 0.0;
  for (int i = 0; i < trials; ++i) {
    const double value = one(static_cast<std::uint64_t>(i));
    sum += value;
    squares += value * value;
  }
  const double mean = sum / trials;
  return {mean, std::sqrt((squares / trials - mean * mean) / (trials - 1))};
}
TrainingScenario scenario_of(const std::string& text) {
  return resolve_training(json::parse(text, "test"), "test", ".", library());
}
json::Value file(const std::string& name) {
  return json::parse_file(std::string(GPUPLAN_SOURCE_DIR) + "/scenarios/training/" + name + ".json");
}
Result run(const TrainingScenario& s) {
  return report_training(s, estimate_training(s, library()), library());
}

}  // namespace

TEST_CASE("Goodput by hand") {
  // No failures: 100 of every 110 s.
  CHECK(goodput(model(0, 100, 10, 0)) == Approx(100.0 / 110.0));
  // Rare ones: stop / interval + (half an interval + restart) / mean, to first order.
  const double lost = 10.0 / 1000.0 + (505.0 + 300.0) / 1e6;
  CHECK(1.0 - goodput(model(1e6, 1000, 10, 300)) == Approx(lost).epsilon(0.02));
  // M = 100, interval + stop = 100, restart = 100: 100 e (e - 1) = 467.1 s for 90.
  CHECK(goodput(model(100, 90, 10, 100)) == Approx(90.0 / (100.0 * std::exp(1.0) * (std::exp(1.0) - 1.0))));
  CHECK(best_interval(Seconds(50), Seconds(10000)).si() == Approx(1000.0));
}

TEST_CASE("Young's interval is the best, nearly") {
  for (const double stop : {1.0, 10.0, 100.0}) {
    const double best = best_interval(Seconds(stop), Seconds(20000)).si();
    const double there = goodput(model(20000, best, stop, 300));
    CHECK(there > goodput(model(20000, best / 2, stop, 300)));
    CHECK(there > goodput(model(20000, best * 2, stop, 300)));
    CHECK(there > goodput(model(20000, best * 1.1, stop, 300)) - 1e-3);
  }
}

TEST_CASE("Simulated runs agree with the formula within their statistics") {
  const FailureModel models[] = {
      model(10000, 1000, 30, 300),    model(2000, 1000, 100, 500),   model(500, 300, 20, 100),
      model(10000, 600, 2, 300, 400), model(1500, 600, 5, 200, 500),  // asynchronous: safe 500 s after the
                                                                      // copy
  };
  for (const FailureModel& m : models) {
    INFO(m.mean_between.si() << " " << m.interval.si() << " " << m.settles.si());
    const double work = 2000.0 * m.interval.si();
    const Sample good = sample(40, [&](std::uint64_t trial) {
      return work / play_run(m, Seconds(work), 7, trial, Seconds(1e12)).wall.si();
    });
    CHECK(good.error < 0.01);
    CHECK(std::abs(good.mean - goodput(m)) < 3.5 * good.error + 1e-3);
    const Sample failures = sample(40, [&](std::uint64_t trial) {
      const PlayedRun played = play_run(m, Seconds(work), 7, trial, Seconds(1e12));
      return static_cast<double>(played.failures) / played.wall.si();
    });
    CHECK(std::abs(failures.mean - failure_rate(m)) < 3.5 * failures.error);
  }
}

TEST_CASE("Every second of a simulated run is one of four things") {
  const FailureModel m{.mean_between = Seconds(3000),
                       .interval = Seconds(500),
                       .stop = Seconds(20),
                       .restart = Seconds(200),
                       .spares = 1,
                       .repair = Seconds(5000)};
  const PlayedRun played = play_run(m, Seconds(300000), 3, 0, Seconds(1e12));
  CHECK((played.computed + played.saving + played.restarting + played.waiting).si() ==
        Approx(played.wall.si()).epsilon(1e-9));
  CHECK(played.computed.si() > 300000.0);
  CHECK(played.failures > 50);
  CHECK(played.waiting.si() > 0.0);
  const PlayedRun again = play_run(m, Seconds(300000), 3, 0, Seconds(1e12));
  CHECK(again.wall == played.wall);
  CHECK(again.events == played.events);
  CHECK(play_run(m, Seconds(300000), 3, 1, Seconds(1e12)).wall != played.wall);
  CHECK(play_run(m, Seconds(300000), 4, 0, Seconds(1e12)).wall != played.wall);
  // Without failures: ten intervals of 10 s, nine saved behind, 1 s each.
  CHECK(play_run(model(0, 10, 1, 0), Seconds(100), 1, 0, Seconds(1e9)).wall.si() == Approx(109.0));
  // One that gets nowhere ends: no checkpoint within reach of a failure.
  CHECK(play_run(model(1, 1000, 1, 1), Seconds(1000), 1, 0, Seconds(5000)).wall.si() == 5000.0);
}

TEST_CASE("Without a spare the job waits: Erlang's loss formula") {
  CHECK(erlang_loss(1, 1.0) == Approx(0.5));
  CHECK(erlang_loss(2, 1.0) == Approx(0.2));         // 1/2 / (1 + 1 + 1/2)
  CHECK(erlang_loss(3, 2.0) == Approx(4.0 / 19.0));  // 8/6 / (1 + 2 + 2 + 8/6)
  for (const int spares : {0, 1, 3}) {
    const FailureModel m{.mean_between = Seconds(5000),
                         .interval = Seconds(300),
                         .stop = Seconds(5),
                         .restart = Seconds(100),
                         .spares = spares,
                         .repair = Seconds(10000)};
    const Sample waiting = sample(40, [&](std::uint64_t trial) {
      const PlayedRun played = play_run(m, Seconds(1e6), 11, trial, Seconds(1e12));
      return played.waiting / played.wall;
    });
    INFO(spares);
    CHECK(std::abs(waiting.mean - erlang_loss(spares + 1, 2.0)) < 3.5 * waiting.error + 2e-3);
    const Sample good = sample(40, [&](std::uint64_t trial) {
      return 1e6 / play_run(m, Seconds(1e6), 11, trial, Seconds(1e12)).wall.si();
    });
    CHECK(std::abs(good.mean - goodput(m)) < 3.5 * good.error + 2e-3);
  }
}

TEST_CASE("A checkpoint of 405B: weights and optimiser state, once") {
  const TrainingScenario s =
      resolve_training(file("llama3.1-405b-16384xh100-failures"), "test", ".", library());
  // bf16 weights 2, fp32 weights 4 and two moments 8: 14 B of 405.9 G parameters.
  const double parameters = count_parameters(s.job.model).total;
  CHECK(parameters == Approx(405.85e9).epsilon(1e-3));
  CHECK(checkpoint_bytes(s.job).si() == Approx(14.0 * parameters));
  TrainingJob lora = s.job;
  lora.fine_tune.method = FineTune::lora;
  CHECK(checkpoint_bytes(lora).si() < 0.01 * checkpoint_bytes(s.job).si());
}

TEST_CASE("Llama 3: 419 failures in 54 days on 16,384 GPUs, more than 90 % of the time trains") {
  const TrainingScenario s =
      resolve_training(file("llama3.1-405b-16384xh100-failures"), "test", ".", library());
  const Result r = run(s);
  // 54 x 86,400 s / 419.
  CHECK(r.number("training.mean_time_between_failures") == Approx(54.0 * 86400.0 / 419.0));
  CHECK(r.number("training.mean_time_between_failures") == Approx(11135.0).epsilon(1e-4));
  const double good = r.number("training.goodput");
  CHECK(good > 0.90);
  CHECK(good < 0.98);
  // By hand, first order: 14 B x 405.85 G = 5.68 TB over 2 TB/s = 2.84 s to write or read; restart 60 + 120 +
  // 2.84 + 120 s; the copy, 347 MB over half an uplink of 49 GB/s, 14 ms; interval sqrt(2 x 0.014 x 11135).
  const double copy = 5.682e12 / 16384 * 2.0 / (63e9 * 12.35 / 15.75);
  const double interval = std::sqrt(2.0 * copy * 11135.0), write = 2.841;
  const double lost = copy / interval + (302.84 + write + 0.5 * interval) / 11135.0;
  CHECK(1.0 - good == Approx(lost).epsilon(0.05));
  // 15.6 T tokens of 16.8 M a step.
  const double steps = std::ceil(15.6e12 / (2048.0 * 8192.0));
  CHECK(r.number("training.steps") == steps);
  CHECK(r.number("training.time_to_train") == Approx(steps * r.number("training.step_time") / good));
  CHECK(r.number("training.failures") == Approx(r.number("training.time_to_train") / 11135.0).epsilon(1e-3));
  // Checkpoints every hour lose half an hour more at each failure.
  json::Value hourly = file("llama3.1-405b-16384xh100-failures");
  set_path(hourly, "checkpoint.interval=3600");
  const double rarely = run(resolve_training(hourly, "test", ".", library())).number("training.goodput");
  CHECK(good - rarely == Approx((0.5 * 3600.0 - 0.5 * interval) / 11135.0).epsilon(0.25));
  // The same file and seed, the same bytes; another seed, another interval.
  CHECK(json::dump(run(s).to_json()) == json::dump(r.to_json()));
  TrainingScenario other = s;
  other.spec.seed = 2;
  CHECK(run(other).find("training.goodput")->interval80 != r.find("training.goodput")->interval80);
  CHECK(run(other).number("training.goodput") == good);
}

TEST_CASE("Synchronous checkpoints stop the job for the copy and the writing") {
  const auto at = [&](const std::string& more) {
    return run(scenario_of(
        R"({"schema": 1, "kind": "training", "machine": {"gpu": "H100-SXM5-80GB", "nodes": 8}, "model": "llama-2-13b",
            "parallelism": {"sharding": "fsdp"}, "batch": {"global_batch": 1024, "micro_batch": 4, "seq_len": 2048},
            "software": {"framework": "fsdp"}, )" +
        more + "}"));
  };
  // FSDP: fp32 weights and moments, 12 B of 13.016 G parameters = 156.2 GB, 8 nodes at 1 GB/s: 19.5 s.
  const std::string spec = R"("checkpoint": {"write_bandwidth": 1e9, "interval_steps": 100)";
  const Result r = at(spec + "}");
  const double bytes = 12.0 * 13015864320.0, write = bytes / 8e9;
  const double copy = bytes / 64.0 * 2.0 / (63e9 * 12.35 / 15.75);
  CHECK(r.number("training.checkpoint.bytes") == Approx(bytes));
  CHECK(r.number("training.checkpoint.write_time") == Approx(write));
  CHECK(r.number("training.checkpoint.time") == Approx(write + copy).epsilon(1e-4));
  const double step = r.number("training.step_time");
  CHECK(r.number("training.goodput") == Approx(100 * step / (100 * step + write + copy)).epsilon(1e-6));
  // Beside the step, but not faster than it is written: 19.5 s are more than one step.
  const Result beside =
      at(R"("checkpoint": {"write_bandwidth": 1e9, "interval_steps": 1, "asynchronous": true})");
  CHECK(beside.number("training.checkpoint.time") == Approx(copy).epsilon(1e-3));
  CHECK(beside.number("training.checkpoint.interval_steps") == std::ceil(write / step));
  CHECK_FALSE(beside.warnings.empty());
}
