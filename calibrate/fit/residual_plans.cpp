#include "calibrate/fit/residual_plans.h"

#include <cmath>

namespace gpuplan::calibrate {

namespace {

// Of axes whose values are kinds: what holds for one says little of its neighbour.
constexpr double kKind = 0.01;

// Tile heights of libraries, and the sizes just above them, where the choice of kernel changes.
std::vector<double> rows_of_gemm() {
  std::vector<double> knots;
  for (const double m :
       {1.0,    2.0,    4.0,    8.0,    12.0,   16.0,   17.0,   32.0,   33.0,   48.0,   64.0,    65.0,
        80.0,   96.0,   97.0,   112.0,  127.0,  128.0,  129.0,  160.0,  192.0,  193.0,  224.0,   225.0,
        255.0,  256.0,  257.0,  384.0,  511.0,  512.0,  513.0,  767.0,  768.0,  769.0,  1023.0,  1024.0,
        1025.0, 1280.0, 1281.0, 1536.0, 1537.0, 2048.0, 2049.0, 3072.0, 4096.0, 8192.0, 16384.0, 32768.0}) {
    knots.push_back(std::log2(m));
  }
  return knots;
}

}  // namespace

ResidualPlan gemm_plan() { return {{{"log2_m", 0, 1.0, rows_of_gemm()}, {"log2_n", 12}, {"log2_k", 12}}}; }

ResidualPlan prefill_plan() {
  return {{{"log2_ctas", 14}, {"log2_tokens", 16}, {"head_dim", 4, kKind}, {"log2_window_share", 3, kKind}},
          {{"log2_batch", 9}, {"log2_kv_heads", 6}, {"log2_group", 6}, {"head_dim", 4, kKind}},
          {{"log2_tokens", 16}, {"log2_kv_heads", 6}, {"log2_group", 6}}};
}

ResidualPlan decode_plan(bool grouped) {
  return {{{grouped ? "log2_ctas" : "log2_head_ctas", 14},
           {"log2_context", 17},
           {"head_dim", 4, kKind},
           {"log2_window_share", 3, kKind}},
          {{"log2_batch", 12}, {"log2_kv_heads", 6}, {"log2_group", 6}, {"head_dim", 4, kKind}},
          {{"log2_context", 17}, {"log2_kv_heads", 6}, {"log2_group", 6}}};
}

ResidualPlan expert_plan() {
  return {{{"log2_tokens", 12}, {"log2_rows", 8}, {"log2_local", 7}, {"log2_imbalance", 3}},
          {{"log2_hidden", 8, 0.1}, {"log2_ffn", 9}, {"log2_local", 7}, {"log2_rows", 5}},
          {{"log2_hidden", 8, kKind}, {"log2_top_k", 5, kKind}, {"log2_tokens", 12}}};
}

ResidualPlan gemm_error_plan() { return {{{"log2_m", 6}, {"log2_n", 4}, {"log2_k", 4}}}; }
ResidualPlan prefill_error_plan() { return {{{"log2_ctas", 5}, {"log2_tokens", 5}}}; }
ResidualPlan decode_error_plan() { return {{{"log2_ctas", 5}, {"log2_context", 5}}}; }
ResidualPlan expert_error_plan() { return {{{"log2_rows", 5}, {"log2_local", 4}}}; }

}  // namespace gpuplan::calibrate
