// Steps on the engine: contention by hand, the longest path where nothing contends, every rank against one of
// each stage, slow nodes, and the analytic formula against the engine over random jobs.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "sim/report/training_report.h"
#include "sim/report/training_trace.h"
#include "tests/sim/sim_testing.h"
#include "workloads/traffic/random.h"

using namespace gpuplan;
using namespace gpuplan::sim;

namespace {

TrainingScenario scenario_of(const std::string& text) {
  return resolve_training(json::parse(text, "test"), "test", ".", library());
}

// A stage of operations that run as soon as those named let them: {work, {after}}.
StageProgram stage_of(const std::vector<std::pair<std::uint32_t, std::vector<std::uint32_t>>>& ops) {
  StageProgram out;
  std::vector<std::vector<std::uint32_t>> next(ops.size());
  for (std::uint32_t i = 0; i < ops.size(); ++i) {
    for (const std::uint32_t after : ops[i].second) {
      next[after].push_back(i);
    }
    out.waits.push_back(static_cast<std::uint8_t>(ops[i].second.size()));
  }
  for (std::uint32_t i = 0; i < ops.size(); ++i) {
    StepOp op;
    op.work = ops[i].first;
    op.first_next = static_cast<std::uint32_t>(out.next.size());
    op.next_count = static_cast<std::uint32_t>(next[i].size());
    out.ops.push_back(op);
    out.next.insert(out.next.end(), next[i].begin(), next[i].end());
  }
  return out;
}
StepWork work(StepStream stream, double alone, StepDemand demand) {
  StepWork out;
  out.stream = stream;
  out.part = stream == StepStream::compute ? StepPart::forward : StepPart::weights;
  out.alone = Seconds(alone);
  out.demand = demand;
  return out;
}

struct Models {
  explicit Models(const TrainingScenario& s)
      : kernels(kernels::KernelModel::for_gpu(s.machine.gpu, library().data_dir)),
        collectives(collectives::CollectiveModel::load(library().data_dir)),
        estimator(s.machine, kernels, collectives) {}
  kernels::KernelModel kernels;
  collectives::CollectiveModel collectives;
  TrainingEstimator estimator;
};
StepProgram program_of(const TrainingScenario& s) {
  const Models models(s);
  return make_step_program(models.estimator, s.job, lower_training(s.job));
}

// When the last operation ends if each takes as long as alone: relaxed until nothing moves.
double longest_path(const StepProgram& p) {
  std::vector<std::vector<double>> begin;
  for (const StageProgram& stage : p.stages) {
    begin.emplace_back(stage.ops.size(), 0.0);
  }
  double last = 0.0;
  for (bool moved = true; moved;) {
    moved = false;
    for (std::size_t s = 0; s < p.stages.size(); ++s) {
      for (std::size_t i = 0; i < p.stages[s].ops.size(); ++i) {
        const StepOp& op = p.stages[s].ops[i];
        const double end = begin[s][i] + p.works[op.work].alone.si();
        last = std::max(last, end);
        const auto push = [&](double& at) {
          moved = moved || end > at;
          at = std::max(at, end);
        };
        for (std::uint32_t k = 0; k < op.next_count; ++k) {
          push(begin[s][p.stages[s].next[op.first_next + k]]);
        }
        if (op.to_stage >= 0) {
          push(begin[static_cast<std::size_t>(op.to_stage)][op.to_op]);
        }
      }
    }
  }
  return last;
}

const std::string kMachine =
    R"("schema": 1, "kind": "training", "name": "t", "machine": {"gpu": "H100-SXM5-80GB", "nodes": 8}, )";
std::vector<std::string> jobs_of_64() {
  const auto with = [](const std::string& rest) { return "{" + kMachine + rest + "}"; };
  return {
      with(
          R"("model": "llama-2-13b", "parallelism": {"sharding": "fsdp"}, "batch": {"global_batch": 128, "micro_batch": 1, "seq_len": 2048})"),
      with(
          R"("model": "llama-2-13b", "parallelism": {"sharding": "fsdp", "shard_group": 8}, "batch": {"global_batch": 128, "micro_batch": 1, "seq_len": 2048})"),
      with(
          R"("model": "llama-2-70b", "parallelism": {"tensor": 8, "pipeline": 4, "sharding": "zero1"}, "batch": {"global_batch": 32, "micro_batch": 1, "seq_len": 4096})"),
      with(
          R"("model": "llama-2-13b", "parallelism": {"tensor": 2, "pipeline": 4, "virtual_stages": 2, "sharding": "zero2"}, "batch": {"global_batch": 64, "micro_batch": 1, "seq_len": 2048})"),
      with(
          R"("model": "llama-3-8b", "parallelism": {"context": 4, "sharding": "zero1", "shard_group": 16}, "batch": {"global_batch": 32, "micro_batch": 1, "seq_len": 32768}, "recompute": "full")"),
      with(
          R"("model": "mixtral-8x7b", "parallelism": {"tensor": 2, "expert": 8, "pipeline": 2, "sharding": "zero1"}, "batch": {"global_batch": 64, "micro_batch": 1, "seq_len": 4096})"),
      with(
          R"("model": "llama-2-13b", "parallelism": {"pipeline": 4, "schedule": "zero_bubble"}, "batch": {"global_batch": 256, "micro_batch": 1, "seq_len": 2048})"),
      with(
          R"("model": "llama-2-13b", "parallelism": {"pipeline": 4, "schedule": "dualpipe"}, "batch": {"global_batch": 256, "micro_batch": 1, "seq_len": 2048})"),
  };
}

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
}

}  // namespace

TEST_CASE("A collective holds its SMs, computation gets the others") {
  // 100 SMs; computation fills them for 1 s, a collective of 0.5 s holds 20: 0.4 s of work in that time, then
  // 0.6 s more.
  StepProgram p;
  p.resources = {.sms = 100.0};
  p.works = {work(StepStream::compute, 1.0, {.sm_seconds = 100.0}),
             work(StepStream::data, 0.5, {.sm_seconds = 10.0})};
  p.stages = {stage_of({{0, {}}, {1, {}}})};
  CHECK(play_step(p, folded_grid(1)).time.si() == Approx(1.1).epsilon(1e-9));
  // Half the SMs do for the computation: nobody notices.
  p.works[0].demand.sm_seconds = 50.0;
  CHECK(play_step(p, folded_grid(1)).time.si() == Approx(1.0).epsilon(1e-9));
}

TEST_CASE("Two transfers on one NIC share it") {
  // 1 s and 2 s alone, each at the full rate: half of it each, 2 s for the first; the second has 1 s left.
  StepProgram p;
  p.resources = {.nic = 50e9};
  p.works = {work(StepStream::data, 1.0, {.nic = 50e9}), work(StepStream::send, 2.0, {.nic = 100e9})};
  p.stages = {stage_of({{0, {}}, {1, {}}})};
  const PlayedStep played = play_step(p, folded_grid(1), {.slowdown = {}, .record = true});
  CHECK(played.spans[0][0].end == Approx(2.0).epsilon(1e-9));
  CHECK(played.time.si() == Approx(3.0).epsilon(1e-9));
  CHECK(played.nic == Approx(1.0).epsilon(1e-9));
}

TEST_CASE("Where nothing contends a step is its longest path") {
  for (const std::string& text : jobs_of_64()) {
    StepProgram p = program_of(scenario_of(text));
    for (StepWork& one : p.works) {
      one.demand = {};
    }
    CHECK(play_step(p, folded_grid(static_cast<int>(p.stages.size()))).time.si() ==
          Approx(longest_path(p)).epsilon(1e-12));
  }
}

TEST_CASE("All 64 ranks take as long as one of each stage") {
  for (const std::string& text : jobs_of_64()) {
    const TrainingScenario s = scenario_of(text);
    const StepProgram p = program_of(s);
    const PlayedStep folded = play_step(p, folded_grid(s.job.parallelism.pipeline));
    const PlayedStep full = play_step(p, full_grid(s.job));
    INFO(text);
    CHECK(full.time.si() == Approx(folded.time.si()).epsilon(1e-9));
    CHECK(full.events == 64 / folded.stages.size() * folded.events);
    CHECK(full.hbm == Approx(folded.hbm).epsilon(1e-6));
  }
}

TEST_CASE("Who meets whom: tensor ranks are neighbours, shards lie across nodes, replicas between them") {
  TrainingJob job =
      scenario_of(
          "{" + kMachine +
          R"("model": "llama-2-13b", "parallelism": {"tensor": 4, "pipeline": 2, "sharding": "fsdp", "shard_group": 4}, "batch": {"global_batch": 64, "micro_batch": 1, "seq_len": 2048}})")
          .job;
  const RankGrid grid = full_grid(job);
  const auto group_of = [&](Meet meet, std::uint32_t rank) {
    const auto m = static_cast<std::size_t>(meet);
    const auto first = grid.members[m].begin() + grid.group[m][rank] * grid.size[m];
    return std::vector<std::uint32_t>(first, first + grid.size[m]);
  };
  CHECK(group_of(Meet::block, 5) == std::vector<std::uint32_t>{4, 5, 6, 7});
  CHECK(group_of(Meet::shard, 5) == std::vector<std::uint32_t>{1, 5, 9, 13});  // 4 apart
  CHECK(group_of(Meet::replica, 5) == std::vector<std::uint32_t>{5, 21});      // 16 apart
  CHECK(group_of(Meet::data, 33).front() == 33);                               // stage 1 begins at 32
  CHECK(grid.by_place[grid.per_stage() + grid.within[5]] == 37);               // its neighbour in stage 1
}

TEST_CASE("One slow GPU holds all, slow nodes hold a job as long as the slowest") {
  const TrainingScenario s = scenario_of(jobs_of_64().front());
  const StepProgram p = program_of(s);
  const double fine = play_step(p, full_grid(s.job)).time.si();
  StepPlayOptions slow;
  slow.slowdown.assign(64, 1.0);
  slow.slowdown[17] = 1.5;
  const double held = play_step(p, full_grid(s.job), slow).time.si() / fine;
  CHECK(held < 1.5);  // collectives are no slower
  CHECK(held > 1.3);
  slow.slowdown.assign(64, 1.5);
  CHECK(play_step(p, full_grid(s.job), slow).time.si() / fine >= held);
  const std::vector<double> nodes = node_slowdowns(64, 8, 0.01, 7);
  CHECK(nodes[0] == nodes[7]);
  CHECK(nodes[7] != nodes[8]);
  CHECK(nodes == node_slowdowns(64, 8, 0.01, 7));
}

TEST_CASE("The critical path has no gaps and ends with the step") {
  const TrainingScenario s = scenario_of(jobs_of_64()[3]);
  const StepProgram p = program_of(s);
  const PlayedStep played = play_step(p, folded_grid(4), {.slowdown = {}, .record = true});
  double end = 0.0;
  for (const CriticalOp& one : critical_path(played)) {
    const StepSpan& span = played.spans[one.stage][one.op];
    CHECK(span.begin == Approx(end).margin(1e-12));
    end = span.end;
  }
  CHECK(end == played.time.si());
  double sum = 0.0;
  for (const CriticalShare& share : critical_shares(p, played)) {
    sum += share.seconds;
  }
  CHECK(sum == Approx(end).epsilon(1e-12));
  const json::Value trace = training_trace(p, played);
  double last = 0.0;
  for (const json::Value& event : trace.find("traceEvents")->array()) {
    if (event.find("ph")->string() == "X") {
      last = std::max(last, event.find("ts")->number() + event.find("dur")->number());
    }
  }
  CHECK(last == Approx(end * 1e6));
}

TEST_CASE("The formula against the engine over random jobs") {
  Random random(11, 0);
  const auto pick = [&](const auto& all) {
    return all[static_cast<std::size_t>(random.uniform() * static_cast<double>(all.size()))];
  };
  const std::vector<std::string> models = {"llama-2-7b", "llama-2-13b", "llama-2-70b",
                                           "llama-3-8b", "gpt3-175b",   "mixtral-8x7b"};
  const std::vector<std::string> gpus = {"A100-SXM4-80GB", "H100-SXM5-80GB", "B200-SXM"};
  const std::vector<std::string> shardings = {"ddp", "zero1", "zero2", "zero3", "fsdp"};
  const std::vector<std::string> schedules = {"gpipe", "1f1b", "interleaved", "zero_bubble"};
  const std::vector<int> powers = {1, 1, 2, 4, 8};
  std::vector<double> errors, bias;
  while (errors.size() < 200) {
    const int nodes = pick(std::vector<int>{1, 2, 4, 8, 16, 64});
    json::Value d = json::parse("{" + kMachine + R"("model": "x", "batch": {}, "parallelism": {}})", "t");
    d["machine"]["gpu"] = pick(gpus);
    d["machine"]["nodes"] = nodes;
    d["model"] = pick(models);
    json::Value& p = d["parallelism"];
    p["tensor"] = pick(powers);
    p["pipeline"] = pick(powers);
    p["context"] = pick(std::vector<int>{1, 1, 1, 2});
    p["sharding"] = pick(shardings);
    const std::string schedule = pick(schedules);
    p["schedule"] = schedule;
    p["virtual_stages"] = schedule == "interleaved" ? 2 : 1;
    d["recompute"] = pick(std::vector<std::string>{"none", "selective", "full"});
    d["batch"]["micro_batch"] = pick(std::vector<int>{1, 2, 4});
    d["batch"]["seq_len"] = pick(std::vector<int>{2048, 4096, 8192});
    d["batch"]["global_batch"] = pick(std::vector<int>{64, 128, 256, 512, 1024, 2048});
    std::optional<TrainingScenario> s;
    try {
      s = scenario_of(json::dump(d));
    } catch (const InputError&) {
      continue;  // an illegal product
    }
    if (!schedule_can_be_played(s->job)) {
      continue;
    }
    const TrainingOutcome o = simulate_training(*s, library());
    const double error = o.analytic / o.estimate.step - 1.0;
    errors.push_back(std::abs(error));
    bias.push_back(error);
  }
  CAPTURE(quantile(errors, 0.5), quantile(errors, 0.95));
  CHECK(std::abs(quantile(bias, 0.5)) < 0.01);
  CHECK(quantile(errors, 0.5) < 0.03);
  CHECK(quantile(errors, 0.95) < 0.08);
}
