#include "calibrate/validate/kernel_records.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "calibrate/validate/kernel_tables.h"

using namespace gpuplan;
using namespace gpuplan::calibrate;

namespace {

namespace fs = std::filesystem;

struct File {
  fs::path path;
  explicit File(const std::string& text)
      : path(fs::temp_directory_path() / ("gpuplan-records-" + std::to_string(::getpid()) + ".jsonl")) {
    std::ofstream(path) << text;
  }
  ~File() { fs::remove(path); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
};

const Catalogue& catalogue() {
  static const Catalogue loaded = Catalogue::load(GPUPLAN_SOURCE_DIR);
  return loaded;
}

ValidationRows validated(const std::string& text, const std::string& gpu = "") {
  const File file(text);
  CHECK(is_kernel_records(file.path.string()));
  CHECK(is_kernel_table(file.path.string()));
  return validate_kernel_records(file.path.string(),
                                 {.gpu = gpu, .catalogue = &catalogue(), .data_dir = GPUPLAN_SOURCE_DIR});
}

constexpr const char* kGemm =
    R"({"gpu": "H100 SXM", "kernel": "gemm", "shape": {"m": 4096, "n": 4096, "k": 4096}, "precision": "bf16", "library": "cuBLASLt", "metric": "latency", "value": 200.0, "unit": "us", "source": "made up"})";

}  // namespace

TEST_CASE("Kernel records become rows, or a reason why not") {
  const ValidationRows rows = validated(
      std::string(kGemm) + "\n" +
      R"({"gpu": "H100 SXM", "kernel": "gemm", "shape": {"m": 4096, "n": 4096, "k": 4096}, "precision": "bf16", "library": "torch", "metric": "throughput", "value": 700, "unit": "TFLOPS"}

{"gpu": "8x H200 NVLink4 node", "kernel": "allreduce", "shape": {"bytes": 1073741824, "ngpu": 8, "nodes": 1}, "precision": "bf16", "library": "NCCL", "metric": "busbw", "value": 470, "unit": "GB/s"}
{"gpu": "H200 node", "kernel": "allreduce", "shape": {"bytes": 1073741824, "ngpu": 8, "algo": "Ring"}, "precision": "bf16", "library": "NCCL", "metric": "busbw", "value": 360, "unit": "GB/s"}
{"gpu": "H100 SXM", "kernel": "stream_scale", "shape": {"occupancy": 1.0}, "precision": "fp64", "library": "CUDA", "metric": "bandwidth", "value": 2900, "unit": "GB/s"}
{"gpu": "H100 SXM", "kernel": "fft", "shape": {}, "precision": "fp64", "library": "CUDA", "metric": "latency", "value": 9, "unit": "us"}
{"gpu": "Abacus 3", "kernel": "gemm", "shape": {}, "precision": "fp64", "library": "-", "metric": "latency", "value": 9, "unit": "us"}
{"gpu": "8x H200 node", "kernel": "allreduce", "shape": {"bytes": 1024, "ngpu": 16, "nodes": 2}, "precision": "bf16", "library": "NCCL", "metric": "busbw", "value": 1, "unit": "GB/s"}
)");
  REQUIRE(rows.rows.size() == 5);
  CHECK(rows.rows[0].measured == Approx(200e-6));
  CHECK(rows.rows[0].key.at("gpu") == "H100-SXM5-80GB");
  // 2 x 4096^3 FLOP at 700 TFLOPS.
  CHECK(rows.rows[1].measured == Approx(2.0 * 4096.0 * 4096.0 * 4096.0 / 700e12));
  CHECK(rows.rows[1].id.ends_with(":2"));
  // 2 (n - 1) / n S over the bus bandwidth.
  CHECK(rows.rows[2].measured == Approx(1.75 * 1073741824.0 / 470e9));
  CHECK(rows.rows[2].key.at("op") == "all_reduce");
  CHECK(rows.rows[3].key.at("op") == "all_reduce_ring");
  CHECK(rows.rows[3].predicted > rows.rows[2].predicted);
  CHECK(rows.rows[4].measured == Approx(1e9 / 2900e9));
  CHECK(rows.skipped.at("kernel not modelled: fft") == 1);
  CHECK(rows.skipped.at("GPU not in the catalogue, or a system: gemm") == 1);
  CHECK(rows.skipped.at("all-reduce over more than one node") == 1);
}

TEST_CASE("Records of one GPU only, when asked for") {
  CHECK(validated(kGemm, "H100-SXM5-80GB").rows.size() == 1);
  CHECK(validated(kGemm, "A100-80GB-SXM4").rows.empty());
  CHECK_THROWS_AS(validated(kGemm, "H1000"), InputError);
}

TEST_CASE("Damaged records are named by line") {
  const auto problem = [](const std::string& line) {
    try {
      (void)validated(std::string(kGemm) + "\n" + line + "\n");
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(problem("{\"gpu\": ").find(".jsonl:2") != std::string::npos);
  CHECK(problem("[1, 2]").find("a JSON object") != std::string::npos);
  CHECK(problem(R"({"gpu": 3})").find("3 as gpu") != std::string::npos);
  CHECK(
      problem(
          R"({"gpu": "H100 SXM", "kernel": "gemm", "shape": {"m": 0, "n": 1, "k": 1}, "precision": "bf16", "metric": "latency", "value": 2, "unit": "us"})")
          .find("shape.m") != std::string::npos);
  CHECK(
      problem(
          R"({"gpu": "H100 SXM", "kernel": "gemm", "shape": {"m": 1, "n": 1, "k": 1}, "precision": "bf16", "metric": "latency", "value": -2, "unit": "us"})")
          .find("a number > 0") != std::string::npos);
  const File file("m,n,k\n");
  CHECK_FALSE(is_kernel_records(file.path.string()));
}

TEST_CASE("How far borrowed constants carry: dense GEMM of another library on cards without a profile") {
  const fs::path path =
      fs::path(GPUPLAN_SOURCE_DIR) / ".." / "shared" / "data" / "kernels" / "other.jsonl.gz";
  if (!fs::exists(path)) {
    WARN("skipped: no measured kernel records beside the source tree");
    return;
  }
  const ValidationRows all = validate_kernel_records(
      path.string(), {.gpu = "", .catalogue = &catalogue(), .data_dir = GPUPLAN_SOURCE_DIR});
  // Median of 16-bit GEMM, achieved; may only go down.
  for (const auto& [gpu, limit] : {std::pair<std::string, double>{"A100-80GB-PCIe", 0.045},
                                   {"H100-PCIe-80GB", 0.095},
                                   {"RTX-4090", 0.055},
                                   {"B200-SXM-180GB", 0.075}}) {
    std::vector<const ValidationRow*> rows;
    for (const ValidationRow& row : all.rows) {
      if (row.key.at("gpu") == gpu && row.key.at("op") == "gemm" &&
          (row.key.at("dtype") == "bf16" || row.key.at("dtype") == "fp16")) {
        rows.push_back(&row);
      }
    }
    const ErrorStatistics e = error_statistics(rows);
    INFO(gpu << ": " << e.count << " rows, median " << e.median << ", bias " << e.bias << ", coverage "
             << e.coverage80);
    CHECK(e.count > 100);
    CHECK(e.median <= limit);
    CHECK(e.coverage80 >= 0.50);  // too sure of itself where another library runs
  }
}

TEST_CASE("Other operations against their measured records") {
  const fs::path path =
      fs::path(GPUPLAN_SOURCE_DIR) / ".." / "shared" / "data" / "kernels" / "other.jsonl.gz";
  if (!fs::exists(path)) {
    WARN("skipped: no measured kernel records beside the source tree");
    return;
  }
  const ValidationRows all = validate_kernel_records(
      path.string(), {.gpu = "", .catalogue = &catalogue(), .data_dir = GPUPLAN_SOURCE_DIR});
  struct Limit {
    const char *op, *gpu;  // an empty GPU: all
    std::int64_t rows;
    double median, p90;  // achieved, rounded up; may only go down. Half of the rows were fitted.
  };
  for (const Limit& limit : {Limit{"gemm_sparse", "A100-80GB-PCIe", 230, 0.065, 0.25},
                             {"gemm_sparse", "H100-PCIe-80GB", 180, 0.07, 0.19},
                             {"gemm_sparse", "B200-SXM-180GB", 240, 0.05, 0.175},
                             {"gemm_sparse", "RTX-4090", 240, 0.055, 0.34},
                             {"standard_attention", "H100-SXM5-80GB", 15, 0.02, 0.08},
                             {"standard_attention_fwd_bwd", "H100-SXM5-80GB", 16, 0.02, 0.05},
                             {"standard_attention_fwd_bwd", "A100-80GB-SXM4", 16, 0.02, 0.045},
                             {"read_by_footprint", "A100-80GB-SXM4", 70, 0.02, 0.07},
                             {"read_by_footprint", "H100-PCIe-80GB", 70, 0.01, 0.03},
                             {"read_by_footprint", "H200-SXM-141GB", 67, 0.01, 0.07},
                             {"read_by_footprint", "L40", 62, 0.02, 0.04},
                             {"read_at_occupancy", "", 6, 0.13, 0.22}}) {
    std::vector<const ValidationRow*> rows;
    for (const ValidationRow& row : all.rows) {
      if (row.key.at("op") == limit.op && (*limit.gpu == '\0' || row.key.at("gpu") == limit.gpu)) {
        rows.push_back(&row);
      }
    }
    const ErrorStatistics e = error_statistics(rows);
    INFO(limit.op << " " << limit.gpu << ": " << e.count << " rows, median " << e.median << ", p90 " << e.p90
                  << ", bias " << e.bias << ", coverage " << e.coverage80);
    CHECK(static_cast<std::int64_t>(e.count) >= limit.rows);
    CHECK(e.median <= limit.median);
    CHECK(e.p90 <= limit.p90);
    CHECK(std::abs(e.bias) <= 0.13);
    CHECK(e.coverage80 >= 0.65);
  }
}

TEST_CASE("A record of a GEMM keeps its dimensions, to choose rows by") {
  const ValidationRows rows = validated(
      R"({"gpu": "RTX 4090", "kernel": "gemm", "shape": {"m": 64, "n": 2048, "k": 4096}, )"
      R"("precision": "bf16", "library": "cuBLASLt best-alg dense", "metric": "latency", "value": 20, "unit": "us"})"
      "\n");
  REQUIRE(rows.rows.size() == 1);
  const std::vector<std::pair<std::string_view, double>> expected = {{"m", 64}, {"n", 2048}, {"k", 4096}};
  CHECK(rows.rows[0].shape == expected);
}
