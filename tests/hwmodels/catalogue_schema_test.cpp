// The data files against the hand-written JSON Schemas, by a validator that is not ours.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/json_schema.h"

namespace {

using Json = nlohmann::json;

const std::filesystem::path kCatalogue = std::filesystem::path(GPUPLAN_SOURCE_DIR) / "hwmodels/catalogue";

Json read(const std::filesystem::path& path) {
  std::ifstream in(path);
  INFO(path.string());
  REQUIRE(in);
  return Json::parse(in);
}

class Checker {
 public:
  explicit Checker(const std::string& name)
      : schema_(read(kCatalogue / "schema" / (name + ".schema.json")).dump()) {}
  [[nodiscard]] std::string complaint(const Json& value) const { return schema_.complaint(value.dump()); }

 private:
  JsonSchema schema_;
};

std::vector<std::filesystem::path> files(const char* folder) {
  std::vector<std::filesystem::path> out;
  for (const auto& file : std::filesystem::directory_iterator(kCatalogue / "data" / folder)) {
    out.push_back(file.path());
  }
  REQUIRE_FALSE(out.empty());
  return out;
}

// Every object with a "value" has a known source, and no number stands outside one (but in `plain`).
void check_sources(const Json& value, const std::set<std::string>& tags, const std::set<std::string>& plain,
                   const std::string& path) {
  INFO(path);
  if (value.is_object()) {
    if (value.contains("value")) {
      CHECK(tags.contains(value.value("source", "no source")));
      return;
    }
    for (const auto& [key, member] : value.items()) {
      if (!plain.contains(key)) {
        check_sources(member, tags, plain, path + "." + key);
      }
    }
  } else {
    CHECK_FALSE(value.is_number());
    CHECK_FALSE(value.is_boolean());
  }
}

}  // namespace

TEST_CASE("catalogue data: every file is valid against its schema") {
  const std::pair<const char*, const char*> folders[] = {
      {"gpus", "gpu"}, {"nodes", "node"}, {"fabrics", "fabric"}, {"prices", "prices"}};
  for (const auto& [folder, schema] : folders) {
    const Checker checker(schema);
    for (const std::filesystem::path& file : files(folder)) {
      INFO(file.string());
      const Json value = read(file);
      CHECK(checker.complaint(value).empty());
      CHECK(value.at("$schema") == "../../schema/" + std::string(schema) + ".schema.json");
      if (value.contains("name")) {
        CHECK(value.at("name") == file.stem().string());
      }
    }
  }
  CHECK(Checker("tco").complaint(read(kCatalogue / "data/tco.json")).empty());
  CHECK(Checker("api_prices").complaint(read(kCatalogue / "data/api_prices.json")).empty());
  CHECK(Checker("sources").complaint(read(kCatalogue / "data/sources.json")).empty());
}

TEST_CASE("catalogue data: a source on each value, each tag known and used") {
  const Json sources = read(kCatalogue / "data/sources.json").at("sources");
  std::set<std::string> tags;
  for (const auto& [tag, source] : sources.items()) {
    tags.insert(tag);
  }
  std::string everything = read(kCatalogue / "data/tco.json").dump();
  for (const char* folder : {"gpus", "nodes", "fabrics"}) {
    for (const std::filesystem::path& file : files(folder)) {
      const Json value = read(file);
      check_sources(value, tags, {"order"}, file.filename().string());
      everything += value.dump();
    }
  }
  check_sources(read(kCatalogue / "data/tco.json"), tags, {}, "tco.json");
  for (const std::string& tag : tags) {
    INFO(tag);
    CHECK(everything.find("\"source\":\"" + tag + "\"") != std::string::npos);
  }
}

TEST_CASE("catalogue data: what was recalled says so") {
  const Json sources = read(kCatalogue / "data/sources.json").at("sources");
  CHECK(sources.at("R").at("standing") == "assumed");
  CHECK(sources.at("D").at("standing") == "derived");
}

TEST_CASE("catalogue schemas: refuse what they should") {
  const Checker gpu("gpu");
  const Json good = read(kCatalogue / "data/gpus/L4.json");
  REQUIRE(gpu.complaint(good).empty());
  const auto refused = [&](auto change) {
    Json bad = good;
    change(bad);
    return !gpu.complaint(bad).empty();
  };
  CHECK(refused([](Json& j) { j["memory_gb"] = 24; }));
  CHECK(refused([](Json& j) { j["memory_gb"].erase("source"); }));
  CHECK(refused([](Json& j) { j["memory_gb"]["value"] = -1; }));
  CHECK(refused([](Json& j) { j["memory_gb"]["value"] = "24"; }));
  CHECK(refused([](Json& j) { j["memory_gb"]["why"] = "x"; }));
  CHECK(refused([](Json& j) { j["memory_bg"] = j["memory_gb"]; }));
  CHECK(refused([](Json& j) { j.erase("memory_gb"); }));
  CHECK(refused([](Json& j) { j["sm_count"]["value"] = 1.5; }));
  CHECK(refused([](Json& j) { j["matrix_peak_tflops"]["fp12"] = j["tdp_w"]; }));
  CHECK(refused([](Json& j) { j["facts"]["x"] = 3; }));

  const Checker prices("prices");
  Json price = read(kCatalogue / "data/prices/L4.json");
  REQUIRE(prices.complaint(price).empty());
  price["points"][0]["date"] = "March 2025";
  CHECK_FALSE(prices.complaint(price).empty());
  price = read(kCatalogue / "data/prices/L4.json");
  price["points"][0].erase("source");
  CHECK_FALSE(prices.complaint(price).empty());
  price = read(kCatalogue / "data/prices/L4.json");
  price["points"][0].erase("on_demand_usd_per_gpu_hour");
  CHECK_FALSE(prices.complaint(price).empty());
}
