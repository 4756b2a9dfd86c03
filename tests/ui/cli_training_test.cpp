// Training scenarios and measured training rows on the command line.
#include "tests/ui/cli_testing.h"

namespace {
const std::string kFsdp = "scenarios/training/llama2-13b-fsdp-64xh100.json";
}

TEST_CASE("cli: a training run prints the metrics of the contract", "[cli]") {
  const Answer answer = gpuplan_command("run " + kFsdp + " --json");
  REQUIRE(answer.code == 0);
  const Value out = gpuplan::json::parse(answer.out, "out");
  for (const char* name :
       {"step_time", "tokens_per_s", "tokens_per_s_per_gpu", "model_flops_per_s_per_gpu", "mfu", "hfu",
        "bubble_fraction", "exposed_communication_fraction", "memory.total_per_gpu", "memory.weights_per_gpu",
        "memory.gradients_per_gpu", "memory.optimizer_per_gpu", "memory.activations_per_gpu",
        "memory.buffers_per_gpu"}) {
    INFO(name);
    const Value* found = out.find("metrics")->find(std::string("training.") + name);
    REQUIRE(found != nullptr);
    CHECK(found->is_number());
  }
  const Value& step = *out.find("uncertainty")->find("training.step_time");
  const double value = out.find("metrics")->find("training.step_time")->number();
  CHECK(step.array()[0].number() < value);
  CHECK(step.array()[1].number() > value);
  CHECK(gpuplan_command("run " + kFsdp + " --json").out == answer.out);
}

TEST_CASE("cli: a training job that does not fit exits 4 and says what would", "[cli]") {
  const Answer text = gpuplan_command("run " + kFsdp + " --set parallelism.sharding=ddp");
  CHECK(text.code == 4);
  CHECK(text.out.find("most of it is optimizer") != std::string::npos);
  CHECK(text.out.find("--set parallelism.sharding=fsdp") != std::string::npos);
  CHECK(widest_line(text.out).first <= 80);
  const Answer json = gpuplan_command("run " + kFsdp + " --set parallelism.sharding=ddp --json");
  CHECK(json.code == 4);
  const Value out = gpuplan::json::parse(json.out, "out");
  CHECK(out.find("does_not_fit")->find("culprit")->string() == "optimizer");
  CHECK(out.find("does_not_fit")->find("short_by")->number() > 1e9);
}

TEST_CASE("cli: mistakes in a training scenario are all named, with their path", "[cli]") {
  const Answer answer =
      gpuplan_command("run " + kFsdp +
                      " --set parallelism.tensor=3 --set parallelism.shardin=fsdp --set recompute=ful --set "
                      "model=llama-2-13");
  CHECK(answer.code == 3);
  CHECK(answer.err.find("$.parallelism.shardin") != std::string::npos);
  CHECK(answer.err.find("did you mean full?") != std::string::npos);
  CHECK(answer.err.find("llama-2-13b") != std::string::npos);
  const Answer split = gpuplan_command("run " + kFsdp + " --set parallelism.tensor=3");
  CHECK(split.code == 3);
  CHECK(split.err.find("a divisor of the 40 attention heads") != std::string::npos);
  CHECK(split.err.find("a product of the 64 GPUs") != std::string::npos);
  CHECK(gpuplan_command("run " + kFsdp + " --kernels").code == 2);
  CHECK(gpuplan_command("run " + kFsdp + " --all-ranks --estimate").code == 2);
}

TEST_CASE("cli: a training step simulated by stage, by rank and by formula, and its timeline", "[cli]") {
  const auto step = [](const std::string& options) {
    const Answer answer = gpuplan_command("run " + kFsdp + " --json " + options);
    REQUIRE(answer.code == 0);
    return gpuplan::json::parse(answer.out, "out");
  };
  const Value folded = step(""), ranks = step("--all-ranks"), formula = step("--estimate");
  const auto number = [](const Value& result, const char* name) {
    return result.find("metrics")->find(name)->number();
  };
  const double time = number(folded, "training.step_time");
  CHECK(number(ranks, "training.step_time") == Approx(time).epsilon(0.03));  // its nodes are drawn
  CHECK(number(ranks, "training.step_time") != time);
  CHECK(number(formula, "training.step_time") == Approx(time).epsilon(0.05));
  CHECK(number(ranks, "sim.events") == 64.0 * number(folded, "sim.events"));
  CHECK(formula.find("metrics")->find("sim.events") == nullptr);
  CHECK(number(folded, "util.sm") > 0.5);
  const std::string trace = sandbox().file("trace.json", "");
  CHECK(gpuplan_command("run " + kFsdp + " --trace " + trace).code == 0);
  CHECK(gpuplan::json::parse_file(trace).find("traceEvents")->array().size() > 1000);
}

TEST_CASE("cli: explain derives the headlines of a training run", "[cli]") {
  const Answer answer = gpuplan_command("explain " + kFsdp);
  CHECK(answer.code == 0);
  CHECK(answer.out.find("forward: qkv") != std::string::npos);
  CHECK(answer.out.find("a layer keeps") != std::string::npos);
  CHECK(widest_line(answer.out).first <= 80);
  CHECK(gpuplan_command("explain " + kFsdp + " training.mfo").code == 3);
}

TEST_CASE("cli: validate reads training rows and prints baselines", "[cli]") {
  const std::string rows = sandbox().file(
      "training.jsonl",
      R"json({"id": "a", "source": "test", "model": {"name": "GPT-3.6B", "layers": 30, "hidden": 3072, "heads": 32, "ffn": 12288, "vocab": 51200, "seq_len": 2048}, "gpu": "A100-SXM-80GB", "num_gpus": 64, "gpus_per_node": 8, "interconnect": "x", "parallelism": {"dp": 32, "zero_stage": 0, "tp": 2, "pp": 1}, "micro_batch": 16, "global_batch": 512, "precision": "fp16", "activation_recompute": "full", "framework": "Megatron-LM 2021", "metrics": {"step_time_s": 3.6974}}
{"id": "b", "source": "test", "model": {"name": "unheard of", "seq_len": 2048}, "gpu": "A100-SXM-80GB", "num_gpus": 8, "gpus_per_node": 8, "parallelism": {"dp": 8, "tp": 1}, "global_batch": 8, "precision": "fp16", "framework": "x", "metrics": {"step_time_s": 1.0}}
)json");
  const Answer text = gpuplan_command("validate " + rows);
  CHECK(text.code == 0);
  CHECK(text.out.find("skipped 1: scenario refused") != std::string::npos);
  CHECK(text.out.find("A: FLOPs / efficiency") != std::string::npos);
  CHECK(widest_line(text.out).first <= 80);
  const Value out = gpuplan::json::parse(gpuplan_command("validate --json " + rows).out, "out");
  CHECK(out.find("baselines")->array().size() == 1);
  CHECK(out.find("overall")->find("count")->number() == 1);
}

TEST_CASE("cli: plan recommends a split that runs, and says why others lose", "[cli]") {
  const std::string file = (sandbox().dir / "best.json").string();
  const std::string plan = "plan " + kFsdp + " --set machine.nodes=2";
  const Answer text = gpuplan_command(plan + " --jobs 2 --write " + file);
  CHECK(text.code == 0);
  for (const char* part : {"recommended", "Pareto front", "why the others lose", "FSDP alone against"}) {
    INFO(part);
    CHECK(text.out.find(part) != std::string::npos);
  }
  CHECK(gpuplan_command(plan + " --jobs 1").out == text.out);
  const Value found = gpuplan::json::parse(gpuplan_command(plan + " --json").out, "plan");
  const Value* best = found.find("plan")->find("best");
  REQUIRE(best != nullptr);
  CHECK(found.find("plan")->find("top")->array().size() == 10);
  // What it wrote runs, in the time that it promised.
  const Answer ran = gpuplan_command("run " + file + " --json");
  REQUIRE(ran.code == 0);
  const Value result = gpuplan::json::parse(ran.out, "result");
  CHECK(result.find("metrics")->find("training.step_time")->number() ==
        Approx(best->find("step_time")->number()).epsilon(1e-9));
  CHECK(result.find("metrics")->find("training.memory.total_per_gpu")->number() ==
        Approx(best->find("memory")->number()).epsilon(1e-9));
  // Nothing fits: exit 4, and by how much.
  const Answer large = gpuplan_command(
      "plan scenarios/training/llama2-70b-fsdp-64xh100.json --set machine.nodes=1 --set "
      "batch.global_batch=8");
  CHECK(large.code == 4);
  CHECK(large.out.find("nothing fits") != std::string::npos);
  CHECK(large.out.find("GB a GPU at least") != std::string::npos);
  CHECK(gpuplan_command("plan " + kFsdp + " --set plan.tensr=[2]").code == 3);
  CHECK(gpuplan_command("plan").code == 2);
}
