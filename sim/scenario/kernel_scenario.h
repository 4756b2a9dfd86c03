// A kernel scenario: operations on one GPU (or several to compare), one by one or swept over lists of values.
//
//   {"schema": 1, "kind": "kernel", "machine": {"gpu": "A100-80GB-SXM4"}, "baseline": "bf16",
//    "kernels": [{"op": "gemm", "name": "bf16", "m": [1, 16, 256], "n": 8192, "k": 8192}, ...]}
//
// Any field of a kernel may be a list of values: the cases are all combinations, the first field named
// varying slowest. So may machine.gpu.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hwmodels/json/describe.h"
#include "sim/kernels/operation.h"
#include "sim/scenario/resolve_parts.h"

namespace gpuplan::sim {

struct KernelMachineSpec {
  json::Value gpu = json::Value("H100-SXM5-80GB");
  std::string node;
};
template <class V>
void describe(V& v, KernelMachineSpec& s) {
  v.field("gpu", s.gpu,
          "GPU by catalogue name, {\"base\": name, and fields to override}, or a list of those");
  v.field("node", s.node, "node by catalogue name; empty: the first catalogue node sold with that GPU");
}

struct KernelScenarioSpec {
  int schema = 1;
  std::string kind = "kernel";
  std::string name = "unnamed", description;
  KernelMachineSpec machine;
  std::vector<json::Value> kernels;
  std::string baseline;
  bool parts = false;
  std::int64_t seed = 1;
};
template <class V>
void describe(V& v, KernelScenarioSpec& s) {
  v.field("schema", s.schema, "version of this format", json::Range{.min = 1, .max = 1}, json::required);
  v.field("kind", s.kind, "what is simulated", json::required);
  v.field("name", s.name, "shown in reports");
  v.field("description", s.description, "what the scenario is for");
  v.field("machine", s.machine, "what runs it");
  v.field("kernels", s.kernels, "operations; any of their fields may be a list of values to sweep",
          json::required);
  v.field(
      "baseline", s.baseline,
      "what others are compared with at the same swept values: NAME, NAME[FIELD=VALUE], or [FIELD=VALUE]: "
      "each kernel's own at that value");
  v.field("parts", s.parts, "show the kernels of a network one by one");
  v.field("seed", s.seed, "of random experiments (numerical error)", json::not_negative());
}

// A swept field and the value it has in one case.
struct Coordinate {
  std::string field;
  json::Value value;
  [[nodiscard]] std::string text() const;  // "m=16"
  bool operator==(const Coordinate&) const = default;
};

struct KernelCase {
  std::string entry;           // name of the kernel it comes from
  std::vector<Coordinate> at;  // "gpu" first where there are several
  std::size_t gpu = 0;         // index into KernelScenario::machines
  double count = 1.0;          // calls
  const OperationKind* kind = nullptr;
  json::Value fields;  // of the operation, no lists but those it takes by itself
  std::string path;    // of the kernel in the document
  std::shared_ptr<const KernelOperation> operation;

  [[nodiscard]] std::string name() const;   // "bf16[m=16]"
  [[nodiscard]] std::string label() const;  // "bf16 m=16", without the GPU
  [[nodiscard]] const json::Value* coordinate(std::string_view field) const;
};

struct KernelMachine {
  Gpu gpu;
  Node node;
};

struct KernelScenario {
  KernelScenarioSpec spec;
  std::string base_dir;
  std::vector<KernelMachine> machines;
  std::vector<KernelCase> cases;
  std::vector<std::string> notes;
};

// Validates, resolves and expands. Throws InputError with all problems of the document at once.
KernelScenario resolve_kernels(const json::Value& document, const std::string& name,
                               const std::string& base_dir, const Library& library);

// `like` with its coordinate `field` at `value`. Null operation where the value is not valid.
KernelCase moved(const KernelCase& like, const std::string& field, const json::Value& value,
                 const KernelScenario& scenario, const Library& library);

// The case that `of` is compared with: an index into scenario.cases; nothing where there is none, or `of`
// belongs to the baseline itself.
std::optional<std::size_t> baseline_of(const KernelCase& of, const KernelScenario& scenario);

json::Value resolved_json(const KernelScenario& scenario);
json::Value kernel_schema();

}  // namespace gpuplan::sim
