// The model files against the hand-written JSON Schema, by a validator that is not ours.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/json_schema.h"
#include "workloads/models/model.h"

namespace {

using Json = nlohmann::json;

const std::filesystem::path kModels = std::filesystem::path(GPUPLAN_SOURCE_DIR) / "workloads/models";

Json read(const std::filesystem::path& path) {
  std::ifstream in(path);
  INFO(path.string());
  REQUIRE(in);
  return Json::parse(in);
}

bool valid(const Json& value) {
  static const JsonSchema kSchema(read(kModels / "schema/model.schema.json").dump());
  return kSchema.valid(value.dump());
}

}  // namespace

TEST_CASE("model data: every file is valid against its schema and named as its model") {
  std::size_t files = 0;
  for (const auto& file : std::filesystem::directory_iterator(kModels / "data")) {
    INFO(file.path().string());
    const Json model = read(file.path());
    CHECK(valid(model));
    CHECK(model.at("name").get<std::string>() == file.path().stem().string());
    ++files;
  }
  CHECK(files == gpuplan::ModelCatalogue::load(GPUPLAN_SOURCE_DIR).models().size());
}

TEST_CASE("model schema: refuses what the loader refuses") {
  const Json good = read(kModels / "data/mixtral-8x7b.json");
  REQUIRE(valid(good));
  const std::pair<const char*, Json> wrong[] = {
      {"/layers", 0},     {"/layers", "32"},      {"/hidden", -1},    {"/hidden", 4096.5},
      {"/layer", 32},     {"/kind", "decode"},    {"/mlp", "swiglu"}, {"/moe/top_k", 0},
      {"/moe/expert", 8}, {"/published/exact", 1}};
  for (const auto& [where, value] : wrong) {
    INFO(where << " = " << value.dump());
    Json bad = good;
    bad[Json::json_pointer(where)] = value;
    CHECK_FALSE(valid(bad));
  }
  for (const char* needed : {"name", "kind", "layers", "hidden", "heads", "source"}) {
    INFO(needed);
    Json bad = good;
    bad.erase(needed);
    CHECK_FALSE(valid(bad));
  }
  Json vision = read(kModels / "data/vit-base-patch16-224.json");
  REQUIRE(valid(vision));
  vision["shape"]["hiden"] = 3;
  CHECK_FALSE(valid(vision));
}
