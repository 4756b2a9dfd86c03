// The silicon data: valid by a validator that is not ours, sourced, and in agreement with the catalogue.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/hwmodels/silicon_testing.h"
#include "tests/json_schema.h"

using namespace gpuplan;
using namespace gpuplan::silicon;

namespace {

using Json = nlohmann::json;

const std::filesystem::path kSilicon = std::filesystem::path(GPUPLAN_SOURCE_DIR) / "hwmodels/silicon";

Json read(const std::filesystem::path& path) {
  std::ifstream in(path);
  INFO(path.string());
  REQUIRE(in);
  return Json::parse(in);
}

struct DataFile {
  std::filesystem::path path;
  std::string schema;
};

std::vector<DataFile> data_files() {
  std::vector<DataFile> out;
  for (const char* name : {"blocks", "prices", "energies"}) {
    out.push_back({kSilicon / "data" / (std::string(name) + ".json"), name});
  }
  for (const auto& [folder, schema] : {std::pair{"processes", "process"}, std::pair{"dies", "die"}}) {
    for (const auto& file : std::filesystem::directory_iterator(kSilicon / "data" / folder)) {
      out.push_back({file.path(), schema});
    }
  }
  return out;
}

// The names of a described struct.
template <class T>
std::set<std::string> described() {
  std::set<std::string> out;
  const json::Value schema = json::schema_of<T>();
  for (const auto& [name, property] : schema.find("properties")->object()) {
    out.insert(name);
  }
  return out;
}

std::set<std::string> properties(const char* schema) {
  std::set<std::string> out;
  const Json file = read(kSilicon / "schema" / (std::string(schema) + ".schema.json"));
  for (const auto& [name, property] : file.at("properties").items()) {
    out.insert(name);
  }
  return out;
}

}  // namespace

TEST_CASE("silicon data: every file is valid against its schema") {
  const std::vector<DataFile> files = data_files();
  CHECK(files.size() >= 11);
  for (const DataFile& file : files) {
    INFO(file.path.string());
    const JsonSchema schema(read(kSilicon / "schema" / (file.schema + ".schema.json")).dump());
    const Json value = read(file.path);
    CHECK(schema.complaint(value.dump()).empty());
    CHECK(value.at("$schema").get<std::string>().ends_with("schema/" + file.schema + ".schema.json"));
    if (value.contains("name")) {
      CHECK(value.at("name") == file.path.stem().string());
    }
  }
}

TEST_CASE("silicon schemas: name what the program reads, and refuse the rest") {
  CHECK(properties("process") == described<Process<Uncertain>>());
  CHECK(properties("blocks") == described<Blocks<Uncertain>>());
  CHECK(properties("prices") == described<Prices<Uncertain>>());
  CHECK(properties("energies") == described<Energies<Uncertain>>());
  CHECK(properties("die") == described<DieSpec>());

  const JsonSchema process(read(kSilicon / "schema/process.schema.json").dump());
  const Json good = read(kSilicon / "data/processes/N7.json");
  const auto refused = [&](auto change) {
    Json bad = good;
    change(bad);
    return !process.complaint(bad.dump()).empty();
  };
  CHECK_FALSE(refused([](Json&) {}));
  CHECK(refused([](Json& j) { j["wafer_usd"] = 9346; }));
  CHECK(refused([](Json& j) { j["wafer_usd"].erase("source"); }));
  CHECK(refused([](Json& j) { j["wafer_usd"]["standing"] = "guessed"; }));
  CHECK(refused([](Json& j) { j["wafer_eur"] = j["wafer_usd"]; }));
  CHECK(refused([](Json& j) { j.erase("wafer_usd"); }));
}

TEST_CASE("silicon data: what nobody measured says so") {
  // A median that is assumed is labelled so; a label of measurement or datasheet names where it was read.
  for (const char* process : {"N4", "N5", "N6", "N7", "N16"}) {
    for (const NamedInput& input : named_inputs(shipped().inputs(process))) {
      INFO(process << " " << input.name);
      if (input.value.source.starts_with("assumed")) {
        CHECK(input.value.standing == Standing::assumed);
      }
      if (input.value.source.starts_with("derived")) {
        CHECK(input.value.standing == Standing::derived);
      }
    }
  }
}

TEST_CASE("silicon data: products are what the catalogue has") {
  const Catalogue catalogue = Catalogue::load(GPUPLAN_SOURCE_DIR);
  int known = 0;
  for (const DieSpec& die : shipped().dies()) {
    for (const ProductSpec& product : die.products) {
      INFO(die.name << " " << product.gpu);
      const Gpu* gpu = catalogue.gpu(product.gpu);
      if (gpu == nullptr) {
        CHECK(product.gpu == "MI210");
        continue;
      }
      ++known;
      CHECK(gpu->name == product.gpu);
      CHECK(gpu->sm_count == product.sm_enabled * product.dies);
      CHECK(gpu->memory.si() == Approx(product.memory_gb * 1e9));
      CHECK(gpu->memory_type.starts_with(std::string(json::name_of(product.memory))));
      CHECK(gpu->die_area.si() * 1e6 == Approx(product.dies * die.area_mm2.value).epsilon(0.006));
      CHECK(gpu->l2.si() / 1048576.0 ==
            Approx(product.dies * die.l2_mib.value * product.l2_groups_enabled / die.l2_groups.value));
      CHECK(product.clock_max_mhz * 1e6 >= gpu->boost_clock.si() * 0.999);
      if (gpu->scale_up_links > 0) {
        CHECK(gpu->scale_up_links == product.links_enabled);
      }
    }
  }
  CHECK(known == 11);
}

TEST_CASE("silicon data: costs are those of the catalogue's facts") {
  const Catalogue catalogue = Catalogue::load(GPUPLAN_SOURCE_DIR);
  const auto fact = [&](const char* path) {
    const std::optional<Fact> found = catalogue.tco(path);
    REQUIRE(found);
    return found->value;
  };
  CHECK(shipped().inputs("N7").process.wafer_usd.mid == fact("wafer_usd.N7"));
  CHECK(shipped().inputs("N5").process.wafer_usd.mid == fact("wafer_usd.N5"));
  CHECK(shipped().inputs("N16").process.wafer_usd.mid == fact("wafer_usd.N16"));
  CHECK(shipped().inputs("N4").process.wafer_usd.low == fact("wafer_usd.N4_2022"));
  CHECK(shipped().inputs("N4").process.wafer_usd.high == fact("wafer_usd.N4_2026"));
  CHECK(shipped().inputs("N7").process.defects_per_cm2.mid == fact("defects_per_cm2.N7_2019"));
  CHECK(shipped().inputs("N7").process.defects_per_cm2.high == fact("defects_per_cm2.N7"));
  CHECK(shipped().inputs("N5").process.defects_per_cm2.mid == fact("defects_per_cm2.N5_2020"));
  CHECK(shipped().inputs("N5").process.defects_per_cm2.high == fact("defects_per_cm2.N5"));
  const Prices<Uncertain> prices = shipped().inputs("N4").price;
  CHECK(prices.hbm2e_usd_per_gb.mid == fact("hbm_usd_per_gb.hbm2e_2023"));
  CHECK(prices.hbm3_usd_per_gb.mid == fact("hbm_usd_per_gb.hbm3_2024"));
  CHECK(prices.hbm3e_usd_per_gb.mid == fact("hbm_usd_per_gb.hbm3e_2025"));
  CHECK(prices.packaging_usd.low == fact("cowos_usd.per_h100_low"));
  CHECK(prices.packaging_usd.high == fact("cowos_usd.per_h100_high"));
  CHECK(prices.test_and_assembly_usd.mid == fact("unit_cost_usd.H100_test_and_assembly"));
}

TEST_CASE("silicon data: a file with mistakes is refused, all of them told") {
  const std::filesystem::path root =
      std::filesystem::temp_directory_path() / ("gpuplan_silicon_" + std::to_string(::getpid()));
  const auto load_with = [&](const char* file, auto change) -> std::string {
    std::filesystem::remove_all(root);
    std::filesystem::create_directories(root / "hwmodels/silicon");
    std::filesystem::copy(kSilicon / "data", root / "hwmodels/silicon/data",
                          std::filesystem::copy_options::recursive);
    const std::filesystem::path path = root / "hwmodels/silicon/data" / file;
    Json value = read(path);
    change(value);
    std::ofstream(path) << value.dump();
    try {
      (void)SiliconModel::load(root.string());
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  };
  const auto has = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  CHECK(load_with("dies/GA100.json", [](Json&) {}).empty());
  std::string why = load_with("dies/GA100.json", [](Json& j) {
    j["products"][0]["sm_enabled"] = 129;
    j["products"][1]["hbm_enabled"] = 7;
  });
  CHECK(has(why, "$.products[0].sm_enabled: found 129; expected at most the die's 128"));
  CHECK(has(why, "$.products[1].hbm_enabled: found 7"));
  why = load_with("dies/GA100.json", [](Json& j) { j["sms"] = j["sm_count"]; });
  CHECK(has(why, "$.sms: found an unknown field"));
  CHECK(has(load_with("dies/GA100.json", [](Json& j) { j["sm_count"]["value"] = 0; }), "$.sm_count"));
  CHECK(has(load_with("dies/GA100.json", [](Json& j) { j["process"] = "N8"; }), "\"N8\""));
  CHECK(has(load_with("processes/N7.json", [](Json& j) { j["wafer_usd"]["low"] = 20000; }),
            "low <= mid <= high"));
  CHECK(has(load_with("prices.json", [](Json& j) { j["package_yield"]["high"] = 2; }), "<= 1"));
  CHECK(has(load_with("blocks.json", [](Json& j) { j["l2_area"].erase("source"); }), "$.l2_area.source"));
  std::filesystem::remove_all(root);
}
