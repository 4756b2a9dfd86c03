// What a kernel scenario may price: operations by name. Each is a small spec that is read from JSON,
// described for the schema and priced; the table of them is in registry.cpp, and a new one is a spec and a
// line there.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hwmodels/json/describe.h"
#include "hwmodels/kernels/kernel_model.h"
#include "hwmodels/kernels/launch_shape.h"
#include "hwmodels/kernels/occupancy.h"
#include "sim/scenario/resolve_parts.h"

namespace gpuplan::sim {

// One kernel of an operation, and how often it is called.
struct KernelPart {
  std::string name;
  kernels::Price price;  // of one call
  double calls = 1.0;
  std::optional<double> occupancy{};  // achieved, where known
};

// A figure beside the price: "memory" (B), "occupancy", "numerical_error".
struct KernelFigure {
  std::string_view name;
  double value = 0.0;
  std::string_view unit;  // "B", "s", "B/s", "" for ratios
};

// What an operation comes to.
struct KernelOutcome {
  kernels::Price price{};           // of the whole
  std::vector<KernelPart> parts{};  // its kernels in order, where it is more than one
  std::vector<KernelFigure> figures{};
  std::optional<double> occupancy{};          // achieved, where the operation is about it
  std::optional<double> assumed_occupancy{};  // achieved by the kernel assumed behind the price
  std::string refusal{};  // why it cannot run ("needs 90 GB ..."); the price says what it would take
};

// What prices are made from.
struct KernelPricing {
  const kernels::KernelModel& model;
  const std::vector<kernels::SmLimits>& sm;  // every compute capability known
  const Node& node;

  // Those of the GPU; nothing where its capability is not known.
  [[nodiscard]] std::optional<kernels::SmLimits> limits() const {
    return kernels::sm_limits(model.gpu(), sm);
  }
  // Achieved occupancy of the kernel behind the price of `op`, where known.
  template <class Operation>
  [[nodiscard]] std::optional<double> occupancy(const Operation& op) const {
    const std::optional<kernels::LaunchShape> shape = kernels::LaunchShapes(model, sm).of(op);
    return shape ? std::optional(shape->achieved) : std::nullopt;
  }
};

class KernelOperation {
 public:
  virtual ~KernelOperation() = default;
  [[nodiscard]] virtual KernelOutcome price(const KernelPricing& pricing,
                                            kernels::Explanation* why) const = 0;
  // The spec as JSON with every default filled.
  [[nodiscard]] virtual json::Value resolved() const = 0;
};

// Where an operation's document comes from: for names in it, and for messages.
struct OperationSource {
  const json::Value& fields;  // without what every entry has ("op", "name", "count")
  std::string path;
  std::string base_dir;
  const Library& parts;
  std::uint64_t seed = 1;  // of random experiments
};

struct OperationKind {
  std::string_view name;
  std::string_view doc;
  json::Value (*schema)();
  // Null where problems were appended.
  std::unique_ptr<KernelOperation> (*read)(const OperationSource& source, std::vector<Problem>& problems);
};
std::span<const OperationKind> operation_kinds();
const OperationKind* operation_kind(std::string_view name);
std::vector<std::string> operation_names();

// An operation of one described spec. `Spec` has: describe (json); KernelOutcome price(const KernelPricing&,
// Explanation*) const; and may have void check(const OperationSource&, std::vector<Problem>&), which finds
// what no single field shows and looks names up.
template <class Spec>
class SpecOperation final : public KernelOperation {
 public:
  explicit SpecOperation(Spec spec) : spec_(std::move(spec)) {}
  [[nodiscard]] KernelOutcome price(const KernelPricing& pricing, kernels::Explanation* why) const override {
    return spec_.price(pricing, why);
  }
  [[nodiscard]] json::Value resolved() const override { return json::write(spec_); }

  static std::unique_ptr<KernelOperation> read(const OperationSource& source,
                                               std::vector<Problem>& problems) {
    Spec spec;
    const std::size_t before = problems.size();
    json::read(source.fields, source.path, spec, problems);
    if constexpr (requires { spec.check(source, problems); }) {
      if (problems.size() == before) {
        spec.check(source, problems);
      }
    }
    return problems.size() == before ? std::make_unique<SpecOperation>(std::move(spec)) : nullptr;
  }

 private:
  Spec spec_;
};

template <class Spec>
constexpr OperationKind operation_of(std::string_view name, std::string_view doc) {
  return {name, doc, &json::schema_of<Spec>, &SpecOperation<Spec>::read};
}

}  // namespace gpuplan::sim
