// The fit of an engine's CPU time on a table that the simulator itself made with known times.
#include "calibrate/fit/engine_fit.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "calibrate/validate/serving_rows.h"

using namespace gpuplan;
using namespace gpuplan::calibrate;

namespace {

namespace fs = std::filesystem;

constexpr const char* kHeader =
    "id,source,gpu,gpus,model,framework,framework_version,precision,mode,tp,pp,attn_dp,moe_tp,moe_ep,"
    "prefill_workers,prefill_tp,decode_workers,decode_tp,input_len,output_len,load,load_value,metric,value,"
    "trust\n";

struct Table {
  fs::path path = fs::temp_directory_path() / ("gpuplan-engine-fit-" + std::to_string(getpid()) + ".csv");
  ~Table() { fs::remove(path); }
  // A row for each of `times`, or of 1 s where there are none.
  void write(const std::vector<double>& times) const {
    std::ofstream out(path);
    out << kHeader;
    std::size_t i = 0;
    for (const char* model : {"llama-3.1-8b", "qwen2.5-7b"}) {
      for (const int concurrency : {1, 4, 16, 32, 64, 128}) {
        for (const int tp : {1, 2}) {
          out << "row" << i << ",test,h100-sxm," << tp << "," << model << ",vllm,,bf16,agg," << tp
              << ",1,1,,,,,,,256,64,concurrency," << concurrency << ",serving.tpot.mean,"
              << (i < times.size() ? std::to_string(times[i]) : "1") << ",ok\n";
          ++i;
        }
      }
    }
  }
};

}  // namespace

TEST_CASE("An engine fit finds the CPU time that made the table") {
  const sim::Library library = sim::Library::load(GPUPLAN_SOURCE_DIR);
  const Table table;
  table.write({});
  const ServingTableOptions truth{
      .jobs = 2, .where = {}, .engine = {{"step_overhead", 2e-3}, {"step_overhead_per_sequence", 30e-6}}};
  std::vector<double> times;
  for (const ValidationRow& row : validate_serving_table(table.path.string(), library, truth).rows) {
    times.push_back(row.predicted);
  }
  REQUIRE(times.size() == 24);
  table.write(times);
  const EngineFit fit = fit_engine(table.path.string(), sim::load_engine_profile(GPUPLAN_SOURCE_DIR, "vllm"),
                                   library, {.jobs = 2});
  CHECK(fit.profile.step_overhead.si() == Approx(2e-3).epsilon(0.05));
  CHECK(fit.profile.step_overhead_per_sequence.si() == Approx(30e-6).epsilon(0.1));
  CHECK(fit.fitted.rows + fit.held_out.rows == 24);
  CHECK(fit.held_out.rows > 0);
  CHECK(fit.held_out.median < 0.01);
  CHECK(fit.profile.scheduler == "vllm_v1");  // the rest stays
  CHECK_THROWS_AS(fit_engine(table.path.string(), sim::load_engine_profile(GPUPLAN_SOURCE_DIR, "sglang"),
                             library, {.jobs = 2}),
                  InputError);
}
