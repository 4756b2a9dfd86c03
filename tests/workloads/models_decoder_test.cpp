#include <catch2/catch.hpp>

#include "hwmodels/json/problem.h"
#include "workloads/models/model.h"

namespace gpuplan {
namespace {

const ModelCatalogue& catalogue() {
  static const ModelCatalogue kAll = ModelCatalogue::load(GPUPLAN_SOURCE_DIR);
  return kAll;
}

const Model& model(const std::string& name) {
  const Model* found = catalogue().model(name);
  INFO(name);
  REQUIRE(found != nullptr);
  return *found;
}

}  // namespace

TEST_CASE("models: KV bytes per token by hand") {
  // Keys and values of every layer: 2 x 40 layers x 40 heads x 128 elements x 2 B.
  CHECK(kv_bytes_per_token(model("llama-2-13b"), Precision::fp16).si() == 2.0 * 40 * 40 * 128 * 2);
  CHECK(kv_bytes_per_token(model("llama-2-13b"), Precision::fp16).si() == 819200.0);
  // Grouped: 8 key/value heads serve 64 query heads.
  CHECK(kv_bytes_per_token(model("llama-3.1-70b"), Precision::bf16).si() == 2.0 * 80 * 8 * 128 * 2);
  CHECK(kv_bytes_per_token(model("llama-3.1-70b"), Precision::fp8).si() == 163840.0);
  // Latent: one compressed vector of 512 and one rotary key of 64 elements a layer.
  CHECK(kv_bytes_per_token(model("deepseek-v3"), Precision::bf16).si() == 61.0 * (512 + 64) * 2);
}

TEST_CASE("models: the parameters of llama-2-13b by hand") {
  const ParameterCount count = count_parameters(model("llama-2-13b"));
  CHECK(count.embedding == 32000.0 * 5120);
  CHECK(count.lm_head == 32000.0 * 5120);
  CHECK(count.attention == 40.0 * 4 * 5120 * 5120);
  CHECK(count.mlp == 40.0 * 3 * 5120 * 13824);
  CHECK(count.norms == (40.0 * 2 + 1) * 5120);
  CHECK(count.experts == 0.0);
  CHECK(count.total == 13015864320.0);
  CHECK(count.active == count.total);
}

}  // namespace gpuplan
