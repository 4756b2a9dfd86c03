// One function a family. Each takes the shape as an operation of ours; assumptions that the tools leave open
// are at the function. Measured in GPU graphs or streams back to back, so the host's launches count only in
// `launch` and `graph`.
#include "calibrate/import/predict.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "calibrate/import/text.h"
#include "hwmodels/kernels/launch_sequence.h"
#include "hwmodels/kernels/memory_hierarchy.h"
#include "hwmodels/kernels/occupancy.h"

namespace gpuplan::calibrate {

namespace {

using kernels::KernelModel;
using kernels::Price;

constexpr double kLargeCopy = 512.0 * 1024.0 * 1024.0;  // bytes; what nvbandwidth copies unless told

Prediction not_predicted(const std::string& reason) {
  Prediction prediction;
  prediction.reason = printable(reason);  // it may quote the file
  return prediction;
}

Prediction of(double value, double spread80, kernels::Provenance provenance, bool outside = false) {
  return {"", value, value / (1.0 + spread80), value * (1.0 + spread80), provenance, outside};
}
Prediction of_time(const Price& price) {
  return of(price.time.si(), price.spread80, price.provenance, price.outside_measured_range);
}
Prediction of_rate(double work, const Price& price) {
  return of(work / price.time.si(), price.spread80, price.provenance, price.outside_measured_range);
}

std::optional<Precision> precision_named(const std::string& name) {
  for (std::size_t i = 0; i < kPrecisionCount; ++i) {
    if (kPrecisionNames[i] == name) {
      return static_cast<Precision>(i);
    }
  }
  return std::nullopt;
}

// `m` in "s"; another unit is another figure of the same measurement.
std::optional<Prediction> unless_unit(const Measurement& m, std::string_view unit) {
  if (m.unit == unit) {
    return std::nullopt;
  }
  return not_predicted(fmt::format("{} in {}: only {} is predicted", m.family, m.unit, unit));
}

// Narrow inputs arrive narrow: no quantise pass is timed.
struct GemmOrReason {
  std::string reason;
  kernels::Gemm gemm;
};
GemmOrReason gemm_of(const Measurement& m, const KernelModel& model) {
  const std::string dtype = m.text("dtype");
  const std::optional<Precision> precision = precision_named(dtype);
  if (!precision || !model.gpu().peak(*precision)) {
    return {"no peak known for " + dtype, {}};
  }
  return {"",
          {.m = m.count("m"),
           .n = m.count("n"),
           .k = m.count("k"),
           .activations = *precision,
           .weights = *precision,
           .quantised = true}};
}

Prediction gemm(const Measurement& m, const KernelModel& model, const Node* /*node*/) {
  if (auto other = unless_unit(m, "s")) {
    return *other;
  }
  const GemmOrReason op = gemm_of(m, model);
  return op.reason.empty() ? of_time(model.price(op.gemm)) : not_predicted(op.reason);
}

Prediction tensor_peak(const Measurement& m, const KernelModel& model, const Node* /*node*/) {
  if (auto other = unless_unit(m, "FLOP/s")) {
    return *other;
  }
  const GemmOrReason op = gemm_of(m, model);
  if (!op.reason.empty()) {
    return not_predicted(op.reason);
  }
  const Price price = model.price(op.gemm);
  return of_rate(price.flops.si(), price);
}

// The steady rate on random data is that of a large GEMM, which has the droop of the clock in it.
Prediction tensor_sustained(const Measurement& m, const KernelModel& model, const Node* /*node*/) {
  if (auto other = unless_unit(m, "FLOP/s")) {
    return *other;
  }
  if (m.text("data") != "normal" || m.text("phase") != "steady") {
    return not_predicted("load on zeros, or before the clock has settled");
  }
  const std::string dtype = m.text("dtype");
  const std::optional<Precision> precision = precision_named(dtype);
  if (!precision || !model.gpu().peak(*precision)) {
    return not_predicted("no peak known for " + dtype);
  }
  const Price price = model.price(kernels::Gemm{
      .m = 8192, .n = 8192, .k = 8192, .activations = *precision, .weights = *precision, .quantised = true});
  return of_rate(price.flops.si(), price);
}

struct Heads {
  std::int64_t batch;
  int heads, kv_heads, head_dim;
};
Heads heads_of(const Measurement& m) {
  return {m.count("batch", 1, 1'000'000), static_cast<int>(m.count("heads", 1, 10'000)),
          static_cast<int>(m.count("kv_heads", 1, 10'000)), static_cast<int>(m.count("head_dim", 1, 10'000))};
}
constexpr std::int64_t kLongestSequence = 10'000'000;

std::string not_16_bit(const Measurement& m) {
  const std::string dtype = m.text("dtype");
  return dtype == "bf16" || dtype == "fp16" ? "" : "attention in " + dtype + " is not compared";
}

// Time of attention in 16 bit, from what `price_of` makes of its heads.
template <class PriceOf>
Prediction attention(const Measurement& m, PriceOf&& price_of) {
  if (auto other = unless_unit(m, "s")) {
    return *other;
  }
  if (const std::string reason = not_16_bit(m); !reason.empty()) {
    return not_predicted(reason);
  }
  return of_time(price_of(heads_of(m)));
}

// A whole prompt, in one of the two operations that have the same shape.
template <class Operation>
Prediction whole_prompt(const Measurement& m, const KernelModel& model) {
  return attention(m, [&](const Heads& h) {
    const std::int64_t seq = m.count("seq", 1, kLongestSequence);
    return model.price(Operation{.batch = h.batch,
                                 .queries = seq,
                                 .context = seq,
                                 .heads = h.heads,
                                 .kv_heads = h.kv_heads,
                                 .head_dim = h.head_dim,
                                 .causal = m.flag("causal")});
  });
}

Prediction attention_prefill(const Measurement& m, const KernelModel& model, const Node* /*node*/) {
  return whole_prompt<kernels::FlashAttention>(m, model);
}

Prediction attention_standard(const Measurement& m, const KernelModel& model, const Node* /*node*/) {
  return whole_prompt<kernels::StandardAttention>(m, model);
}

Prediction attention_decode(const Measurement& m, const KernelModel& model, const Node* /*node*/) {
  return attention(m, [&](const Heads& h) {
    return model.price(
        kernels::AttentionDecode{.batch = h.batch,
                                 .context = static_cast<double>(m.count("context", 1, kLongestSequence)),
                                 .heads = h.heads,
                                 .kv_heads = h.kv_heads,
                                 .head_dim = h.head_dim,
                                 .value_dim = h.head_dim});
  });
}

// A SiLU product reads two tensors; the other operations are the steps of a row pass.
Prediction row_pass(const Measurement& m, const KernelModel& model, const Node* /*node*/) {
  if (auto other = unless_unit(m, "s")) {
    return *other;
  }
  using Step = kernels::RowPass::Step;
  constexpr std::array<std::pair<std::string_view, Step>, 5> kSteps = {{{"rms_norm", Step::norm},
                                                                        {"layer_norm", Step::norm},
                                                                        {"softmax", Step::softmax},
                                                                        {"add", Step::residual},
                                                                        {"gelu", Step::activation}}};
  const std::string op = m.text("op"), dtype = m.text("dtype");
  const std::int64_t rows = m.count("rows"), cols = m.count("cols");
  const std::optional<Precision> precision = precision_named(dtype);
  if (!precision) {
    return not_predicted("no precision " + dtype);
  }
  if (op == "silu_product") {
    const double elements = static_cast<double>(rows) * static_cast<double>(cols);
    const Bytes tensor(elements * bytes_per_element(*precision));
    return of_time(model.price(kernels::Elementwise{.kind = kernels::Elementwise::Kind::activation,
                                                    .elements = elements,
                                                    .read = tensor * 2.0,
                                                    .written = tensor}));
  }
  for (const auto& [name, step] : kSteps) {
    if (op == name) {
      return of_time(
          model.price(kernels::RowPass{.rows = rows, .cols = cols, .steps = {step}, .wide = *precision}));
    }
  }
  return not_predicted("row pass not modelled: " + op);
}

// What launches rest on: the profile's own GPU, or another.
double launch_spread(const KernelModel& model) { return model.profile().gpu == model.gpu().name ? 0.1 : 0.7; }

Prediction launch(const Measurement& m, const KernelModel& model, const Node* /*node*/) {
  if (auto other = unless_unit(m, "s")) {
    return *other;
  }
  const bool own = model.profile().gpu == model.gpu().name;
  return of(model.launch(m.text("issue") == "graph").si(), launch_spread(model),
            own ? kernels::Provenance::measured : kernels::Provenance::assumed);
}

// Kernels that do nothing but come after each other.
Prediction graph(const Measurement& m, const KernelModel& model, const Node* /*node*/) {
  if (auto other = unless_unit(m, "s")) {
    return *other;
  }
  Price empty;
  empty.time = model.launch(true);
  empty.limiter = kernels::Limiter::launch;
  empty.spread80 = launch_spread(model);
  const std::vector<Price> kernels(static_cast<std::size_t>(m.count("kernels", 1, 100'000)), empty);
  return of_time(kernels::price_sequence(model, kernels, kernels::Issue::graph));
}

// Page-locked copies run in a stream, one after another, unless each is waited for. "both": the bytes of both
// directions, until both are done.
Prediction host_copy(const Measurement& m, const KernelModel& model, const Node* /*node*/) {
  const std::string direction = m.text("direction"), memory = m.text("memory");
  const bool both = direction == "both";
  if (!both && direction != "host_to_device" && direction != "device_to_host") {
    return not_predicted("direction of a copy not known: " + direction);
  }
  if (memory != "pinned" && memory != "pageable") {
    return not_predicted("host memory not known: " + memory);
  }
  if (model.gpu().pcie_bandwidth.si() <= 0.0 && model.gpu().c2c_bandwidth.si() <= 0.0) {
    return not_predicted("bandwidth of the host's link not known");
  }
  const double bytes = m.find("bytes") == nullptr ? kLargeCopy : m.bytes("bytes");
  const Price price =
      model.price(kernels::Copy{.bytes = Bytes(both ? bytes / 2.0 : bytes),
                                .path = direction == "device_to_host" ? kernels::Copy::Path::device_to_host
                                                                      : kernels::Copy::Path::host_to_device,
                                .pinned = memory == "pinned",
                                .blocking = m.flag("waited"),
                                .other_way_busy = both || m.flag("other_way_busy")});
  if (m.unit == "B/s") {
    return of_rate(bytes, price);
  }
  const auto other = unless_unit(m, "s");
  return other ? *other : of_time(price);
}

Prediction device_copy(const Measurement& m, const KernelModel& model, const Node* /*node*/) {
  const double bytes = m.find("bytes") == nullptr ? kLargeCopy : m.bytes("bytes");
  const Price price =
      model.price(kernels::Copy{.bytes = Bytes(bytes), .path = kernels::Copy::Path::device_to_device});
  if (m.unit == "B/s") {
    return of_rate(bytes, price);
  }
  const auto other = unless_unit(m, "s");
  return other ? *other : of_time(price);
}

bool hierarchy_known(const Gpu& gpu) {
  return gpu.vendor == "NVIDIA" && gpu.l2.si() > 0.0 && gpu.shared_memory_per_sm.si() > 0.0;
}

// Reading at every level; copying and scaling only where nothing stays in L2.
Prediction memory_bandwidth(const Measurement& m, const KernelModel& model, const Node* /*node*/) {
  if (auto other = unless_unit(m, "B/s")) {
    return *other;
  }
  const std::string op = m.text("op");
  if (!hierarchy_known(model.gpu())) {
    return not_predicted("memory hierarchy of this GPU not known");
  }
  // Loads leave L1 out, so a footprint that would fit there is read from L2 all the same.
  const double past_l1 = model.gpu().shared_memory_per_sm.si() + 1.0;
  const kernels::MemoryAccess access =
      kernels::memory_access(model, Bytes(std::max(m.bytes("footprint_bytes"), past_l1)));
  if (op == "read") {
    return of(access.bandwidth.si(), access.spread80, access.provenance);
  }
  if (op != "copy" && op != "scale") {
    return not_predicted("memory bandwidth not modelled: " + op);
  }
  if (access.l2_hits > 0.0) {
    return not_predicted("writing to L2 is not modelled");
  }
  const double bytes = m.bytes("footprint_bytes");
  Price price = model.price(kernels::Elementwise{.kind = kernels::Elementwise::Kind::copy,
                                                 .elements = bytes / 4.0,
                                                 .read = Bytes(bytes / 2.0),
                                                 .written = Bytes(bytes / 2.0)});
  price.time = price.hbm;  // a launch walks the footprint many times
  return of_rate(bytes, price);
}

Prediction memory_latency(const Measurement& m, const KernelModel& model, const Node* /*node*/) {
  if (auto other = unless_unit(m, "s")) {
    return *other;
  }
  if (!hierarchy_known(model.gpu())) {
    return not_predicted("memory hierarchy of this GPU not known");
  }
  const kernels::MemoryAccess access = kernels::memory_access(model, Bytes(m.bytes("footprint_bytes")));
  return of(access.latency.si(), access.spread80, access.provenance);
}

Prediction occupancy_bandwidth(const Measurement& m, const KernelModel& model, const Node* /*node*/) {
  if (auto other = unless_unit(m, "B/s")) {
    return *other;
  }
  if (!hierarchy_known(model.gpu())) {
    return not_predicted("memory hierarchy of this GPU not known");
  }
  const BytesPerSecond rate =
      kernels::bandwidth_at_occupancy(model, static_cast<int>(m.count("warps_per_sm", 1, 1024)),
                                      static_cast<double>(m.count("loads_in_flight", 1, 1024)), 0.0,
                                      Bytes(static_cast<double>(m.count("load_bytes", 1, 1024))));
  const kernels::MemoryAccess standing = kernels::memory_access(model, Bytes(1e9));
  return of(rate.si(), std::max(0.15, standing.spread80), standing.provenance);
}

// NCCL's all-reduce within the node that the GPU is sold in.
Prediction collective(const Measurement& m, const KernelModel& model, const Node* node) {
  if (auto other = unless_unit(m, "s")) {
    return *other;
  }
  const std::string op = m.text("op");
  const std::int64_t ranks = m.count("ranks", 1, 1'000'000);
  if (op != "all_reduce") {
    return not_predicted("collective not modelled: " + op);
  }
  if (m.find("nodes") != nullptr && m.count("nodes") > 1) {
    return not_predicted("all-reduce over more than one node");
  }
  if (ranks < 2) {
    return not_predicted("all-reduce of one rank");
  }
  if (node == nullptr) {
    return not_predicted("no node of the catalogue is sold with this GPU");
  }
  if (ranks > node->gpu_count) {
    return not_predicted("all-reduce of more ranks than " + node->name + " has GPUs");
  }
  return of_time(model.price(
      kernels::AllReduce{
          .bytes = Bytes(m.bytes("bytes")), .gpus = static_cast<int>(ranks), .custom_kernel = false},
      node->scale_up, node->switch_reduction));
}

struct Family {
  std::string_view name;
  Prediction (*predict)(const Measurement&, const KernelModel&, const Node*);
};
constexpr std::array kFamilies = {Family{"gemm", gemm},
                                  Family{"tensor_peak", tensor_peak},
                                  Family{"tensor_sustained", tensor_sustained},
                                  Family{"attention_prefill", attention_prefill},
                                  Family{"attention_standard", attention_standard},
                                  Family{"attention_decode", attention_decode},
                                  Family{"row_pass", row_pass},
                                  Family{"launch", launch},
                                  Family{"graph", graph},
                                  Family{"host_copy", host_copy},
                                  Family{"device_copy", device_copy},
                                  Family{"memory_bandwidth", memory_bandwidth},
                                  Family{"memory_latency", memory_latency},
                                  Family{"occupancy_bandwidth", occupancy_bandwidth},
                                  Family{"collective", collective}};

}  // namespace

Prediction predict(const Measurement& m, const KernelModel& model, const Node* node) {
  for (const Family& family : kFamilies) {
    if (m.family != family.name) {
      continue;
    }
    Prediction prediction = family.predict(m, model, node);
    if (prediction.reason.empty() && !(std::isfinite(prediction.value) && prediction.value > 0.0)) {
      return not_predicted("prediction is not finite");
    }
    return prediction;
  }
  return not_predicted("no price of " + m.family);
}

}  // namespace gpuplan::calibrate
