#include "calibrate/validate/kernel_tables.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>

#include "calibrate/validate/collective_tables.h"
#include "calibrate/validate/kernel_records.h"
#include "calibrate/validate/table_reader.h"

namespace gpuplan::calibrate {

namespace {

using kernels::AllReduce;
using kernels::AttentionDecode;
using kernels::AttentionPrefill;
using kernels::Gemm;
using kernels::GroupedExperts;

constexpr std::array<std::string_view, 5> kOperationNames = {"gemm", "attention_prefill", "attention_decode",
                                                             "moe", "collectives"};

struct Formats {
  Precision activations, weights;
};

// Formats as the tables name them; nothing where we do not model one.
std::optional<Formats> formats(std::string_view dtype) {
  static constexpr std::pair<std::string_view, Formats> kKnown[] = {
      {"bfloat16", {Precision::bf16, Precision::bf16}},
      {"float16", {Precision::fp16, Precision::fp16}},
      {"fp8", {Precision::fp8, Precision::fp8}},
      {"fp8_block", {Precision::fp8_block, Precision::fp8_block}},
      {"int8_wo", {Precision::bf16, Precision::int8}},
      {"int4_wo", {Precision::bf16, Precision::int4}},
      {"sq", {Precision::int8, Precision::int8}},
      {"nvfp4", {Precision::nvfp4, Precision::nvfp4}},
      {"w4a16_mxfp4", {Precision::bf16, Precision::mxfp4}},
  };
  for (const auto& [name, value] : kKnown) {
    if (name == dtype) {
      return value;
    }
  }
  return std::nullopt;
}

struct Routing {
  double rank_load = 1.0, imbalance = 1.0, touched = 0.0;
};

// How the tables' "balanced" and "power_law_A" distributions load rank 0, following the law of the collector
// that measured them: token counts drawn from x^-A between 1 and 0.8 tokens (0.01 and 2 where tokens are
// few), scaled to the total; rank 0 is the most loaded one. The mean of a few draws of a fixed sequence: the
// measured row is one draw, which nobody recorded.
Routing routing_of(double power, std::int64_t tokens, int experts, int local, int top_k) {
  const double total = static_cast<double>(tokens) * top_k;
  if (power == 0.0) {
    const double per_rank = total / experts * local;
    return {1.0, 1.0, std::min(static_cast<double>(local), std::max(1.0, per_rank))};
  }
  constexpr int kDraws = 8;
  std::uint64_t state = 1;
  const auto uniform = [&state] {  // splitmix64
    std::uint64_t z = (state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
  };
  const bool many = total > experts;
  const double low = std::pow(many ? 1.0 : 0.01, 1.0 - power);
  const double high = std::pow(many ? 0.8 * static_cast<double>(tokens) : 2.0, 1.0 - power);
  std::vector<double> load(static_cast<std::size_t>(experts));
  Routing mean{0.0, 0.0, 0.0};
  for (int draw = 0; draw < kDraws; ++draw) {
    double sum = 0.0;
    for (double& x : load) {
      x = std::pow(low + (high - low) * uniform(), 1.0 / (1.0 - power));
      sum += x;
    }
    double best = -1.0, touched = 0.0, largest = 0.0;
    for (int first = 0; first + local <= experts; first += local) {
      double rank = 0.0, rank_touched = 0.0, rank_largest = 0.0;
      for (int e = first; e < first + local; ++e) {
        const double count = std::min(std::round(load[static_cast<std::size_t>(e)] / sum * total),
                                      static_cast<double>(tokens));
        rank += count;
        rank_touched += count > 0.0 ? 1.0 : 0.0;
        rank_largest = std::max(rank_largest, count);
      }
      if (rank > best) {
        best = rank;
        touched = rank_touched;
        largest = rank_largest;
      }
    }
    mean.rank_load += std::max(best, 1.0) / (total / experts * local) / kDraws;
    mean.imbalance += std::max(1.0, largest * local / std::max(best, 1.0)) / kDraws;
    mean.touched += std::max(1.0, touched) / kDraws;
  }
  return mean;
}

// The exponent of "power_law_A", 0 for "balanced"; nothing for other names.
std::optional<double> power_of(const std::string& distribution) {
  constexpr std::string_view kPrefix = "power_law_";
  if (distribution == "balanced") {
    return 0.0;
  }
  if (!distribution.starts_with(kPrefix)) {
    return std::nullopt;
  }
  double power = 0.0;
  const char* end = distribution.data() + distribution.size();
  const auto [stop, error] = std::from_chars(distribution.data() + kPrefix.size(), end, power);
  return error == std::errc() && stop == end && power > 0.0 && power < 10.0 && power != 1.0
             ? std::optional(power)
             : std::nullopt;
}

// Reads columns by name; every number must be at least `least`.
class Row {
 public:
  explicit Row(const TableReader& table) : table_(table) {}
  [[nodiscard]] std::int64_t count(std::string_view name, std::int64_t least = 1) const {
    const std::size_t column = table_.required_column(name);
    const std::int64_t value = table_.integer(column);
    if (value < least || value > 1'000'000'000'000) {
      throw InputError({table_.where(), table_.text(column) + " as " + std::string(name),
                        "a whole number from " + std::to_string(least) + " to 1e12", ""});
    }
    return value;
  }
  [[nodiscard]] int small(std::string_view name, int least = 1) const {
    const std::int64_t value = count(name, least);
    if (value > 1'000'000) {
      throw InputError(
          {table_.where(), std::to_string(value) + " as " + std::string(name), "at most 1e6", ""});
    }
    return static_cast<int>(value);
  }
  [[nodiscard]] const std::string& text(std::string_view name) const {
    return table_.text(table_.required_column(name));
  }

 private:
  const TableReader& table_;
};

using Shape = std::vector<std::pair<std::string_view, double>>;

// The columns of a row that tell its size, by the names that tables give them.
Shape shape_of(const Gemm& op) {
  return {
      {"m", static_cast<double>(op.m)}, {"n", static_cast<double>(op.n)}, {"k", static_cast<double>(op.k)}};
}
Shape shape_of(const AttentionPrefill& op) {
  return {{"batch", static_cast<double>(op.batch)},
          {"seq", static_cast<double>(op.queries)},
          {"heads", op.heads},
          {"kv_heads", op.kv_heads},
          {"head_dim", op.head_dim},
          {"window", static_cast<double>(op.window)}};
}
Shape shape_of(const AttentionDecode& op) {
  return {{"batch", static_cast<double>(op.batch)},
          {"context", op.context},
          {"heads", op.heads},
          {"kv_heads", op.kv_heads},
          {"head_dim", op.head_dim},
          {"window", static_cast<double>(op.window)}};
}
Shape shape_of(const GroupedExperts& op) {
  return {{"tokens", static_cast<double>(op.tokens)},
          {"hidden", static_cast<double>(op.hidden)},
          {"topk", op.top_k},
          {"experts", op.experts},
          {"ep", op.experts / op.local_experts}};
}
Shape shape_of(const AllReduce& op) { return {{"bytes", op.bytes.si()}}; }
Shape shape_of(const MeasuredKernel& row) {
  return std::visit([](const auto& operation) { return shape_of(operation); }, row.operation);
}

KernelOperation operation_of(const TableReader& table) {
  const auto has = [&](std::initializer_list<std::string_view> names) {
    return std::all_of(names.begin(), names.end(),
                       [&](std::string_view n) { return table.column(n).has_value(); });
  };
  if (has({"latency_us", "dtype", "m", "n", "k"})) {
    return KernelOperation::gemm;
  }
  if (has({"latency_us", "kv_dtype", "seq", "heads"})) {
    return KernelOperation::attention_prefill;
  }
  if (has({"latency_us", "kv_dtype", "context", "heads"})) {
    return KernelOperation::attention_decode;
  }
  if (has({"latency_us", "topk", "experts", "inter"})) {
    return KernelOperation::moe;
  }
  if (has({"latency_us", "collective", "gpus", "bytes"})) {
    return KernelOperation::collectives;
  }
  std::string found;
  for (const std::string& name : table.columns()) {
    found += (found.empty() ? "" : ", ") + name;
  }
  throw InputError({table.path() + ":1", "columns " + found,
                    "latency_us and those of gemm, attention_prefill, attention_decode, moe or collectives",
                    ""});
}

// Fills `kernel`, or says why the row cannot be expressed.
std::string express(KernelOperation operation, const Row& row, MeasuredKernel& kernel) {
  if (operation == KernelOperation::collectives) {
    return "collectives are priced by their own model, whose constants are an architecture's";
  }
  kernel.dtype = row.text("dtype");
  const std::optional<Formats> format = formats(kernel.dtype);
  if (!format) {
    return "dtype not modelled: " + kernel.dtype;
  }
  if (operation == KernelOperation::gemm) {
    kernel.operation = Gemm{.m = row.count("m"),
                            .n = row.count("n"),
                            .k = row.count("k"),
                            .activations = format->activations,
                            .weights = format->weights};
    return "";
  }
  if (operation == KernelOperation::moe) {
    const int tp = row.small("tp"), ep = row.small("ep"), experts = row.small("experts");
    const std::int64_t inter = row.count("inter");
    const std::optional<double> power = power_of(row.text("distribution"));
    if (!power) {
      return "distribution not modelled: " + row.text("distribution");
    }
    if (experts % ep != 0 || inter % tp != 0) {
      return "experts or their width do not divide over the ranks";
    }
    const std::int64_t tokens = row.count("tokens");
    const int top_k = row.small("topk");
    const Routing routing = routing_of(*power, tokens, experts, experts / ep, top_k);
    kernel.operation = GroupedExperts{.tokens = tokens,
                                      .hidden = row.count("hidden"),
                                      .expert_ffn = inter / tp,
                                      .experts = experts,
                                      .local_experts = experts / ep,
                                      .top_k = top_k,
                                      .activations = format->activations,
                                      .weights = format->weights,
                                      .imbalance = routing.imbalance,
                                      .rank_load = routing.rank_load,
                                      .touched = routing.touched};
    return "";
  }
  const std::optional<Formats> kv = formats(row.text("kv_dtype"));
  if (!kv) {
    return "kv_dtype not modelled: " + row.text("kv_dtype");
  }
  const int head_dim = row.small("head_dim");
  if (row.text("kv_dtype") != kernel.dtype) {
    kernel.dtype += "/" + row.text("kv_dtype");
  }
  if (operation == KernelOperation::attention_prefill) {
    const std::int64_t seq = row.count("seq");
    kernel.operation = AttentionPrefill{.batch = row.count("batch"),
                                        .queries = seq,
                                        .context = seq,
                                        .heads = row.small("heads"),
                                        .kv_heads = row.small("kv_heads"),
                                        .head_dim = head_dim,
                                        .value_dim = head_dim,
                                        .window = row.count("window", 0),
                                        .compute = format->activations,
                                        .kv = kv->weights};
    return "";
  }
  kernel.operation = AttentionDecode{.batch = row.count("batch"),
                                     .context = static_cast<double>(row.count("context")),
                                     .heads = row.small("heads"),
                                     .kv_heads = row.small("kv_heads"),
                                     .head_dim = head_dim,
                                     .value_dim = head_dim,
                                     .window = row.count("window", 0),
                                     .compute = format->activations,
                                     .kv = kv->weights,
                                     .warm_l2 = true,
                                     .tensorrt_llm = true};
  return "";
}

}  // namespace

std::span<const std::string_view> enum_names(KernelOperation /*tag*/) { return kOperationNames; }

KernelTable read_kernel_table(const std::string& path) {
  TableReader reader(path);
  KernelTable table;
  table.operation = operation_of(reader);
  const std::size_t latency = reader.required_column("latency_us");
  const Row row(reader);
  while (reader.next()) {
    MeasuredKernel kernel;
    kernel.line = reader.line();
    kernel.seconds = 1e-6 * reader.number(latency);
    const std::string reason = express(table.operation, row, kernel);
    if (reason.empty()) {
      table.rows.push_back(std::move(kernel));
    } else {
      ++table.skipped[reason];
    }
  }
  return table;
}

bool is_kernel_table(const std::string& path) {
  if (is_kernel_records(path) || is_published_collectives(path)) {
    return true;
  }
  try {
    (void)operation_of(TableReader(path));
    return true;
  } catch (const InputError&) {
    return false;
  }
}

std::string gpu_in_path(const std::string& path) {
  return std::filesystem::path(path).parent_path().filename().string();
}

kernels::Price price(const kernels::KernelModel& model, const MeasuredKernel& row) {
  return std::visit(
      [&](const auto& operation) {
        if constexpr (std::is_same_v<std::decay_t<decltype(operation)>, AllReduce>) {
          return model.price(operation, ScaleUp::nvswitch, true);
        } else {
          return model.price(operation);
        }
      },
      row.operation);
}

std::pair<double, double> interval80(const kernels::Price& price) {
  const double factor = 1.0 + price.spread80;
  return {price.time.si() / factor, price.time.si() * factor};
}

ValidationRows validate_kernel_table(const std::string& path, const KernelTableOptions& options) {
  if (options.catalogue != nullptr && is_kernel_records(path)) {
    return validate_kernel_records(path, {.gpu = options.gpu,
                                          .catalogue = options.catalogue,
                                          .data_dir = options.data_dir,
                                          .leave_out = options.leave_out});
  }
  if (options.catalogue != nullptr && is_published_collectives(path)) {
    return validate_collectives(read_published_collectives(path, *options.catalogue),
                                collectives::CollectiveModel::load(options.data_dir));
  }
  const std::string name = options.gpu.empty() ? gpu_in_path(path) : options.gpu;
  std::optional<kernels::KernelModel> own;
  if (options.model == nullptr) {
    const Gpu* gpu = options.catalogue != nullptr ? options.catalogue->gpu(name) : nullptr;
    if (gpu == nullptr) {
      const auto names =
          options.catalogue != nullptr ? options.catalogue->gpu_names() : std::vector<std::string>{};
      throw InputError({path, "GPU \"" + name + "\"",
                        "a GPU of the catalogue, as the table's folder or --gpu", did_you_mean(name, names)});
    }
    if (options.leave_out == kernels::LeaveOut::nothing &&
        operation_of(TableReader(path)) == KernelOperation::collectives) {
      return validate_collectives(read_collective_table(path, *gpu),
                                  collectives::CollectiveModel::load(options.data_dir));
    }
    own = kernels::KernelModel::for_gpu(*gpu, options.data_dir, options.leave_out);
  }
  const kernels::KernelModel& model = options.model != nullptr ? *options.model : *own;
  KernelTable table = read_kernel_table(path);
  ValidationRows out;
  out.skipped = std::move(table.skipped);
  out.rows.reserve(table.rows.size());
  const std::string table_id = name + "/" + std::filesystem::path(path).filename().string() + ":";
  for (const MeasuredKernel& row : table.rows) {
    const kernels::Price price = calibrate::price(model, row);
    const auto [low, high] = interval80(price);
    ValidationRow result{
        table_id + std::to_string(row.line), {}, row.seconds, price.time.si(), low, high, shape_of(row)};
    result.key = {{"gpu", name}, {"op", std::string(json::name_of(table.operation))}, {"dtype", row.dtype}};
    out.rows.push_back(std::move(result));
  }
  return out;
}

}  // namespace gpuplan::calibrate
