// The constants of operations with scattered measurements: whose they are, and who borrows them.
#include <filesystem>

#include "kernels_testing.h"

using namespace gpuplan;
using namespace gpuplan::kernels;

TEST_CASE("Every set of constants names the GPU it was measured on, as the catalogue has it") {
  std::size_t entries = 0;
  for (const auto& file : std::filesystem::directory_iterator(std::string(GPUPLAN_SOURCE_DIR) +
                                                              "/calibrate/profiles/operations")) {
    const json::Value root = json::parse_file(file.path().string());
    for (const json::Value& entry : root.find("entries")->array()) {
      INFO(file.path().filename().string() << ": " << entry.find("gpu")->string());
      const Gpu& gpu = gpu_named(entry.find("gpu")->string());
      CHECK(gpu.name == entry.find("gpu")->string());
      CHECK(gpu.architecture.starts_with(entry.find("architecture")->string()));
      CHECK_FALSE(entry.find("architecture")->string().empty());
      CHECK(entry.find("sm_count")->number() == gpu.sm_count);
      CHECK(1e9 * entry.find("bandwidth_gbps")->number() == Approx(gpu.memory_bandwidth.si()).epsilon(1e-3));
      CHECK(entry.find("source")->string().size() > 20);
      ++entries;
    }
  }
  CHECK(entries > 20);
}

TEST_CASE("A GPU takes its own constants, else its architecture's, else the first") {
  const auto measured_on = [](const char* gpu) { return model_of(gpu).operations().standard_attention.gpu; };
  CHECK(measured_on("A100-80GB-SXM4") == "A100-80GB-SXM4");
  CHECK(measured_on("A30") == "A100-80GB-SXM4");
  CHECK(measured_on("H200-SXM-141GB") == "H100-SXM5-80GB");
  CHECK(measured_on("MI300X") == "H100-SXM5-80GB");
  // Without a file: the defaults, which nobody measured.
  const OperationConstants defaults = OperationConstants::for_gpu(gpu_named("A30"), "/nonexistent");
  CHECK(defaults.standard_attention.gpu.empty());
  Price price;
  stand_on(price, defaults.standard_attention, gpu_named("A30"));
  CHECK(price.provenance == Provenance::assumed);
  CHECK(price.relative_error >= 0.3);
}

TEST_CASE("Expected errors widen from own to sibling to stranger, and outside the range") {
  const OperationConstants c = OperationConstants::for_gpu(gpu_named("H100-SXM5-80GB"), GPUPLAN_SOURCE_DIR);
  const auto error = [&](const char* gpu, bool outside) {
    Price price;
    stand_on(price, c.standard_attention, gpu_named(gpu), outside);
    CHECK(price.spread80 > price.relative_error);
    return price.relative_error;
  };
  CHECK(error("H100-SXM5-80GB", false) < error("H200-SXM-141GB", false));
  CHECK(error("H200-SXM-141GB", false) < error("A100-80GB-SXM4", false));
  CHECK(error("H100-SXM5-80GB", true) == Approx(2.0 * error("H100-SXM5-80GB", false)));
}
