#include "workloads/training/vision.h"

#include <fmt/format.h>

#include "workloads/models/shape.h"

namespace gpuplan {

namespace {

const json::Value* shape_of(const Model& model, std::string_view grammar) {
  const json::Value* shape = model.raw.find("shape");
  const json::Value* type = shape != nullptr ? shape->find("type") : nullptr;
  return type != nullptr && type->is_string() && type->string() == grammar ? shape : nullptr;
}

constexpr std::int64_t kMost = 1 << 16;  // pixels on a side, channels: what convolutions are priced for

// Sets the image's side where the job gives one that `multiple` divides.
void set_image(const TrainingJob& job, std::int64_t multiple, const std::string& path, std::int64_t& image,
               std::vector<Problem>& problems) {
  const std::int64_t given = job.batch.image_size > 0 ? job.batch.image_size : image;
  if (given % multiple != 0 || given > kMost) {
    problems.push_back({path + ".batch.image_size", std::to_string(given),
                        fmt::format("a multiple of {} up to {} ({})", multiple, kMost, job.model.name), ""});
    return;
  }
  image = given;
}

// As a decoder's layers are described, for all that reads those.
void describe_layers(const models::Vit& shape, TrainingJob& job) {
  Model& m = job.model;
  m.layers = static_cast<int>(shape.layers);
  m.hidden = static_cast<int>(shape.hidden);
  m.ffn = static_cast<int>(shape.ffn);
  m.heads = m.kv_heads = static_cast<int>(shape.heads);
  m.head_dim = static_cast<int>(shape.hidden / shape.heads);
  m.vocab = 0;
  m.mlp = Mlp::plain;
  m.norm = Norm::layernorm;
  m.learned_positions = true;
  m.max_seq = shape.tokens();
  job.batch.seq_len = shape.tokens();
  job.batch.image_size = static_cast<int>(shape.image);
}

}  // namespace

void resolve_images(TrainingJob& job, const std::string& path, std::vector<Problem>& problems) {
  const bool decoder = job.model.kind == ModelKind::decoder;
  if (job.sees_images() || (decoder && job.batch.image_size == 0 && !job.software.convnet)) {
    return;
  }
  const bool transformer = job.model.kind == ModelKind::vision_transformer;
  const json::Value* shape = shape_of(job.model, transformer ? "vit" : "resnet");
  const bool network = !transformer && job.model.kind == ModelKind::cnn && shape != nullptr;
  if (job.software.convnet && !network) {
    problems.push_back({path + ".software.convnet", "an object",
                        fmt::format("nothing: {} is no convolutional network", job.model.name), ""});
  }
  if (shape == nullptr || !(transformer || network)) {
    if (job.batch.image_size > 0) {
      problems.push_back({path + ".batch.image_size", std::to_string(job.batch.image_size),
                          fmt::format("nothing: {} reads no images", job.model.name), ""});
    }
    return;
  }
  if (job.batch.seq_len > 0) {
    problems.push_back({path + ".batch.seq_len", std::to_string(job.batch.seq_len),
                        "nothing: image_size says what a model that looks at images reads", ""});
  }
  if (transformer) {
    models::Vit vit;
    if (models::read_shape(*shape, path + ".model.shape", vit, problems)) {
      set_image(job, vit.patch, path, vit.image, problems);
      describe_layers(vit, job);
      job.vision = vit;
    }
    return;
  }
  models::Resnet resnet;
  if (models::read_shape(*shape, path + ".model.shape", resnet, problems)) {
    constexpr std::size_t most_stages = 12;
    const std::size_t stages = resnet.blocks.size();
    if (stages < 1 || stages > most_stages || convnet_features(resnet) > kMost) {
      problems.push_back({path + ".model.shape.blocks", fmt::format("{} stages", stages),
                          fmt::format("1 to {} stages, the last of at most {} channels", most_stages, kMost),
                          ""});
      return;
    }
    set_image(job, std::int64_t{2} << stages, path, resnet.image, problems);  // stem, pool, stages but one
    job.model.layers = static_cast<int>(convnet_units(resnet).size()) - 1;
    job.batch.seq_len = 1;
    job.batch.image_size = static_cast<int>(resnet.image);
    job.vision = std::move(resnet);
  }
}

}  // namespace gpuplan
