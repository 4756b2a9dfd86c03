// Decoders of the catalogue: parameters and cache worked out by hand, names, overrides.
#include <catch2/catch.hpp>
#include <cmath>

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

// The text of the InputError that overriding raises; "" where it raises none.
std::string complaint(const Model& base, const std::string& overrides) {
  try {
    static_cast<void>(with_overrides(base, json::parse(overrides, "test"), "s.json: $.model"));
    return "";
  } catch (const InputError& error) {
    return error.what();
  }
}

Model changed(const std::string& name, const std::string& overrides) {
  return with_overrides(model(name), json::parse(overrides, "test"), "s.json: $.model");
}

}  // namespace

TEST_CASE("models: KV bytes per token by hand") {
  // Keys and values of every layer: 2 x 40 layers x 40 heads x 128 elements x 2 B.
  CHECK(kv_bytes_per_token(model("llama-2-13b"), Precision::fp16).si() == 2.0 * 40 * 40 * 128 * 2);
  CHECK(kv_bytes_per_token(model("llama-2-13b"), Precision::fp16).si() == 819200.0);
  // Grouped: 8 key/value heads serve 64 query heads.
  CHECK(kv_bytes_per_token(model("llama-3.1-70b"), Precision::bf16).si() == 327680.0);
  CHECK(kv_bytes_per_token(model("llama-3.1-70b"), Precision::fp8).si() == 163840.0);
  // Latent: one compressed vector of 512 and one rotary key of 64 elements a layer.
  CHECK(kv_bytes_per_token(model("deepseek-v3"), Precision::bf16).si() == 61.0 * (512 + 64) * 2);
  CHECK(kv_bytes_per_token(model("deepseek-v3"), Precision::bf16).si() == 70272.0);
  // No decoder, no cache.
  CHECK(kv_bytes_per_token(model("resnet50"), Precision::bf16).si() == 0.0);
}

TEST_CASE("models: the parameters of llama-2-13b by hand") {
  const ParameterCount count = count_parameters(model("llama-2-13b"));
  CHECK(count.embedding == 32000.0 * 5120);
  CHECK(count.lm_head == 32000.0 * 5120);
  CHECK(count.attention == 40.0 * 4 * 5120 * 5120);
  CHECK(count.mlp == 40.0 * 3 * 5120 * 13824);
  CHECK(count.norms == (40.0 * 2 + 1) * 5120);
  CHECK(count.experts == 0.0);
  CHECK(count.active == count.total);
}

TEST_CASE("models: a mixture of experts by hand, mixtral-8x7b") {
  const ParameterCount count = count_parameters(model("mixtral-8x7b"));
  const double expert = 3.0 * 4096 * 14336;
  CHECK(count.experts == 32.0 * 8 * expert);
  CHECK(count.mlp == 32.0 * 4096 * 8);  // the router
  CHECK(count.attention == 32.0 * (4096.0 * (4096 + 2 * 1024) + 4096.0 * 4096));
  CHECK(count.total - count.active == 32.0 * 6 * expert);
}

TEST_CASE("models: latent attention and shared experts by hand, deepseek-v3") {
  const ParameterCount count = count_parameters(model("deepseek-v3"));
  const double query = 7168.0 * 1536 + 1536.0 * 128 * 192;
  const double key_value = 7168.0 * (512 + 64) + 512.0 * 128 * (128 + 128);
  const double output = 128.0 * 128 * 7168;
  CHECK(count.attention == 61.0 * (query + key_value + output));
  // Two norms on the stream and one on each latent, 61 layers; one at the end.
  CHECK(count.norms == 61.0 * (2 * 7168 + 1536 + 512) + 7168);
  const double router = 7168.0 * 256 + 256;  // and the balance correction
  CHECK(count.mlp == 3.0 * 3 * 7168 * 18432 + 58.0 * (router + 3.0 * 7168 * 2048));
  CHECK(count.experts == 58.0 * 256 * 3 * 7168 * 2048);
  CHECK(moe_layers(model("deepseek-v3")) == 58);
}

TEST_CASE("models: biases, sinks and positions by hand") {
  const ParameterCount oss = count_parameters(model("gpt-oss-20b"));
  const double matrices = 2880.0 * (4096 + 2 * 512) + 4096.0 * 2880;
  CHECK(oss.attention == 24.0 * (matrices + 4096 + 2 * 512 + 2880 + 64));
  CHECK(oss.experts == 24.0 * 32 * (3.0 * 2880 * 2880 + 2 * 2880 + 2880));
  const ParameterCount gpt3 = count_parameters(model("gpt3-175b"));
  CHECK(gpt3.embedding == (50257.0 + 2048) * 12288);
  CHECK(gpt3.lm_head == 0.0);
  CHECK(gpt3.norms == (96.0 * 2 + 1) * 2 * 12288);
  // One norm a layer and a bias on the output: GPT-J.
  const ParameterCount gptj = count_parameters(model("gpt-j-6b"));
  CHECK(gptj.norms == (28.0 + 1) * 2 * 4096);
  CHECK(gptj.lm_head == 50400.0 * 4096 + 50400);
}

TEST_CASE("models: names, aliases and organisations") {
  const std::pair<const char*, const char*> names[] = {
      {"meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b"},
      {"LLaMA 3.1 8B", "llama-3.1-8b"},
      {"LLaMA v3.1 70B", "llama-3.1-70b"},
      {"Meta-Llama-3.1-70B-Instruct-FP8", "llama-3.1-70b"},
      {"Llama 3.3 70B", "llama-3.1-70b"},
      {"Hermes-3-Llama-3.1-405B-FP8", "llama-3.1-405b"},
      {"Qwen3-32B-NVFP4", "qwen3-32b"},
      {"Qwen3-235B-A22B-FP8", "qwen3-235b-a22b"},
      {"Llama-2-7b-hf", "llama-2-7b"},
      {"LLaMA 7B", "llama-2-7b"},
      {"LLaMA 70B", "llama-2-70b"},
      {"Mistral-Nemo-Instruct-2407", "mistral-nemo-12b"},
      {"Mistral 7B", "mistral-7b-v0.3"},
      {"Mixtral 8x7B", "mixtral-8x7b"},
      {"Mixtral (MoE)", "mixtral-8x7b"},
      {"DeepSeek R1 0528", "deepseek-v3"},
      {"deepseek-ai/DeepSeek-R1", "deepseek-v3"},
      {"GPT-OSS 120B", "gpt-oss-120b"},
      {"Falcon 180B", "falcon-180b"},
      {"GPT-J 6B", "gpt-j-6b"},
      {"Yi-34B", "yi-34b"},
      {"Llama 4 Maverick", "llama-4-maverick"},
      {"FLUX.1 [dev]", "flux.1-dev"},
  };
  for (const auto& [written, meant] : names) {
    CHECK(model(written).name == meant);
  }
  CHECK(model("/models/meta-llama/Llama-2-13b-hf").name == "llama-2-13b");
  CHECK(model("ViT-S/16").name == "vit-small-patch16-224");
  CHECK(catalogue().model("llama") == nullptr);
  CHECK(catalogue().model("") == nullptr);
  CHECK(catalogue().model("org/") == nullptr);
  CHECK(catalogue().names().size() == catalogue().models().size());
}

TEST_CASE("models: every name and alias finds its own model") {
  for (const Model& m : catalogue().models()) {
    CHECK(catalogue().model(m.name) == &m);
    for (const std::string& alias : m.aliases) {
      CHECK(catalogue().model("org/" + alias) == &m);
    }
  }
}

TEST_CASE("models: overrides change shapes and keep the rest") {
  const Model half = changed("llama-2-13b", R"({"base": "llama-2-13b", "layers": 20, "kv_heads": 8})");
  CHECK(half.layers == 20);
  CHECK(half.kv_heads == 8);
  CHECK(half.hidden == 5120);
  CHECK_FALSE(half.published);  // the published count is the whole model's
  CHECK(kv_bytes_per_token(half, Precision::fp16).si() == 2.0 * 20 * 8 * 128 * 2);
  const Model narrow = changed("mixtral-8x7b", R"({"moe": {"top_k": 1}, "norm": "layernorm"})");
  CHECK(narrow.moe->top_k == 1);
  CHECK(narrow.moe->experts == 8);
  CHECK(narrow.norm == Norm::layernorm);
  // Again over the result, as a sweep does; and nothing at all.
  CHECK(with_overrides(narrow, json::parse(R"({"moe": {"top_k": 4}})", "test"), "$").moe->top_k == 4);
  CHECK(changed("llama-2-13b", "{}").published);
  const Model dense = changed("mixtral-8x7b", R"({"moe": null, "ffn": 14336})");
  CHECK_FALSE(dense.moe);
  CHECK(count_parameters(dense).experts == 0.0);
  const Model sharper = changed("vit-base-patch16-224", R"({"shape": {"image": 384}})");
  CHECK(count_parameters(sharper).total == count_parameters(model("vit-base-patch16-384")).total);
}

TEST_CASE("models: wrong overrides are named, with a suggestion") {
  const Model& llama = model("llama-2-13b");
  CHECK(complaint(llama, R"({"layer": 20})").find("$.model.layer: found an unknown field") !=
        std::string::npos);
  CHECK(complaint(llama, R"({"layer": 20})").find("did you mean layers") != std::string::npos);
  CHECK(complaint(llama, R"({"layers": 0})").find("$.model.layers: found 0") != std::string::npos);
  CHECK(complaint(llama, R"({"hidden": -4})").find("$.model.hidden") != std::string::npos);
  CHECK(complaint(llama, R"({"hidden": 1e300})").find("$.model.hidden") != std::string::npos);
  CHECK(complaint(llama, R"({"kv_heads": 7})").find("a divisor of the 40 query heads") != std::string::npos);
  CHECK(complaint(llama, R"({"ffn": 0})").find("$.model.ffn") != std::string::npos);
  CHECK(complaint(llama, R"({"layers": null})").find("$.model.layers: found null") != std::string::npos);
  CHECK(complaint(llama, R"({"mlp": "gate"})").find("did you mean gated?") != std::string::npos);
  CHECK(complaint(llama, R"([1])").find("an object of overridden fields") != std::string::npos);
  CHECK(complaint(llama, R"({"moe": {"experts": 8}})").find("$.model.moe.top_k") != std::string::npos);
  CHECK(complaint(model("mixtral-8x7b"), R"({"moe": {"top_k": 9}})").find("at most the 8 experts") !=
        std::string::npos);
  CHECK(
      complaint(model("deepseek-v3"), R"({"moe": {"first_dense_layers": 62}})").find("first_dense_layers") !=
      std::string::npos);
  CHECK(complaint(model("resnet50"), R"({"shape": {"block": [1]}})").find("did you mean blocks?") !=
        std::string::npos);
  // Two mistakes, two problems.
  try {
    static_cast<void>(changed("llama-2-13b", R"({"layers": 0, "heads": 0})"));
    FAIL("accepted");
  } catch (const InputError& error) {
    CHECK(error.problems().size() == 2);
  }
}

TEST_CASE("models: parameters grow with every size") {
  const Model& base = model("qwen3-30b-a3b");
  const double before = count_parameters(base).total;
  for (const char* bigger :
       {R"({"layers": 49})", R"({"hidden": 2049})", R"({"heads": 36})", R"({"head_dim": 129})",
        R"({"kv_heads": 8})", R"({"vocab": 151937})", R"({"moe": {"experts": 129}})",
        R"({"moe": {"expert_ffn": 769}})", R"({"qkv_bias": true})"}) {
    INFO(bigger);
    CHECK(count_parameters(with_overrides(base, json::parse(bigger, "test"), "$")).total > before);
  }
}

TEST_CASE("models: the largest shapes that are accepted still count exactly") {
  const Model huge = changed("mixtral-8x7b", R"({"layers": 65536, "hidden": 16777216, "heads": 65536,
      "kv_heads": 65536, "head_dim": 16777216, "vocab": 268435456,
      "moe": {"experts": 65536, "expert_ffn": 16777216}})");
  const ParameterCount count = count_parameters(huge);
  CHECK(std::isfinite(count.total));
  CHECK(count.total > 1e24);
  CHECK(std::isfinite(kv_bytes_per_token(huge, Precision::fp32).si()));
}

TEST_CASE("models: a missing data folder is the user's mistake") {
  CHECK_THROWS_AS(ModelCatalogue::load("/nonexistent"), InputError);
}

}  // namespace gpuplan
