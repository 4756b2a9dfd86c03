// One measured figure in one vocabulary, whatever tool measured it: a family of operations, the shape, a unit
// and a value. SI units. As a line of JSON:
//
//   {"id": "h200.json:$.records[7]", "source": "gpuplan-bench full", "gpu": "H200-SXM-141GB", "family":
//   "gemm",
//    "shape": {"dtype": "bf16", "m": 16, "n": 4096, "k": 4096}, "unit": "s", "value": 1.2e-05,
//    "spread": [1.19e-05, 1.24e-05]}
//
// Families that have a price (predict.cpp), with their shapes:
//
//   gemm                  dtype, m, n, k
//   tensor_peak           dtype, m, n, k, data         the best kernel on large squares (FLOP/s)
//   tensor_sustained      dtype, data, phase, duration_s   FLOP/s under seconds of load
//   attention_prefill     batch, heads, kv_heads, seq, head_dim, causal, dtype   scores stay on chip
//   attention_standard    the same, scores written to memory
//   attention_decode      batch, heads, kv_heads, context, head_dim, dtype
//   row_pass              op, rows, cols, dtype
//   launch                issue, blocks, threads       a kernel that does nothing
//   graph                 kernels                      a graph of such kernels
//   host_copy             direction, memory, bytes (absent: large), other_way_busy, waited
//   device_copy           bytes (absent: large)
//   memory_bandwidth      op, footprint_bytes
//   memory_latency        footprint_bytes
//   occupancy_bandwidth   warps_per_sm, loads_in_flight, load_bytes
//   collective            op, ranks, bytes, nodes (absent: 1), dtype (absent: float), in_place
//
// Any other family is kept and compared between sources, without a prediction.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hwmodels/json/problem.h"
#include "hwmodels/json/value.h"

namespace gpuplan::calibrate {

struct Spread {
  double p10 = 0.0, p90 = 0.0;  // in the unit of the value
};

struct Measurement {
  std::string id;      // unique within its file
  std::string where;   // of the shape, for messages: "h200.json: $.records[7].params"
  std::string source;  // what measured it
  std::string gpu;     // as the file names it; a catalogue name once resolved; may be empty before
  std::string family;
  json::Value shape;   // an object
  std::string unit;    // "s", "B/s", "FLOP/s", "cycles", "ratio", "Hz", "W"
  double value = 0.0;  // above zero
  std::optional<Spread> spread;

  // Fields of the shape. InputError at `where` for what is missing or of another kind.
  [[nodiscard]] const json::Value* find(std::string_view name) const { return shape.find(name); }
  [[nodiscard]] std::string text(std::string_view name) const;
  // A whole number from `least` to `most`.
  [[nodiscard]] std::int64_t count(std::string_view name, std::int64_t least = 1,
                                   std::int64_t most = 100'000'000) const;
  [[nodiscard]] double bytes(std::string_view name) const;  // 1 to 1e15
  [[nodiscard]] bool flag(std::string_view name) const;     // false where there is none

 private:
  [[noreturn]] void fail(std::string_view name, const std::string& expected) const;
};

// Nothing unless both are numbers with 0 <= p10 <= p90; either may be null.
std::optional<Spread> spread_of(const json::Value* p10, const json::Value* p90);

// The line of JSON above.
json::Value to_json(const Measurement& measurement);

// The shape in a few words, as "bf16 m16 n4096 k4096".
std::string shape_text(const Measurement& measurement);

// The same for measurements of the same thing: family, unit and shape, whatever the order of its fields.
std::string identity(const Measurement& measurement);

}  // namespace gpuplan::calibrate
