// Training on images against arithmetic by hand: parameters, FLOPs, kernels of a step, what autograd keeps of
// ResNet-50 and of ViT-L/16, gradient buckets, and the rules of a job.
#include <catch2/catch.hpp>
#include <map>

#include "../hwmodels/resnet50.h"
#include "hwmodels/catalogue/catalogue.h"
#include "tests/workloads/job_testing.h"
#include "workloads/memory/activation.h"
#include "workloads/memory/convnet_memory.h"
#include "workloads/memory/training_memory.h"
#include "workloads/training/vision.h"

using namespace gpuplan;

namespace {

const ModelCatalogue& catalogue() {
  static const ModelCatalogue loaded = ModelCatalogue::load(data_root());
  return loaded;
}

TrainingJob job_of(const char* model, int gpus, int images) {
  TrainingJob job;
  job.model = *catalogue().model(model);
  job.gpus = gpus;
  job.batch.global_batch = gpus * images;
  job.batch.micro_batch = images;
  job.software.framework = Framework::fsdp;
  job.optimizer = Optimizer::sgd;
  return job;
}
std::string problems_of(TrainingJob job) {
  std::vector<Problem> problems;
  resolve_job(job, "$", problems);
  std::string out;
  for (const Problem& problem : problems) {
    out += to_string(problem) + "\n";
  }
  return out;
}
bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("A rank of an image model holds the published parameters") {
  // torchvision's num_params.
  const std::pair<const char*, double> exact[] = {
      {"resnet-50", 25557032}, {"resnet-101", 44549160}, {"resnet-152", 60192808}, {"vit-l-16", 304326632}};
  for (const auto& [name, parameters] : exact) {
    INFO(name);
    CHECK(rank_parameters(resolved(job_of(name, 1, 8)), 0).total() == parameters);
  }
  // Every vision transformer of the catalogue as its layers count.
  int seen = 0;
  for (const Model& model : catalogue().models()) {
    if (model.kind == ModelKind::vision_transformer) {
      INFO(model.name);
      const TrainingJob job = resolved(job_of(model.name.c_str(), 1, 8));
      CHECK(rank_parameters(job, 0).total() == count_parameters(model).total);
      ++seen;
    }
  }
  CHECK(seen >= 9);
}

TEST_CASE("Stages and tensor-parallel ranks of a ViT share it out") {
  TrainingJob job = job_of("vit-l-16", 8, 8);
  job.parallelism.tensor = 2;
  job.parallelism.pipeline = 4;
  job = resolved(job);
  // Biases of a block: 4 x 1024 + 4096 + 1024; its matrices 12 x 1024^2; half of both, and two norms whole.
  const double block = (12.0 * 1024 * 1024 + 4.0 * 1024 + 4096 + 1024) / 2 + 4 * 1024;
  CHECK(rank_parameters(job, 1).total() == 6 * block);
  // In front: 768 pixels a patch and a bias, 1 + 197 rows of tokens and positions.
  CHECK(rank_parameters(job, 0).total() == 6 * block + (768 + 1 + 1 + 197) * 1024.0);
  // Behind: a norm and 1000 classes.
  CHECK(rank_parameters(job, 3).total() == 6 * block + 2 * 1024 + 1025.0 * 1000);
}

TEST_CASE("FLOPs of a step are three times the published forward pass'") {
  // torchvision's _ops, 1e9 multiply-adds of one image of 224 x 224; ViT-g: timm's gmacs.
  const std::pair<const char*, double> published[] = {{"resnet-50", 4.089},
                                                      {"resnet-101", 7.801},
                                                      {"resnet-152", 11.514},
                                                      {"vit-l-16", 61.555},
                                                      {"vit-base-patch16-224", 17.564},
                                                      {"vit-huge-patch14-224", 167.295},
                                                      {"vit-giant", 267.18}};
  for (const auto& [name, gmacs] : published) {
    INFO(name);
    const TrainingStep step = lower_training(resolved(job_of(name, 4, 16)));
    CHECK(step.model_flops / (64 * 6.0) == Approx(gmacs * 1e9).epsilon(0.01));
  }
}

TEST_CASE("A step of ResNet-50 takes the paper's convolutions three times, but for the images' gradient") {
  const TrainingStep step = lower_training(resolved(job_of("resnet-50", 1, 32)));
  std::map<kernels::Convolution::Pass, int> passes;
  std::map<std::string_view, int> names;
  std::vector<kernels::Convolution> forward;
  const auto count = [&](const LayerWork& work) {
    for (const TrainingPhase* phase : {&work.forward, &work.backward, &work.weights}) {
      for (const TrainingKernel& kernel : phase->kernels) {
        if (const auto* op = std::get_if<kernels::Convolution>(&kernel.operation)) {
          ++passes[op->pass];
          if (op->pass == kernels::Convolution::Pass::forward) {
            forward.push_back(*op);
          }
        } else {
          ++names[kernel.name];
        }
      }
    }
  };
  count(step.embedding);
  for (const LayerWork& layer : step.chain) {
    count(layer);
  }
  count(step.head);
  CHECK(passes[kernels::Convolution::Pass::forward] == 53);
  CHECK(passes[kernels::Convolution::Pass::data_gradient] == 52);
  CHECK(passes[kernels::Convolution::Pass::weight_gradient] == 53);
  CHECK(names["batch norm"] == 2 * 53);
  CHECK(names["relu"] == 2 * 49);  // not behind the four projections
  CHECK(names["addition"] == 16);
  CHECK(names["add gradients"] == 16);
  // Shape by shape as the table of the paper has them.
  const auto expected = kernels::resnet50_convolutions(32, Precision::fp16);
  REQUIRE(forward.size() == expected.size());
  double outputs = 0.0, theirs = 0.0;
  for (std::size_t i = 0; i < forward.size(); ++i) {
    const kernels::Convolution &a = forward[i], &b = expected[i];
    CHECK((a.height == b.height && a.in_channels == b.in_channels && a.out_channels == b.out_channels &&
           a.kernel == b.kernel && a.stride == b.stride && a.padding == b.padding));
    outputs += static_cast<double>(a.out_channels * a.out(a.height) * a.out(a.width));
    theirs += static_cast<double>(b.out_channels * b.out(b.height) * b.out(b.width));
  }
  CHECK(outputs == theirs);
  CHECK(outputs == 11113984.0);  // timm's "macts" of resnet50: 11.11 million
}

TEST_CASE("Passes around a convolution move their tensors as often as the kernels do") {
  const auto traffic = [](bool fused) {
    TrainingJob job = job_of("resnet-50", 1, 2);
    job.precision.compute = Precision::fp16;
    job.software.convnet.emplace().fused_norms = fused;
    const TrainingStep step = lower_training(resolved(job));
    double bytes = 0.0;
    const LayerWork& block = step.chain[1];  // the second: no projection
    for (const TrainingPhase* phase : {&block.forward, &block.backward}) {
      for (const TrainingKernel& kernel : phase->kernels) {
        if (const auto* op = std::get_if<kernels::Elementwise>(&kernel.operation);
            op != nullptr && kernel.name != "cast weights") {
          bytes += (op->read + op->written).si();
        }
      }
    }
    return bytes;
  };
  // Two images: outputs of 64, 64 and 256 channels of 56 x 56, and the block's input of 256 channels.
  const double narrow = 2.0 * 64 * 56 * 56, wide = 4.0 * narrow;
  // Not fused, tensors moved. Norm: 3 forward, 5 backward; ReLU: 2 and 3; addition 3; gradients added 3.
  CHECK(traffic(false) ==
        Approx(2.0 * (2.0 * narrow * (3 + 5 + 2 + 3) + wide * (3 + 5 + 2 + 3 + 3) + 3 * wide)));
  // Fused: norm and ReLU 3 and 5, with the addition 4 and 6; a mask of a bit written once and read twice.
  CHECK(traffic(true) ==
        Approx(2.0 * (2.0 * narrow * (3 + 5) + wide * (4 + 6) + 3 * wide) + 3.0 / 8 * (2 * narrow + wide)));
}

TEST_CASE("What autograd keeps of ResNet-50, 256 images in fp16, by hand") {
  TrainingJob job = job_of("resnet-50", 8, 256);
  job.precision.compute = Precision::fp16;
  job = resolved(job);
  // Outputs of convolutions of one image, elements. Stem: 64 x 112^2. Stage 1 at 56^2: 64, 64, 256 and a
  // projection to 256; then 64, 64, 256 twice. The first 1x1 of a later stage still has the side before it.
  const double p56 = 56.0 * 56, p28 = 28.0 * 28, p14 = 14.0 * 14, p7 = 7.0 * 7;
  const double stem = 64.0 * 112 * 112;
  const double stage1 = (64 + 64 + 256 + 256) * p56 + 2 * (64 + 64 + 256) * p56;
  const double stage2 = 128 * p56 + (128 + 512 + 512) * p28 + 3 * (128 + 128 + 512) * p28;
  const double stage3 = 256 * p28 + (256 + 1024 + 1024) * p14 + 5 * (256 + 256 + 1024) * p14;
  const double stage4 = 512 * p14 + (512 + 2048 + 2048) * p7 + 2 * (512 + 512 + 2048) * p7;
  const double outputs = stem + stage1 + stage2 + stage3 + stage4;
  CHECK(outputs == 11113984);
  // Every output is the input of a norm. All but the projections' end in a ReLU whose output is the next
  // input.
  const double projections = 256 * p56 + 512 * p28 + 1024 * p14 + 2048 * p7;
  const double pooled = stem / 4, images = 3.0 * 224 * 224;
  const double halves = outputs + (outputs - projections) + pooled + images;
  CHECK(halves == 21073920);
  const double head = 2.0 * 2048 + (2 + 4) * 1000;                   // the classifier's input, logits twice
  const double image = 2 * halves + 8 * pooled + 4 * images + head;  // indices of the max pool; fp32 images
  // Mean and deviation of 26,560 channels.
  const double stored = 256 * image + 8.0 * 26560;
  CHECK(stored == Approx(11.36e9).epsilon(1e-3));
  const ConvnetActivations a = convnet_activations(job);
  CHECK(a.stored.si() == Approx(stored).epsilon(1e-12));
  // The rest: autocast keeps 16-bit copies, fp32 weights and momentum, fp32 gradients and DDP's copy of them.
  const StageMemory m = stage_memory(job, 0);
  const double n = 25557032;
  CHECK(m.weights.si() == 2 * n);
  CHECK(m.gradients.si() == 4 * n);
  CHECK(m.optimizer.si() == 8 * n);
  CHECK(m.buffers.si() == 4 * n);
  CHECK(m.activations.si() == a.stored.si());
  CHECK(a.working.si() < 0.02 * stored);  // early layers' gradients come when late layers are gone
}

TEST_CASE("Recomputed blocks keep their outputs, sharding divides the state, masks take a bit") {
  TrainingJob job = job_of("resnet-50", 8, 256);
  job.precision.compute = Precision::fp16;
  const double all = convnet_activations(resolved(job)).stored.si();
  job.recompute = Recompute::full;
  const TrainingJob again = resolved(job);
  // Outputs of blocks: 3 of 256 x 56^2, 4 of 512 x 28^2, 6 of 1024 x 14^2, 3 of 2048 x 7^2, in 2 bytes; the
  // stem as ever: two tensors of 64 x 112^2, the pool and its indices, the images.
  const double blocks = 256.0 * 56 * 56 * (3 + 4 / 2.0 + 6 / 4.0 + 3 / 8.0);
  const double stem = 64.0 * 112 * 112, images = 3.0 * 224 * 224;
  const double image = 2 * (blocks + 2 * stem + stem / 4 + images) + 8 * stem / 4 + 4 * images + 10096;
  CHECK(convnet_activations(again).stored.si() == Approx(256 * image).epsilon(1e-4));
  CHECK(convnet_activations(again).stored.si() < 0.45 * all);
  CHECK(convnet_activations(again).working.si() > 0.0);
  job.parallelism.sharding = Sharding::fsdp;
  const StageMemory m = stage_memory(resolved(job), 0);
  CHECK(m.weights.si() == Approx(4.0 * 25557032 / 8));  // fp32, gathered in 16 bits
  CHECK(m.optimizer.si() == Approx(4.0 * 25557032 / 8));
  job.parallelism.sharding = Sharding::ddp;
  job.recompute = Recompute::none;
  job.software.convnet.emplace().fused_norms = true;
  // A bit for each of the 9,608,704 outputs of ReLUs.
  CHECK(convnet_activations(resolved(job)).stored.si() - all == Approx(256 * 9608704.0 / 8).epsilon(1e-9));
  job.software.convnet->fused_norms = false;
  job.software.convnet->channels_last = false;  // tensors pass through a transpose
  CHECK(convnet_activations(resolved(job)).working >
        convnet_activations(resolved(job_of("resnet-50", 8, 256))).working);
}

TEST_CASE("What a layer of ViT-L/16 keeps, by hand") {
  TrainingJob job = job_of("vit-l-16", 8, 128);
  job.precision.compute = Precision::bf16;
  job = resolved(job);
  CHECK(job.batch.seq_len == 14 * 14 + 1);
  // A token, in units of the width h = 1024 in 2 bytes: inputs of the norm and of the query, key and value
  // matrix, those three, the projection's input; input of the norm and of the first matrix, that of GELU and
  // of the second matrix (4 each): 1 + 1 + 3 + 1 + 1 + 1 + 4 + 4 = 16. FlashAttention: 4 B for each of 16
  // heads.
  const double token = 2.0 * 16 * 1024 + 4.0 * 16;
  CHECK(layer_activations(job, false, Recompute::none).stored.si() == Approx(128.0 * 197 * token));
  // In all: 24 layers, and images in fp32 and cut into patches of 16 bits.
  const StageMemory m = stage_memory(job, 0);
  CHECK(m.activations.si() == Approx(24 * 128.0 * 197 * token + 128.0 * 3 * 224 * 224 * (4 + 2)));
  CHECK(m.activations.si() == Approx(20.0e9).epsilon(0.01));
}

TEST_CASE("An image's side sets the tokens of a ViT and the pixels of a ResNet") {
  TrainingJob vit = job_of("vit-base-patch16-224", 1, 4);
  vit.batch.image_size = 384;
  vit = resolved(vit);
  CHECK(vit.batch.seq_len == 24 * 24 + 1);
  CHECK(lower_training(vit).model_flops / (4 * 6.0) == Approx(55.54e9).epsilon(0.01));  // timm, at 384
  TrainingJob resnet = job_of("resnet-50", 1, 4);
  const double at224 = lower_training(resolved(resnet)).model_flops;
  resnet.batch.image_size = 448;
  const double fc = 6.0 * 4 * 2048 * 1000;
  CHECK(lower_training(resolved(resnet)).model_flops - fc == Approx(4.0 * (at224 - fc)).epsilon(1e-12));
}

TEST_CASE("Attention of an image is not masked, and its kernel says so") {
  const TrainingStep step = lower_training(resolved(job_of("vit-l-16", 1, 8)));
  int seen = 0;
  for (const TrainingKernel& kernel : step.dense.forward.kernels) {
    if (const auto* op = std::get_if<kernels::FlashAttention>(&kernel.operation)) {
      CHECK_FALSE(op->causal);
      CHECK((op->queries == 197 && op->context == 197 && op->heads == 16 && op->head_dim == 64));
      ++seen;
    }
  }
  CHECK(seen == 1);
}

TEST_CASE("Buckets of ResNet-50's gradients as PyTorch fills them") {
  const TrainingJob job = resolved(job_of("resnet-50", 8, 256));
  const std::vector<GradientBucket> buckets = gradient_buckets(job, 0);
  // The first closes beyond 1 MiB: the classifier, 2048 x 1000 + 1000 in fp32, when the head is done.
  CHECK(buckets[0].reduce.bytes.si() == 4.0 * 2049000);
  CHECK(buckets[0].after == 1);
  // The second beyond 25 MiB. Last block: 512 x 2048, 3 x 3 x 512 x 512 and 2048 x 512 with norms of 2048,
  // 512 and 512; of the block before the first two of these.
  const double third = 512.0 * 2048 + 2 * 2048, second = 9.0 * 512 * 512 + 2 * 512,
               first = 2048.0 * 512 + 2 * 512;
  CHECK(4 * (third + second + first + third) < 25 * 1048576.0);
  CHECK(buckets[1].reduce.bytes.si() == 4 * (third + second + first + third + second));
  CHECK(buckets[1].after == 3);
  double sum = 0.0;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    sum += buckets[i].reduce.bytes.si();
    if (i > 0 && i + 1 < buckets.size()) {
      CHECK(buckets[i].reduce.bytes.si() >= 25 * 1048576.0);
    }
  }
  CHECK(sum == 4.0 * 25557032);
  CHECK(buckets.back().after == 18);  // head, 16 blocks, stem: the last waits for all
}

TEST_CASE("Buckets hold every gradient of a decoder's stage, and only DDP has them") {
  TrainingJob job = job_of("llama-3.2-1b", 8, 1);
  job.batch.seq_len = 2048;
  job.optimizer = Optimizer::adamw;
  const TrainingJob ddp = resolved(job);
  const StageWork work = lower_stage(ddp, 0);
  CHECK(work.reduce.empty());
  double sum = 0.0;
  int before = 0;
  for (const GradientBucket& bucket : work.buckets) {
    sum += bucket.reduce.bytes.si();
    CHECK(bucket.after >= before);
    before = bucket.after;
  }
  CHECK(sum == Approx(4.0 * rank_parameters(ddp, 0).total()).epsilon(1e-12));
  CHECK(work.buckets.back().after == 1 + 16 + 1);  // the embedding comes last
  job.software.bucket_mb = 0;
  const StageWork whole = lower_stage(resolved(job), 0);
  CHECK((whole.buckets.empty() && whole.reduce.size() == 1));
  job.software.bucket_mb.reset();
  job.parallelism.sharding = Sharding::zero1;
  CHECK(lower_stage(resolved(job), 0).buckets.empty());
  job.parallelism.sharding = Sharding::ddp;
  job.software.framework = Framework::megatron;
  CHECK(lower_stage(resolved(job), 0).buckets.empty());
}

TEST_CASE("Rules of jobs on images name what they break") {
  TrainingJob job = job_of("resnet-50", 8, 16);
  job.parallelism.tensor = 2;
  job.parallelism.sharding = Sharding::zero3;
  job.recompute = Recompute::selective;
  job.precision.compute = Precision::fp8;
  job.software.framework = Framework::megatron;
  const std::string text = problems_of(job);
  for (const char* field : {"$.parallelism.tensor", "$.parallelism.sharding", "$.recompute",
                            "$.precision.compute", "$.software.framework"}) {
    INFO(field << " in " << text);
    CHECK(has(text, field));
  }
  TrainingJob sequence = job_of("vit-l-16", 8, 16);
  sequence.batch.seq_len = 197;
  CHECK(has(problems_of(sequence), "$.batch.seq_len: found 197"));
  TrainingJob side = job_of("vit-l-16", 8, 16);
  side.batch.image_size = 230;
  CHECK(has(problems_of(side), "a multiple of 16"));
  side = job_of("resnet-50", 8, 16);
  side.batch.image_size = 230;
  CHECK(has(problems_of(side), "a multiple of 32"));
  TrainingJob decoder = job_of("llama-2-7b", 8, 16);
  decoder.batch.image_size = 224;
  decoder.software.convnet.emplace();
  CHECK(has(problems_of(decoder), "$.batch.image_size"));
  CHECK(has(problems_of(decoder), "$.software.convnet"));
  CHECK(has(problems_of(job_of("bert-large", 8, 16)), "a decoder, a vision transformer or a bottleneck"));
  CHECK(problems_of(job_of("resnet-50", 8, 16)).empty());
  TrainingJob nothing = job_of("resnet-50", 8, 16);
  nothing.model =
      with_overrides(nothing.model, json::parse(R"({"shape": {"blocks": []}})", "test"), "$.model");
  CHECK(has(problems_of(nothing), "$.model.shape.blocks: found 0 stages"));
  CHECK_FALSE(has(problems_of(nothing), "$.model: "));
}
