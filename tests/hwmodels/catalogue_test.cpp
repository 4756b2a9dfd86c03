#include "hwmodels/catalogue/catalogue.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "hwmodels/json/problem.h"

using namespace gpuplan;
using namespace gpuplan::literals;

namespace {

const std::string kRoot = GPUPLAN_SOURCE_DIR;

const Catalogue& catalogue() {
  static const Catalogue loaded = Catalogue::load(kRoot);
  return loaded;
}

const Gpu& gpu(std::string_view name) {
  const Gpu* found = catalogue().gpu(name);
  INFO(name);
  REQUIRE(found != nullptr);
  return *found;
}

json::Value parse(const char* text) { return json::parse(text, "overrides"); }

std::vector<Problem> override_problems(const char* text) {
  try {
    with_overrides(gpu("H100"), parse(text), "s.json: $.gpu");
  } catch (const InputError& error) {
    return error.problems();
  }
  return {};
}

// A copy of the data that a test may spoil.
class SpoiledData {
 public:
  SpoiledData()
      : root_(std::filesystem::temp_directory_path() / ("gpuplan-catalogue-" + std::to_string(getpid()))) {
    std::filesystem::remove_all(root_);  // of a process of that number that died
    const std::filesystem::path data = "hwmodels/catalogue/data";
    std::filesystem::create_directories(root_ / data);
    std::filesystem::copy(kRoot / data, root_ / data, std::filesystem::copy_options::recursive);
  }
  SpoiledData(const SpoiledData&) = delete;
  SpoiledData& operator=(const SpoiledData&) = delete;
  ~SpoiledData() { std::filesystem::remove_all(root_); }

  void replace(const std::string& file, const std::string& from, const std::string& to) const {
    std::string text = json::read_file(path(file));
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    write(file, text.replace(at, from.size(), to));
  }
  void write(const std::string& file, const std::string& text) const { std::ofstream(path(file)) << text; }
  void remove(const std::string& file) const { std::filesystem::remove_all(path(file)); }
  [[nodiscard]] std::string path(const std::string& file) const {
    return root_ / "hwmodels/catalogue/data" / file;
  }

  // The text of the error that loading, prices included, ends in; "" where there is none.
  [[nodiscard]] std::string error() const {
    try {
      const Catalogue loaded = Catalogue::load(root_);
      static_cast<void>(loaded.prices());
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  }

 private:
  std::filesystem::path root_;
};

bool holds(const std::string& text, const std::string& part) {
  INFO(text);
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("catalogue: size and default nodes") {
  CHECK(catalogue().gpus().size() >= 29);
  CHECK(catalogue().nodes().size() >= 12);
  CHECK(catalogue().fabrics().size() >= 18);
  CHECK(catalogue().prices().size() >= 316);
  CHECK(catalogue().default_node("H100")->name == "DGX-H100");
  CHECK(catalogue().default_node("h200-sxm")->name == "DGX-H200");
  CHECK(catalogue().default_node("A100")->name == "DGX-A100");
  CHECK(catalogue().default_node("b200-sxm")->name == "DGX-B200");
  CHECK(catalogue().default_node("gb300")->name == "GB300-NVL72");
  CHECK(catalogue().default_node("Orin") == nullptr);
  CHECK(catalogue().gpu_names().size() == catalogue().gpus().size());
}

TEST_CASE("catalogue: a datasheet by hand") {
  const Gpu& h100 = gpu("H100");
  CHECK(h100.name == "H100-SXM5-80GB");
  CHECK(h100.sm_count == 132);
  CHECK(h100.memory == 80_GB);
  CHECK(h100.memory_bandwidth.si() == Approx(3.352e12));
  CHECK(h100.l2 == 50_MiB);
  CHECK(h100.shared_memory_per_sm == 228_KiB);
  CHECK(h100.peak(Precision::bf16)->si() == Approx(989.4e12));
  CHECK(h100.peak(Precision::fp8)->si() == Approx(1978.9e12));
  CHECK(h100.peak(Precision::fp8_block) == h100.peak(Precision::fp8));
  CHECK_FALSE(h100.peak(Precision::nvfp4));
  CHECK_FALSE(h100.peak(Precision::int4));
  CHECK(h100.peak(Precision::fp32) == h100.vector_fp32_peak);  // no matrix unit for it
  CHECK(h100.peak(Precision::fp64)->si() == Approx(66.9e12));
  CHECK(h100.vector_fp64_peak.si() == Approx(33.5e12));
  CHECK(h100.scale_up_bandwidth == 450_GBps);
  CHECK(h100.pcie_bandwidth == 63_GBps);
  CHECK(h100.tdp == 700_W);
  CHECK(h100.die_area.si() == Approx(814e-6));
  CHECK(h100.kernel_profile == "h100-sxm");

  CHECK_FALSE(gpu("A100").peak(Precision::fp8));
  CHECK_FALSE(gpu("V100").peak(Precision::bf16));
  CHECK(gpu("B200").peak(Precision::nvfp4)->si() == Approx(9e15));
  CHECK(gpu("B200").peak(Precision::mxfp4) == gpu("B200").peak(Precision::nvfp4));
  CHECK(gpu("gh200").c2c_bandwidth == 450_GBps);
  CHECK(gpu("Orin").pcie_bandwidth.si() == Approx(102.4e9));  // half of the shared DRAM's 204.8 GB/s
  CHECK(gpu("MI300X").kernel_profile.empty());
}

TEST_CASE("catalogue: names and aliases, case and punctuation ignored") {
  const std::pair<const char*, const char*> expected[] = {
      {"b200-sxm", "B200-SXM-180GB"},
      {"h100-sxm", "H100-SXM5-80GB"},
      {"h200-sxm", "H200-SXM-141GB"},
      {"gb200", "GB200"},
      {"b300-sxm", "B300-SXM-288GB"},
      {"gb300", "GB300"},
      {"a100-sxm-80gb", "A100-80GB-SXM4"},
      {"l40s", "L40S"},
      {"gh200", "GH200-96GB"},
      {"rtx-4090", "RTX-4090"},
      {"rtx-pro-6000", "RTX-PRO-6000-96GB"},
      {"H100", "H100-SXM5-80GB"},
      {"A100", "A100-80GB-SXM4"},
      {"H200", "H200-SXM-141GB"},
      {"B200", "B200-SXM-180GB"},
      {"4090", "RTX-4090"},
      {"Orin", "Jetson-AGX-Orin-64GB"},
      {"H100-SXM-80GB", "H100-SXM5-80GB"},
      {"A100-SXM-40GB", "A100-40GB-SXM4"},
      {"A100-PCIe-80GB", "A100-80GB-PCIe"},
      {"  h100_sxm5 80gb", "H100-SXM5-80GB"},
      {"NVIDIA H100 PCIe", "H100-PCIe-80GB"},
      {"NVIDIA GeForce RTX 4090", "RTX-4090"},
      {"AMD Instinct MI300X", "MI300X"},
      {"NVIDIA L40S", "L40S"},
  };
  for (const auto& [alias, name] : expected) {
    INFO(alias);
    CHECK(gpu(alias).name == name);
  }
  for (const char* unknown : {"", " ", "H1000", "nvidia", "H800", "A", "-"}) {
    INFO(unknown);
    CHECK(catalogue().gpu(unknown) == nullptr);
  }
  CHECK(catalogue().node("p5")->name == "AWS-p5.48xlarge");
  CHECK(catalogue().node("HGX H100")->name == "DGX-H100");
  CHECK(catalogue().node("p6-b200")->gpus.at(0) == "B200-SXM-180GB");
  CHECK(catalogue().fabric("ndr")->name == "InfiniBand-NDR");
  CHECK(catalogue().fabric("pcie5")->bandwidth == 63_GBps);
  CHECK(catalogue().fabric("nothing") == nullptr);
  CHECK(did_you_mean("H10O", catalogue().gpu_names()).find("H100") != std::string::npos);
}

TEST_CASE("catalogue: nodes") {
  const Node& dgx = *catalogue().node("DGX-H100");
  CHECK(dgx.gpu_count == 8);
  CHECK(dgx.scale_up == ScaleUp::nvswitch);
  CHECK(dgx.switch_reduction);
  CHECK(dgx.nic_count == 8);
  CHECK(dgx.nic_bandwidth == 50_GBps);
  CHECK(catalogue().fabric(dgx.fabric)->bandwidth == dgx.nic_bandwidth);
  CHECK(dgx.power == 10.2_kW);
  CHECK_FALSE(catalogue().node("DGX-A100")->switch_reduction);
  CHECK(catalogue().node("GB200-NVL72")->gpu_count == 72);
  CHECK(catalogue().node("MI300X-OAM8")->scale_up == ScaleUp::all_to_all);
  for (const Node& node : catalogue().nodes()) {
    INFO(node.name);
    for (const std::string& carried : node.gpus) {
      CHECK(catalogue().gpu(carried)->name == carried);
    }
    // A node draws at least what its GPUs may.
    if (node.power > Watts()) {
      CHECK(node.power >= gpu(node.gpus[0]).tdp * node.gpu_count * 0.49);
    }
    if (!node.fabric.empty()) {
      CHECK(catalogue().fabric(node.fabric)->kind == "network");
      CHECK(node.nic_count > 0);
    }
  }
}

TEST_CASE("catalogue: every value has a source") {
  for (const Gpu& g : catalogue().gpus()) {
    INFO(g.name);
    for (const auto& [name, source] : g.sources) {
      CHECK(source.text.size() > 8);
    }
    for (const char* field : {"sm_count", "boost_clock_mhz", "memory_gb", "memory_bandwidth_gbps", "tdp_w"}) {
      CHECK(g.sources.contains(field));
    }
    for (std::size_t i = 0; i < kPrecisionCount; ++i) {
      if (g.matrix_peak[i]) {
        INFO(kPrecisionNames[i]);
        CHECK(g.sources.contains("matrix_peak_tflops." + std::string(kPrecisionNames[i])));
        CHECK(g.matrix_peak[i]->si() > 0);
      }
    }
    CHECK(g.memory > Bytes());
    CHECK(g.pcie_bandwidth > BytesPerSecond());
  }
  CHECK(gpu("H100").sources.at("memory_gb").standing == Standing::datasheet);
  CHECK(gpu("GB300").sources.at("sm_count").standing == Standing::derived);
  CHECK(gpu("Orin").sources.at("memory_gb").standing == Standing::assumed);  // recalled, not verified
  for (const Node& node : catalogue().nodes()) {
    INFO(node.name);
    CHECK(node.sources.contains("gpu_count"));
    CHECK(node.sources.contains("switch_reduction"));
  }
}

TEST_CASE("catalogue: peaks agree with SMs x clock x rate, or a note says so") {
  // Dense FLOP per clock and SM in 16 bit. GA102 (sm86), full Ada: 1024; Ada boards whose fp32 accumulation
  // runs at half rate: 512.
  const auto rate = [](const Gpu& g) {
    const auto is = [&](const char* word) { return g.architecture.find(word) != std::string::npos; };
    if (g.name == "L40" || g.name == "RTX-4090") {
      return 512;
    }
    if (is("Volta") || is("Ada") || is("sm86") || is("CDNA2") || is("sm120")) {
      return 1024;
    }
    return is("Ampere") || is("CDNA3") ? 2048 : is("Hopper") ? 4096 : 8192;
  };
  for (const Gpu& g : catalogue().gpus()) {
    INFO(g.name);
    const double product = g.sm_count * g.boost_clock.si() * rate(g);
    const double peak = g.peak(Precision::fp16)->si();
    CHECK(peak == Approx(product).epsilon(0.2));
    if (std::abs(peak / product - 1) > 0.0151) {
      CHECK(holds(g.sources.at("matrix_peak_tflops.fp16").text, "FLOP/clk/SM"));
    }
  }
}

TEST_CASE("catalogue: overrides take bare values by the names of a GPU file") {
  const Gpu changed = with_overrides(
      gpu("H100"),
      parse(R"({"base":"H100","memory_gb":96,"memory_bandwidth_gbps":4000,"tdp_w":500,"l2_mib":60,
                             "matrix_peak_tflops":{"bf16":1200,"fp4":4000},"memory_type":"HBM3e","name":"H100-plus"})"),
      "s.json: $.gpu");
  CHECK(changed.memory == 96_GB);
  CHECK(changed.memory_bandwidth == 4000_GBps);
  CHECK(changed.tdp == 500_W);
  CHECK(changed.l2 == 60_MiB);
  CHECK(changed.peak(Precision::bf16)->si() == Approx(1200e12));
  CHECK(changed.peak(Precision::fp16) == gpu("H100").peak(Precision::fp16));
  CHECK(changed.peak(Precision::nvfp4)->si() == Approx(4e15));
  CHECK(changed.peak(Precision::mxfp4)->si() == Approx(4e15));
  CHECK(changed.name == "H100-plus");
  CHECK(changed.sources.at("memory_gb").standing == Standing::assumed);
  CHECK(changed.sources.at("matrix_peak_tflops.bf16").text == "given in the scenario");
  CHECK(changed.sources.at("sm_count").text == gpu("H100").sources.at("sm_count").text);
  CHECK(with_overrides(gpu("H100"), parse("{}"), "x").memory == 80_GB);
}

TEST_CASE("catalogue: formats that share a rate follow it unless they are given") {
  const Gpu both = with_overrides(gpu("H100"), parse(R"({"matrix_peak_tflops":{"fp8":3000}})"), "x");
  CHECK(both.peak(Precision::fp8_block)->si() == Approx(3e15));
  for (const char* text : {R"({"matrix_peak_tflops":{"fp8":3000,"fp8_block":2000}})",
                           R"({"matrix_peak_tflops":{"fp8_block":2000,"fp8":3000}})"}) {
    const Gpu apart = with_overrides(gpu("H100"), parse(text), "x");
    CHECK(apart.peak(Precision::fp8)->si() == Approx(3e15));
    CHECK(apart.peak(Precision::fp8_block)->si() == Approx(2e15));
  }
  CHECK(
      with_overrides(gpu("H100"), parse(R"({"vector_fp32_tflops":100})"), "x").peak(Precision::fp32)->si() ==
      Approx(1e14));
  CHECK_FALSE(
      with_overrides(gpu("H100"), parse(R"({"matrix_peak_tflops":{"fp8":null}})"), "x").peak(Precision::fp8));
}

TEST_CASE("catalogue: SM count and clock scale the peaks that are not given") {
  // 144 SMs instead of 132: 989.4 x 144 / 132 = 1079.3.
  const Gpu more = with_overrides(gpu("H100"), parse(R"({"sm_count":144})"), "x");
  CHECK(more.peak(Precision::bf16)->si() == Approx(989.4e12 * 144 / 132));
  CHECK(more.vector_fp32_peak.si() == Approx(66.9e12 * 144 / 132));
  CHECK(more.sources.at("matrix_peak_tflops.bf16").standing == Standing::derived);
  CHECK(more.memory_bandwidth == gpu("H100").memory_bandwidth);
  const Gpu slow =
      with_overrides(gpu("H100"), parse(R"({"matrix_peak_tflops":{"bf16":800},"boost_clock_mhz":915})"), "x");
  CHECK(slow.peak(Precision::bf16)->si() == Approx(800e12));
  CHECK(slow.peak(Precision::fp8)->si() == Approx(1978.9e12 / 2));
}

TEST_CASE("catalogue: overrides that make no sense are refused, all at once") {
  const auto one = [](const char* text) {
    const auto problems = override_problems(text);
    INFO(text);
    REQUIRE(problems.size() == 1);
    return problems[0];
  };
  CHECK(one(R"({"memory_bg":96})").suggestion.find("memory_gb") != std::string::npos);
  CHECK(one(R"({"memory_bg":96})").path == "s.json: $.gpu.memory_bg");
  CHECK(one(R"({"memory_gb":-1})").expected == "a number > 0");
  CHECK(one(R"({"memory_gb":0})").found == "0");
  CHECK(one(R"({"memory_gb":"80"})").found == "\"80\"");
  CHECK(one(R"({"memory_gb":null})").found == "null");
  CHECK(one(R"({"memory_gb":{"value":80,"source":"R"}})").found == "an object");
  CHECK(one(R"({"sm_count":1.5})").expected.find("whole") != std::string::npos);
  CHECK(one(R"({"sm_count":0})").found == "0");
  CHECK(one(R"({"matrix_peak_tflops":5})").expected.find("bf16") != std::string::npos);
  CHECK(one(R"({"matrix_peak_tflops":{"bf61":5}})").suggestion.find("bf16") != std::string::npos);
  CHECK(one(R"({"matrix_peak_tflops":{"bf16":-5}})").path == "s.json: $.gpu.matrix_peak_tflops.bf16");
  CHECK(one(R"({"sources":{}})").found == "an unknown field");
  CHECK(one("[]").expected == "an object of GPU fields");
  CHECK(override_problems(R"({"memory_gb":-1,"x":2,"tdp_w":[]})").size() == 3);
  json::Value nan(json::Object{{"memory_gb", json::Value(std::nan(""))}});
  CHECK_THROWS_AS(with_overrides(gpu("H100"), nan, "x"), InputError);
  nan = json::Value(json::Object{{"tdp_w", json::Value(std::numeric_limits<double>::infinity())}});
  CHECK_THROWS_AS(with_overrides(gpu("H100"), nan, "x"), InputError);
}

TEST_CASE("catalogue: prices") {
  const auto hourly = [](const char* name) {
    const PricePoint* point = catalogue().latest_on_demand(name);
    INFO(name);
    REQUIRE(point != nullptr);
    return point->on_demand->si() * 3600;
  };
  // May 2026, specialised clouds: 2.50-3.50, 3.50-4.50 and 1.10-1.50 USD per GPU-hour.
  CHECK(hourly("H100") == Approx(3.0));
  CHECK(hourly("H200") == Approx(4.0));
  CHECK(hourly("a100-sxm-80gb") == Approx(1.3));
  for (const char* name : {"B200", "L40S", "L4", "A10", "L40", "4090", "A100-40GB", "H100-PCIe"}) {
    CHECK(hourly(name) > 0.1);
    CHECK(hourly(name) < 20);
  }
  CHECK(catalogue().latest_purchase("H100")->purchase->si() == Approx(31250));
  CHECK(catalogue().latest_on_demand("H100")->standing == Standing::assumed);
  CHECK(catalogue().latest_purchase("H100")->standing == Standing::datasheet);
  CHECK(catalogue().latest_on_demand("no such GPU") == nullptr);
  CHECK(catalogue().latest_on_demand("MI325X") == nullptr);
  // A GPU outside the catalogue keeps its seller's name.
  CHECK(catalogue().latest_on_demand("NVIDIA A10G") != nullptr);
  std::string before;
  for (const PricePoint& point : catalogue().prices()) {
    CHECK(point.date >= before);
    before = point.date;
    CHECK(point.source.size() > 8);
    CHECK_FALSE(point.vendor.empty());
    CHECK((point.on_demand || point.reserved_1y || point.reserved_3y || point.purchase));
  }
}

TEST_CASE("catalogue: cost facts by path") {
  CHECK(catalogue().tco("pue.hyperscaler")->value == Approx(1.10));
  CHECK(catalogue().tco("electricity_usd_per_kwh.2025")->value == Approx(0.0826));
  CHECK(catalogue().tco("lifetime_years.from_2023")->source.standing == Standing::datasheet);
  CHECK(catalogue().tco("unit_cost_usd.H200")->source.standing == Standing::assumed);
  CHECK_FALSE(catalogue().tco("pue"));
  CHECK_FALSE(catalogue().tco("pue.none"));
  CHECK_FALSE(catalogue().tco(""));
}

TEST_CASE("catalogue: copies share what was read, an empty one holds nothing") {
  const Catalogue copy = catalogue();
  CHECK(&copy.prices() == &catalogue().prices());
  const Catalogue empty;
  CHECK(empty.prices().empty());
  CHECK(empty.gpu("H100") == nullptr);
  CHECK(empty.latest_on_demand("H100") == nullptr);
  CHECK_FALSE(empty.tco("pue.other"));
}

TEST_CASE("catalogue: a spoiled file is named with the path in it") {
  SpoiledData data;
  CHECK(data.error().empty());
  const std::string a10 = "gpus/A10.json";
  SECTION("a value without a source") {
    data.replace(a10, R"("memory_gb": {"value": 24, "source": "EP"})", R"("memory_gb": 24)");
    CHECK(holds(data.error(), data.path(a10) + ": $.memory_gb: found 24"));
  }
  SECTION("an unknown tag") {
    data.replace(a10, R"("source": "EP")", R"("source": "EPP")");
    CHECK(holds(data.error(), "did you mean EP"));
  }
  SECTION("an unknown field") {
    data.replace(a10, "\"memory_gb\"", "\"memory_bg\"");
    CHECK(holds(data.error(), data.path(a10) + ": $.memory_bg: found an unknown field"));
    CHECK(holds(data.error(), "$.memory_gb: found nothing"));
  }
  SECTION("a negative value") {
    data.replace(a10, R"("memory_gb": {"value": 24)", R"("memory_gb": {"value": -24)");
    CHECK(holds(data.error(), "$.memory_gb: found -24; expected a number > 0"));
  }
  SECTION("an alias of somebody else") {
    data.replace(a10, "\"A10-24GB\"", "\"h100 sxm\"");
    CHECK(holds(data.error(), "the name h100sxm of A10"));
  }
  SECTION("a node of an unknown GPU") {
    data.replace("nodes/DGX-H100.json", "\"H100-SXM5-80GB\"", "\"H100-SXM6\"");
    CHECK(holds(data.error(), "H100-SXM5-80GB"));
  }
  SECTION("an unknown way to scale up") {
    data.replace("nodes/DGX-H100.json", "\"nvswitch\"", "\"nvswitsch\"");
    CHECK(holds(data.error(), "did you mean nvswitch"));
  }
  SECTION("no bandwidth") {
    data.replace("fabrics/EFA-v1.json", "\"bandwidth_gbps\"", "\"bandwith_gbps\"");
    CHECK(holds(data.error(), "did you mean bandwidth_gbps"));
  }
  SECTION("no JSON") {
    data.write(a10, "{");
    CHECK(holds(data.error(), data.path(a10)));
  }
  SECTION("no object") {
    data.write(a10, "[]");
    CHECK(holds(data.error(), "expected an object"));
  }
  SECTION("a bad date") {
    data.replace("prices/L4.json", "2025-03-03", "2025-13-03");
    CHECK(holds(data.error(), "expected a date"));
  }
  SECTION("a missing folder") {
    data.remove("fabrics");
    CHECK(holds(data.error(), "GPUPLAN_DATA"));
  }
  SECTION("missing prices show when a price is asked for") {
    data.remove("prices");
    CHECK(holds(data.error(), "prices"));
  }
  SECTION("missing sources") {
    data.remove("sources.json");
    CHECK(holds(data.error(), "sources.json"));
  }
}

TEST_CASE("catalogue: the data root") {
  const char* before = std::getenv("GPUPLAN_DATA");
  const std::string kept = before == nullptr ? "" : before;
  ::setenv("GPUPLAN_DATA", "/some/where", 1);
  CHECK(data_root() == "/some/where");
  CHECK_THROWS_AS(Catalogue::load(data_root()), InputError);
  ::unsetenv("GPUPLAN_DATA");
  CHECK(data_root() == kRoot);
  if (!kept.empty()) {
    ::setenv("GPUPLAN_DATA", kept.c_str(), 1);
  }
}

TEST_CASE("catalogue: loads in milliseconds") {
  // About 2 ms optimised; the bound leaves room for debug builds, sanitizers and busy machines.
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const Catalogue loaded = Catalogue::load(kRoot);
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  CHECK(best < 0.5);
}
