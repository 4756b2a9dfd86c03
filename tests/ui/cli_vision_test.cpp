// Training on images on the command line.
#include "tests/ui/cli_testing.h"

namespace {
const std::string kResnet = "scenarios/training/resnet50-8xa100.json";
const std::string kVit = "scenarios/training/vit-l-16-8xh100.json";
}  // namespace

TEST_CASE("cli: training on images speaks of images", "[cli]") {
  for (const std::string& file :
       {kResnet, kVit, std::string("scenarios/training/resnet50-memory-bound-8xh100.json")}) {
    INFO(file);
    const Answer text = gpuplan_command("run " + file);
    CHECK(text.code == 0);
    CHECK(text.out.find("images/s") != std::string::npos);
    CHECK(text.out.find("tokens/s") == std::string::npos);
    CHECK(text.out.find("per million images") != std::string::npos);
    CHECK(widest_line(text.out).first <= 80);
    CHECK(gpuplan_command("run " + file).out == text.out);
  }
  const Value out = gpuplan::json::parse(gpuplan_command("run " + kResnet + " --json").out, "out");
  const Value& metrics = *out.find("metrics");
  CHECK(metrics.find("training.samples_per_s")->number() > 0.0);
  CHECK(metrics.find("training.samples_per_s_per_gpu")->number() > 0.0);
  CHECK(metrics.find("training.tokens_per_s") == nullptr);
  CHECK(out.find("uncertainty")->find("training.samples_per_s") != nullptr);
  // The resolved scenario runs again and gives the same.
  const std::string again = sandbox().file("again.json", gpuplan::json::dump(*out.find("scenario"), 2));
  const Answer second = gpuplan_command("run " + again + " --json");
  REQUIRE(second.code == 0);
  CHECK(gpuplan::json::dump(*gpuplan::json::parse(second.out, "out").find("metrics"), 0) ==
        gpuplan::json::dump(metrics, 0));
}

TEST_CASE("cli: a network too large for the GPU says which tensors and what would fit", "[cli]") {
  const Answer text =
      gpuplan_command("run " + kResnet + " --set batch.micro_batch=2560 --set batch.global_batch=20480");
  CHECK(text.code == 4);
  CHECK(text.out.find("most of it is activations") != std::string::npos);
  CHECK(text.out.find("--set batch.micro_batch=1280") != std::string::npos);
  CHECK(text.out.find("--set recompute=full") != std::string::npos);
  CHECK(text.out.find("tensor") == std::string::npos);  // nothing that a network cannot do
}

TEST_CASE("cli: mistakes of jobs on images are named with their path", "[cli]") {
  const Answer sequence = gpuplan_command("run " + kVit + " --set batch.seq_len=197");
  CHECK(sequence.code == 3);
  CHECK(sequence.err.find("$.batch.seq_len: found 197") != std::string::npos);
  const Answer split = gpuplan_command("run " + kResnet + " --set parallelism.tensor=2");
  CHECK(split.code == 3);
  CHECK(split.err.find("$.parallelism.tensor: found 2; expected 1: resnet50 is split over data alone") !=
        std::string::npos);
  const Answer layout = gpuplan_command("run " + kResnet + " --set software.convnet.chanels_last=true");
  CHECK(layout.code == 3);
  CHECK(layout.err.find("did you mean channels_last?") != std::string::npos);
  CHECK(gpuplan_command("run " + kVit + " --set software.convnet.channels_last=true").code == 3);
}

TEST_CASE("cli: explain derives the figures of a network", "[cli]") {
  const Answer answer = gpuplan_command("explain " + kResnet);
  CHECK(answer.code == 0);
  for (const char* part : {"gradients in 5 buckets of 25 MiB", "backward: conv2", "weight gradients: conv1",
                           "stage 1: ", "MB an image", "3 x the forward pass"}) {
    INFO(part);
    CHECK(answer.out.find(part) != std::string::npos);
  }
  CHECK(widest_line(answer.out).first <= 80);
  const Answer vit = gpuplan_command("explain " + kVit + " training.samples_per_s training.mfu");
  CHECK(vit.code == 0);
  CHECK(vit.out.find("forward: attention") != std::string::npos);
  CHECK(vit.out.find("2048 images a step / ") != std::string::npos);
}

TEST_CASE("cli: plan says what it searches for a network, and writes what runs", "[cli]") {
  const std::string file = (sandbox().dir / "network.json").string();
  const Answer text = gpuplan_command("plan " + kResnet + " --quiet --write " + file);
  CHECK(text.code == 0);
  CHECK(text.out.find("is split over data alone") != std::string::npos);
  CHECK(text.out.find("images/s/GPU") != std::string::npos);
  CHECK(widest_line(text.out).first <= 80);
  const Value found =
      gpuplan::json::parse(gpuplan_command("plan " + kResnet + " --quiet --json").out, "plan");
  const Answer ran = gpuplan_command("run " + file + " --json");
  REQUIRE(ran.code == 0);
  CHECK(gpuplan::json::parse(ran.out, "run").find("metrics")->find("training.step_time")->number() ==
        Approx(found.find("plan")->find("best")->find("step_time")->number()).epsilon(1e-9));
  CHECK(found.find("plan")->find("best")->find("samples_per_s_per_gpu")->number() > 0.0);
}
