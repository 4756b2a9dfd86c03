// What surrounds a training step, on the command line.
#include "tests/ui/cli_testing.h"

namespace {

const std::string kAt = "scenarios/training/";
const std::string kPlain = kAt + "llama2-13b-fsdp-64xh100.json";

Value result_of(const std::string& arguments) {
  const Answer answer = gpuplan_command("run " + arguments + " --json");
  REQUIRE(answer.code == 0);
  return gpuplan::json::parse(answer.out, "out");
}
double number(const Value& result, const char* name) {
  const Value* found = result.find("metrics")->find(name);
  REQUIRE(found != nullptr);
  return found->number();
}

}  // namespace

TEST_CASE("cli: nothing is added to a training run that asks for nothing", "[cli]") {
  const Value result = result_of(kPlain);
  for (const char* field : {"input", "checkpoint", "reliability", "run", "faults", "host", "offload_to"}) {
    CHECK(result.find("scenario")->find(field) == nullptr);
  }
  for (const auto& [name, value] : result.find("metrics")->object()) {
    CHECK(name.find("checkpoint") == std::string::npos);
    CHECK(name.find("input") == std::string::npos);
  }
}

TEST_CASE("cli: input, failures, NVMe and faults: text of 80 columns, the metrics, their derivations",
          "[cli]") {
  const std::pair<const char*, std::vector<const char*>> files[] = {
      {"input-bound-video", {"training.input.time", "training.input.wait"}},
      {"llama3.1-405b-16384xh100-failures",
       {"training.goodput", "training.time_to_train", "training.failures", "training.checkpoint.time",
        "training.checkpoint.interval", "cost.usd_to_train"}},
      {"fine-tune-70b-full-8xh100-nvme",
       {"training.offload.optimizer_time", "training.offload.nvme_per_node",
        "training.gradient_accumulation.relative_rms"}},
      {"loss-of-one-rail", {"training.fault_slowdown", "training.unharmed_step_time"}}};
  for (const auto& [name, metrics] : files) {
    INFO(name);
    const std::string path = kAt + name + ".json";
    const Answer text = gpuplan_command("run " + path);
    CHECK(text.code == 0);
    CHECK(widest_line(text.out).first <= 80);
    const Value result = result_of(path);
    for (const char* metric : metrics) {
      INFO(metric);
      CHECK(number(result, metric) > 0.0);
      const Answer why = gpuplan_command("explain " + path + " " + metric);
      CHECK(why.code == 0);
      CHECK(widest_line(why.out).first <= 80);
      CHECK(why.out.find(metric) != std::string::npos);
    }
  }
}

TEST_CASE("cli: failures have intervals, and the seed draws them", "[cli]") {
  const std::string path = kAt + "llama3.1-405b-16384xh100-failures.json --estimate";
  const Value result = result_of(path), other = result_of(path + " --seed 9");
  const auto interval = [](const Value& r, const char* name) {
    return r.find("uncertainty")->find(name)->array();
  };
  const double days = number(result, "training.time_to_train") / 86400.0;
  const auto wall = interval(result, "training.time_to_train");
  CHECK(wall[0].number() < days * 86400.0);
  CHECK(wall[1].number() > days * 86400.0);
  CHECK(number(result, "training.goodput") == number(other, "training.goodput"));
  CHECK(interval(result, "training.failures")[0].number() !=
        interval(other, "training.failures")[0].number());
}

TEST_CASE("cli: a node whose memory is too small exits 4 and says what would fit", "[cli]") {
  const Answer host =
      gpuplan_command("run " + kAt + "fine-tune-70b-full-8xh100-nvme.json --set offload_to=host");
  CHECK(host.code == 4);
  CHECK(host.out.find("host memory") != std::string::npos);
  CHECK(host.out.find("--set offload_to=nvme") != std::string::npos);
  CHECK(widest_line(host.out).first <= 80);
  const Answer json =
      gpuplan_command("run " + kAt + "fine-tune-70b-full-8xh100-nvme.json --set offload_to=host --json");
  CHECK(json.code == 4);
  const Value out = gpuplan::json::parse(json.out, "out");
  CHECK(out.find("does_not_fit")->find("place")->string() == "host memory");
  CHECK(out.find("does_not_fit")->find("host_memory")->number() >
        out.find("does_not_fit")->find("host_memory_usable")->number());
  const Answer drives =
      gpuplan_command("run " + kAt + "fine-tune-70b-full-8xh100-nvme.json --set host.nvme=1e11");
  CHECK(drives.code == 4);
  CHECK(drives.out.find("NVMe drives") != std::string::npos);
  const Answer plan =
      gpuplan_command("plan " + kAt + "fine-tune-70b-full-8xh100-nvme.json --set offload_to=host");
  CHECK(plan.code == 4);
  CHECK(plan.out.find("splits offload more than the memory or drives of a node hold") != std::string::npos);
}

TEST_CASE("cli: mistakes around a step are named with their path", "[cli]") {
  const auto wrong = [&](const std::string& change, const char* said) {
    const Answer answer = gpuplan_command("run " + kPlain + " --set '" + change + "'");
    INFO(change << "\n" << answer.err);
    CHECK(answer.code == 3);
    CHECK(answer.err.find(said) != std::string::npos);
  };
  wrong(R"(checkpoint={})", "$.checkpoint");
  wrong(R"(checkpoint={"interval": 10, "interval_steps": 3})", "$.checkpoint.interval_steps");
  wrong(R"(reliability={"node_mtbf": 1e6, "gpu_hours_per_failure": 1e4})",
        "$.reliability.gpu_hours_per_failure");
  wrong(R"(run={})", "one of steps and tokens");
  wrong(R"(input={"decode_rate": 0})", "$.input.decode_rate");
  wrong(R"(input={"prefetc": true})", "prefetch");
  wrong(R"(offload_to=nvme)", "$.offload_to");
  wrong(R"(faults=[{"device": "leaf22"}])", "leaf2");
  wrong(R"(host={"memori": 1})", "memory");
}

TEST_CASE("cli: gradients summed in 16 bits: what they lose is said", "[cli]") {
  const std::string path = kAt + "gradient-accumulation-13b-64xh100.json";
  CHECK(gpuplan_command("run " + path).out.find("random experiment") == std::string::npos);  // fp32
  const Answer narrow = gpuplan_command("run " + path + " --set precision.gradients=bf16");
  CHECK(narrow.out.find("64 micro-batches summed in bf16") != std::string::npos);
  CHECK(widest_line(narrow.out).first <= 80);
  const Answer why = gpuplan_command("explain " + path + " --set precision.gradients=bf16 " +
                                     "training.gradient_accumulation.relative_rms");
  CHECK(why.out.find("256 times as large") != std::string::npos);
  // A bf16 sum is off by more the more addends, and by far more than an fp32 one.
  const Value few = result_of(path + " --set precision.gradients=bf16 --set batch.global_batch=512");
  const Value many = result_of(path + " --set precision.gradients=bf16");
  CHECK(number(many, "training.gradient_accumulation.relative_rms") >
        number(few, "training.gradient_accumulation.relative_rms"));
  CHECK(number(many, "training.gradient_accumulation.relative_rms") > 0.004);
}
