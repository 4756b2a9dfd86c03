// How far off a GPU is that nobody measured: each measured GPU's tables, priced without it. And the
// conditions that choose rows.
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <map>

#include "calibrate/validate/condition.h"
#include "calibrate/validate/kernel_tables.h"

namespace gpuplan::calibrate {

namespace {

namespace fs = std::filesystem;

const Catalogue& catalogue() {
  static const Catalogue loaded = Catalogue::load(GPUPLAN_SOURCE_DIR);
  return loaded;
}

ErrorStatistics statistics_of(const std::vector<ValidationRow>& rows) {
  std::vector<const ValidationRow*> pointers;
  pointers.reserve(rows.size());
  for (const ValidationRow& row : rows) {
    pointers.push_back(&row);
  }
  return error_statistics(pointers);
}

bool holds(const std::string& condition) {
  return read_condition(condition, "test")
      .holds({{"dtype", "fp8"}, {"gpus", "8"}}, {{"m", 512.0}, {"k", 64.0}});
}

}  // namespace

TEST_CASE("Conditions compare texts and numbers, a row without the field holds none") {
  CHECK(holds("m>=512"));
  CHECK(holds("m<=512"));
  CHECK(holds("m=512"));
  CHECK(holds("m>511.5"));
  CHECK(holds("m<1e3"));
  CHECK(holds("m!=513"));
  CHECK_FALSE(holds("m>512"));
  CHECK_FALSE(holds("m<512"));
  CHECK_FALSE(holds("m!=512"));
  CHECK_FALSE(holds("m=many"));
  CHECK(holds("dtype=fp8"));
  CHECK(holds("dtype!=bf16"));
  CHECK_FALSE(holds("dtype=bf16"));
  CHECK(holds("gpus>=8"));        // a text that is a number
  CHECK_FALSE(holds("dtype>1"));  // a text that is none
  CHECK_FALSE(holds("n>=1"));
  CHECK_FALSE(holds("n!=1"));
  for (const char* wrong : {"m", "", ">=3", "m>", "m>=many", "m!3"}) {
    INFO(wrong);
    CHECK_THROWS_AS(read_condition(wrong, "test"), InputError);
  }
}

TEST_CASE("Leave one out: large bf16 GEMM of a GPU, and of an architecture, that nobody measured") {
  const fs::path root = fs::path(GPUPLAN_SOURCE_DIR) / ".." / "shared" / "data" / "kernels";
  if (!fs::exists(root)) {
    WARN("skipped: no measured kernel tables beside the source tree");
    return;
  }
  // Achieved: 5.1/18, 3.6/11, 3.7/10, 5.6/16 % and Hopper alone 8.8/17 %; a third more for refitted profiles.
  struct Gate {
    const char* gpu;
    kernels::LeaveOut leave_out;
    double median, p90;
  };
  constexpr Gate kGates[] = {
      {"a100-sxm-80gb", kernels::LeaveOut::gpu, 0.07, 0.24},
      {"h100-sxm", kernels::LeaveOut::gpu, 0.05, 0.14},
      {"h200-sxm", kernels::LeaveOut::gpu, 0.05, 0.14},
      {"b200-sxm", kernels::LeaveOut::gpu, 0.075, 0.21},
      {"h100-sxm", kernels::LeaveOut::architecture, 0.115, 0.22},
      {"h200-sxm", kernels::LeaveOut::architecture, 0.115, 0.22},
  };
  std::vector<ValidationRow> all;
  for (const Gate& gate : kGates) {
    const std::string path = (root / gate.gpu / "gemm.csv.gz").string();
    ValidationRows rows = validate_kernel_table(
        path,
        {.gpu = "", .catalogue = &catalogue(), .data_dir = GPUPLAN_SOURCE_DIR, .leave_out = gate.leave_out});
    std::erase_if(rows.rows, [](const ValidationRow& row) {
      for (const char* condition : {"dtype=bfloat16", "m>=512", "n>=512", "k>=512"}) {
        if (!read_condition(condition, "test").holds(row.key, row.shape)) {
          return true;
        }
      }
      return false;
    });
    const ErrorStatistics e = statistics_of(rows.rows);
    INFO(gate.gpu << ": " << e.count << " rows, median " << e.median << ", p90 " << e.p90 << ", bias "
                  << e.bias << ", coverage " << e.coverage80);
    CHECK(e.count > 1000);
    CHECK(e.median <= gate.median);
    CHECK(e.p90 <= gate.p90);
    all.insert(all.end(), rows.rows.begin(), rows.rows.end());
  }
  const ErrorStatistics e = statistics_of(all);
  INFO("all: coverage " << e.coverage80);
  CHECK(e.coverage80 >= 0.75);
  CHECK(e.coverage80 <= 0.92);
}

TEST_CASE("Leave one out: intervals of every family hold what they promise") {
  const fs::path root = fs::path(GPUPLAN_SOURCE_DIR) / ".." / "shared" / "data" / "kernels";
  if (!fs::exists(root)) {
    WARN("skipped: no measured kernel tables beside the source tree");
    return;
  }
  // Of medians achieved: within a family (Hopper) and across.
  struct Gate {
    const char* table;
    double within, across;
  };
  constexpr Gate kGates[] = {{"gemm", 0.05, 0.16},
                             {"attention_prefill", 0.04, 0.12},
                             {"attention_decode", 0.06, 0.27},
                             {"moe", 0.085, 0.21}};
  for (const Gate& gate : kGates) {
    for (const bool across : {false, true}) {
      std::vector<ValidationRow> all;
      for (const char* gpu : {"a100-sxm-80gb", "h100-sxm", "h200-sxm", "b200-sxm"}) {
        if (!across && std::string(gpu).front() != 'h') {
          continue;
        }
        ValidationRows rows = validate_kernel_table(
            (root / gpu / (std::string(gate.table) + ".csv.gz")).string(),
            {.gpu = "",
             .catalogue = &catalogue(),
             .data_dir = GPUPLAN_SOURCE_DIR,
             .leave_out = across ? kernels::LeaveOut::architecture : kernels::LeaveOut::gpu});
        all.insert(all.end(), rows.rows.begin(), rows.rows.end());
      }
      const ErrorStatistics e = statistics_of(all);
      INFO(gate.table << (across ? " across: " : " within: ") << e.count << " rows, median " << e.median
                      << ", p90 " << e.p90 << ", coverage " << e.coverage80);
      CHECK(e.median <= (across ? gate.across : gate.within));
      CHECK(e.coverage80 >= 0.74);
      CHECK(e.coverage80 <= 0.90);
    }
  }
}

}  // namespace gpuplan::calibrate
