#include "calibrate/validate/kernel_records.h"

#include <filesystem>
#include <map>
#include <optional>

#include "calibrate/validate/kernel_tables.h"
#include "calibrate/validate/line_reader.h"
#include "hwmodels/kernels/memory_hierarchy.h"
#include "hwmodels/kernels/occupancy.h"

namespace gpuplan::calibrate {

namespace {

using kernels::KernelModel;
using kernels::Price;

constexpr const char* kContent = "kernel records, JSON lines, plain or gzipped";

// One line, with its fields asked for by name.
class Record {
 public:
  Record(const std::string& text, std::string where)
      : where_(std::move(where)), value_(json::parse(text, where_)) {
    if (!value_.is_object()) {
      fail(json::excerpt(value_), "a JSON object");
    }
  }
  [[nodiscard]] std::string text(std::string_view name) const {
    const json::Value* found = value_.find(name);
    if (found == nullptr) {
      return "";
    }
    if (!found->is_string()) {
      fail(json::excerpt(*found) + " as " + std::string(name), "a string");
    }
    return found->string();
  }
  [[nodiscard]] double value() const {
    const json::Value* found = value_.find("value");
    if (found == nullptr || !found->is_number() || !(found->number() > 0.0)) {
      fail((found == nullptr ? "nothing" : json::excerpt(*found)) + " as value", "a number > 0");
    }
    return found->number();
  }
  // A benchmark that could not run wrote zero.
  [[nodiscard]] bool failed() const {
    const json::Value* found = value_.find("value");
    return found != nullptr && found->is_number() && found->number() == 0.0;
  }
  // A count of the shape, 1 to 1e13; `otherwise` where the shape has none of that name.
  [[nodiscard]] std::int64_t count(std::string_view name, std::int64_t otherwise = 0) const {
    const json::Value* shape = value_.find("shape");
    const json::Value* found = shape == nullptr ? nullptr : shape->find(name);
    if (found == nullptr && otherwise > 0) {
      return otherwise;
    }
    if (found == nullptr || !found->is_integer() || found->integer() < 1 ||
        found->integer() > 10'000'000'000'000) {
      fail((found == nullptr ? "nothing" : json::excerpt(*found)) + " as shape." + std::string(name),
           "a whole number from 1 to 1e13");
    }
    return found->integer();
  }
  [[nodiscard]] std::string algorithm() const { return shape_text("algo"); }
  [[nodiscard]] std::string shape_text(std::string_view name) const {
    const json::Value* found = shape(name);
    return found != nullptr && found->is_string() ? found->string() : "";
  }
  [[nodiscard]] bool flag(std::string_view name) const {
    const json::Value* found = shape(name);
    return found != nullptr && found->is_bool() && found->boolean();
  }
  // A positive number of the shape.
  [[nodiscard]] double number(std::string_view name) const {
    const json::Value* found = shape(name);
    if (found == nullptr || !found->is_number() || !(found->number() > 0.0)) {
      fail((found == nullptr ? "nothing" : json::excerpt(*found)) + " as shape." + std::string(name),
           "a number > 0");
    }
    return found->number();
  }
  // m, n and k where the shape has them, for choosing rows.
  [[nodiscard]] std::vector<std::pair<std::string_view, double>> dimensions() const {
    std::vector<std::pair<std::string_view, double>> out;
    for (const std::string_view name : {"m", "n", "k"}) {
      const json::Value* found = shape(name);
      if (found != nullptr && found->is_number()) {
        out.emplace_back(name, found->number());
      }
    }
    return out;
  }

 private:
  [[nodiscard]] const json::Value* shape(std::string_view name) const {
    const json::Value* all = value_.find("shape");
    return all == nullptr ? nullptr : all->find(name);
  }
  [[noreturn]] void fail(const std::string& found, const std::string& expected) const {
    throw InputError({where_, found, expected, ""});
  }

  std::string where_;
  json::Value value_;
};

std::optional<Precision> precision_of(const std::string& name) {
  static const std::map<std::string, Precision> kNames = {
      {"fp16", Precision::fp16}, {"bf16", Precision::bf16},
      {"fp8", Precision::fp8},   {"int8", Precision::int8},
      {"fp4", Precision::nvfp4}, {"fp8(1x128/128x128 scales)", Precision::fp8_block}};
  const auto found = kNames.find(name);
  return found == kNames.end() ? std::nullopt : std::optional(found->second);
}

// "8x H200 NVLink4 node" names the GPU H200: what stands before the GPU's name and behind it goes.
std::string gpu_of_node(std::string name) {
  const std::size_t times = name.find("x ");
  if (times != std::string::npos && times > 0 && name.find_first_not_of("0123456789") == times) {
    name.erase(0, times + 2);
  }
  for (const char* tail : {" NVLink", " node", " ("}) {
    name.erase(std::min(name.find(tail), name.size()));
  }
  return name;
}

// A record as a price and the time that was measured; or why it cannot be one.
struct Expressed {
  std::string reason, op;
  double seconds = 0.0;
  Price price;
};

Expressed not_expressed(std::string reason) { return {std::move(reason), "", 0.0, {}}; }

Expressed gemm(const Record& record, const KernelModel& model) {
  if (record.text("library") == "torch(cuBLAS/rocBLAS)") {
    return not_expressed("timed from the host, launch and synchronisation included");
  }
  const std::optional<Precision> precision = precision_of(record.text("precision"));
  if (!precision) {
    return not_expressed("precision not modelled: " + record.text("precision"));
  }
  if (!model.gpu().peak(*precision)) {
    return not_expressed("no peak known in this precision");
  }
  const kernels::Gemm op{.m = record.count("m"),
                         .n = record.count("n"),
                         .k = record.count("k"),
                         .activations = *precision,
                         .weights = *precision,
                         .quantised = true};
  const double flops =
      2.0 * static_cast<double>(op.m) * static_cast<double>(op.n) * static_cast<double>(op.k);
  const std::string metric = record.text("metric");
  if (metric == "latency" && record.text("unit") == "us") {
    return {"", "gemm", 1e-6 * record.value(), model.price(op)};
  }
  if ((metric == "throughput" || metric == "max_achievable_throughput") && record.text("unit") == "TFLOPS") {
    return {"", metric == "throughput" ? "gemm" : "gemm_best_shape", flops / (1e12 * record.value()),
            model.price(op)};
  }
  return not_expressed("another figure of a measurement that stands beside it: gemm " + metric);
}

Expressed sparse_gemm(const Record& record, const KernelModel& model) {
  const std::optional<Precision> precision = precision_of(record.text("precision"));
  if (!precision || *precision == Precision::nvfp4) {
    return not_expressed("precision not modelled: sparse " + record.text("precision"));
  }
  if (record.failed()) {
    return not_expressed("the benchmark failed: zero as its time");
  }
  const kernels::SparseGemm op{
      .m = record.count("m"), .n = record.count("n"), .k = record.count("k"), .precision = *precision};
  return {"", "gemm_sparse", 1e-6 * record.value(), model.price(op)};
}

Expressed attention(const Record& record, const KernelModel& model, bool backward) {
  const std::string library = record.text("library");
  if (library.find("PyTorch") == std::string::npos) {
    return not_expressed("attention library not modelled: " + library);
  }
  const kernels::StandardAttention op{.batch = record.count("b"),
                                      .queries = record.count("sq"),
                                      .context = record.count("skv"),
                                      .heads = static_cast<int>(record.count("h")),
                                      .kv_heads = static_cast<int>(record.count("h")),
                                      .head_dim = static_cast<int>(record.count("d")),
                                      .precision = Precision::fp16,
                                      .causal = record.flag("causal"),
                                      .backward = backward};
  // As the charts count: a mask halves the FLOPs, the backward pass has 2.5 times those of the forward one.
  const double flops = 4.0 * static_cast<double>(op.batch * op.heads * op.head_dim) *
                       static_cast<double>(op.queries) * static_cast<double>(op.context) *
                       (op.causal ? 0.5 : 1.0) * (backward ? 3.5 : 1.0);
  return {"", backward ? "standard_attention_fwd_bwd" : "standard_attention", flops / (1e12 * record.value()),
          model.price(op)};
}

// `bytes` at a modelled bandwidth against a measured one.
Expressed bandwidth(std::string op, double bytes, const Record& record, BytesPerSecond rate,
                    const kernels::MemoryAccess& standing) {
  Price price;
  price.time = Bytes(bytes) / rate;
  price.relative_error = standing.relative_error;
  price.spread80 = standing.spread80;
  return {"", std::move(op), bytes / (1e9 * record.value()), price};
}

Expressed footprint(const Record& record, const KernelModel& model) {
  const Bytes bytes(1024.0 * record.number("footprint_kB"));
  const kernels::MemoryAccess access = kernels::memory_access(model, bytes);
  return bandwidth("read_by_footprint", bytes.si(), record, access.bandwidth, access);
}

// One load of 8 bytes a thread in flight on a full GPU.
Expressed stream_read(const Record& record, const KernelModel& model) {
  const Gpu& gpu = model.gpu();
  if (gpu.vendor != "NVIDIA" || gpu.max_warps_per_sm <= 0) {
    return not_expressed("latency of the memory not known");
  }
  const int warps = static_cast<int>(record.number("occupancy") * gpu.max_warps_per_sm);
  const BytesPerSecond rate = kernels::bandwidth_at_occupancy(model, warps, 1.0, 0.0, Bytes(8.0));
  kernels::MemoryAccess standing = kernels::memory_access(model, Bytes(1e9));
  standing.spread80 = std::max(0.15, standing.spread80);
  return bandwidth("read_at_occupancy", 1e9, record, rate, standing);
}

Expressed launch(const Record& record, const KernelModel& model) {
  const std::string mode = record.shape_text("mode");
  const bool graph = mode.find("graph") != std::string::npos;
  if (!graph && mode.find("launches") == std::string::npos) {
    return not_expressed("launch not modelled: " + mode);
  }
  Price price;
  price.time = model.launch(graph);
  price.spread80 = model.profile().gpu == model.gpu().name ? 0.1 : 0.7;
  return {"", graph ? "launch_graph" : "launch_stream", 1e-6 * record.value(), price};
}

Expressed all_reduce(const Record& record, const KernelModel& model) {
  if (record.text("metric") != "busbw" || record.text("unit") != "GB/s") {
    return not_expressed("another figure of a measurement that stands beside it: allreduce " +
                         record.text("metric"));
  }
  if (record.count("nodes", 1) > 1) {
    return not_expressed("all-reduce over more than one node");
  }
  const std::string algorithm = record.algorithm();
  const bool ring = algorithm.starts_with("Ring");
  if (!ring && !algorithm.empty() && algorithm != "NVLS") {
    return not_expressed("algorithm not modelled: " + algorithm);
  }
  const double gpus = static_cast<double>(record.count("ngpu"));
  const double bytes = static_cast<double>(record.count("bytes"));
  const kernels::AllReduce op{
      .bytes = Bytes(bytes), .gpus = static_cast<int>(record.count("ngpu")), .custom_kernel = false};
  return {"", ring ? "all_reduce_ring" : "all_reduce",
          2.0 * (gpus - 1.0) / gpus * bytes / (1e9 * record.value()),
          model.price(op, ScaleUp::nvswitch, !ring)};
}

Expressed stream(const Record& record, const KernelModel& model) {
  constexpr double kBytes = 1e9;  // a footprint far beyond L2; the measured one is not recorded
  const kernels::Elementwise copy{.kind = kernels::Elementwise::Kind::copy,
                                  .elements = kBytes / 16.0,
                                  .read = Bytes(kBytes / 2.0),
                                  .written = Bytes(kBytes / 2.0)};
  if (record.text("unit") != "GB/s") {
    return not_expressed("unit not modelled: " + record.text("unit"));
  }
  return {"", "copy", kBytes / (1e9 * record.value()), model.price(copy)};
}

Expressed express(const Record& record, const KernelModel& model) {
  const std::string kernel = record.text("kernel");
  if (kernel == "gemm") {
    return gemm(record, model);
  }
  if (kernel == "allreduce") {
    return all_reduce(record, model);
  }
  if (kernel == "stream_scale" || kernel == "stream_triad") {
    return stream(record, model);
  }
  if (kernel == "gemm_sparse2:4") {
    return sparse_gemm(record, model);
  }
  if (kernel == "attention_fwd" || kernel == "attention_fwd_bwd") {
    return attention(record, model, kernel == "attention_fwd_bwd");
  }
  if (kernel == "read_bandwidth_vs_footprint") {
    return footprint(record, model);
  }
  if (kernel == "stream_read") {
    return stream_read(record, model);
  }
  if (kernel == "launch") {
    return launch(record, model);
  }
  if (kernel == "gelu" || kernel == "softmax" || kernel == "layernorm") {
    return not_expressed("timed from the host, launch and synchronisation included");
  }
  return not_expressed("kernel not modelled: " + kernel);
}

}  // namespace

bool is_kernel_records(const std::string& path) {
  try {
    LineReader lines(path, kContent);
    if (!lines.next() || !lines.text().starts_with('{')) {
      return false;
    }
    const json::Value first = json::parse(lines.text(), lines.where());
    return first.find("kernel") != nullptr && first.find("metric") != nullptr &&
           first.find("value") != nullptr;
  } catch (const InputError&) {
    return false;
  }
}

ValidationRows validate_kernel_records(const std::string& path, const KernelRecordOptions& options) {
  const Gpu* wanted = nullptr;
  if (!options.gpu.empty()) {
    wanted = options.catalogue->gpu(options.gpu);
    if (wanted == nullptr) {
      throw InputError({path, "GPU \"" + options.gpu + "\"", "a GPU of the catalogue",
                        did_you_mean(options.gpu, options.catalogue->gpu_names())});
    }
  }
  std::map<std::string, KernelModel> models;
  ValidationRows out;
  const std::string file = std::filesystem::path(path).filename().string();
  LineReader lines(path, kContent);
  while (lines.next()) {
    if (lines.text().empty()) {
      continue;
    }
    const Record record(lines.text(), lines.where());
    const std::string name = record.text("gpu");
    const Gpu* gpu = options.catalogue->gpu(name);
    gpu = gpu != nullptr ? gpu : options.catalogue->gpu(gpu_of_node(name));
    if (gpu == nullptr) {
      out.skip("GPU not in the catalogue, or a system: " + record.text("kernel"));
      continue;
    }
    if (wanted != nullptr && gpu != wanted) {
      out.skip("another GPU than the one asked for");
      continue;
    }
    auto model = models.find(gpu->name);
    if (model == models.end()) {
      model =
          models.emplace(gpu->name, KernelModel::for_gpu(*gpu, options.data_dir, options.leave_out)).first;
    }
    const Expressed row = express(record, model->second);
    if (!row.reason.empty()) {
      out.skip(row.reason);
      continue;
    }
    const auto [low, high] = interval80(row.price);
    out.rows.push_back({file + ":" + std::to_string(lines.line()),
                        {{"gpu", gpu->name},
                         {"op", row.op},
                         {"dtype", record.text("precision")},
                         {"library", record.text("library")}},
                        row.seconds,
                        row.price.time.si(),
                        low,
                        high,
                        record.dimensions()});
  }
  return out;
}

}  // namespace gpuplan::calibrate
