#include "calibrate/validate/collective_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "calibrate/validate/table_reader.h"

namespace gpuplan::calibrate {

namespace {

using collectives::Collective;
using collectives::Communicator;

std::optional<Collective> collective_named(std::string_view name) {
  const auto names = enum_names(Collective{});
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? std::nullopt : std::optional(static_cast<Collective>(found - names.begin()));
}

// A group on one node of `gpu`, with its link.
Communicator node_of(const Gpu& gpu, int ranks) {
  Communicator group = collectives::one_node(collectives::architecture_named(gpu.architecture), ranks);
  const double share = group.intra.si() / group.link.si();
  if (gpu.scale_up_bandwidth.si() > 0.0) {
    group.link = gpu.scale_up_bandwidth;
    group.intra = BytesPerSecond(group.link.si() * share);
  }
  return group;
}

std::string text_of(const json::Value& row, std::string_view name) {
  const json::Value* found = row.find(name);
  return found != nullptr && found->is_string() ? found->string() : "";
}

double number_of(const json::Value& row, std::string_view name) {
  const json::Value* found = row.find(name);
  return found != nullptr && found->is_number() ? found->number() : 0.0;
}

// NICs of a node as published runs describe them.
struct Network {
  std::string_view mark;  // in the description of what joins the ranks
  double gbps;            // GB/s each
  int nics;
  collectives::NetworkKind fabric;
};
// 400 Gb/s is 50 GB/s. The runs named after SHARP end at 97 % of what rings and trees can reach over those
// NICs, where switches that reduce would leave NVLink as the limit (25 % more): they count as without. The
// H20 runs do not state their NICs; the 460 GB/s that they call the limit is NVLink's, so that the network's
// must be above: 8 x 400 Gb/s, as such nodes have (assumed).
constexpr Network kNetworks[] = {
    {"p4de EFA", 12.5, 4, collectives::NetworkKind::efa},
    {"p5 EFA", 12.5, 32, collectives::NetworkKind::efa2},
    {"8x400G", 50.0, 8, collectives::NetworkKind::infiniband},
    {"8x200G IB", 25.0, 8, collectives::NetworkKind::infiniband},
    {"4x200G IB", 25.0, 4, collectives::NetworkKind::infiniband},
    {"4x400 RoCE", 50.0, 4, collectives::NetworkKind::roce},
    {"NVLink4 + IB (H20", 50.0, 8, collectives::NetworkKind::infiniband},
    {"inter-rack IB", 50.0, 72, collectives::NetworkKind::infiniband_racks},
};

constexpr double kMostRanks = 1e6;

// Runs of which only the best bandwidth was published are taken as of this size.
constexpr double kPeakBytes = 8.6e9;

// Why the run cannot be expressed, or empty.
std::string express(const json::Value& row, const Catalogue& catalogue, MeasuredCollective& out) {
  std::string name = text_of(row, "gpu");
  name.erase(std::min(name.find(" ("), name.size()));
  const Gpu* gpu = catalogue.gpu(name);
  if (gpu == nullptr) {
    return "GPU unknown: " + name;
  }
  if (!gpu->architecture.starts_with("Ampere") && !gpu->architecture.starts_with("Hopper") &&
      !gpu->architecture.starts_with("Blackwell")) {
    return "no constants for " + gpu->architecture;
  }
  const std::optional<Collective> collective = collective_named(text_of(row, "collective"));
  if (!collective) {
    return "collective unknown: " + text_of(row, "collective");
  }
  const double gpus = number_of(row, "n_gpus"), machines = number_of(row, "n_nodes");
  if (!(gpus >= 2.0 && gpus <= kMostRanks && machines >= 1.0 && machines <= gpus)) {
    return "no count of GPUs and nodes";
  }
  const int ranks = static_cast<int>(gpus);
  int nodes = static_cast<int>(machines);
  out.setup = text_of(row, "interconnect");
  if (out.setup.find("NVL72") != std::string::npos) {
    nodes = (ranks + 71) / 72;  // one NVLink domain a rack
  }
  if (ranks % nodes != 0) {
    return "ranks do not divide over the nodes";
  }
  out.group = node_of(*gpu, ranks);
  out.group.nodes = nodes;
  if (nodes > 1) {
    const auto* known = std::find_if(std::begin(kNetworks), std::end(kNetworks), [&](const Network& network) {
      return out.setup.find(network.mark) != std::string::npos;
    });
    if (known == std::end(kNetworks)) {
      return "network not described: " + out.setup;
    }
    out.group.nics = known->nics;
    out.group.channels = std::min(out.group.channels, known->nics);
    out.group.nic = BytesPerSecond(known->gbps * 1e9);
    out.group.fabric = known->fabric;
  }
  const std::string algorithm = text_of(row, "algo"), notes = text_of(row, "notes");
  if (algorithm == "Ring" || notes.find("Ring peak") != std::string::npos) {
    out.options.algorithm = collectives::Algorithm::ring;
  } else if (notes.find("Tree peak") != std::string::npos) {
    out.options.algorithm = collectives::Algorithm::tree;
  } else if (algorithm == "NVLS") {
    out.options.algorithm = collectives::Algorithm::nvls;
  }
  const double bytes = number_of(row, "bytes"), busbw = number_of(row, "busbw") * 1e9;
  out.operation = {*collective, Bytes(bytes > 0.0 ? bytes : kPeakBytes)};
  out.seconds = number_of(row, "time_us") * 1e-6;
  if (out.seconds <= 0.0 && busbw > 0.0) {
    out.seconds = out.operation.bytes.si() * collectives::bus_factor(*collective, ranks) / busbw;
  }
  out.gpu = gpu->name;
  return out.seconds > 0.0 ? "" : "neither time nor bandwidth";
}

}  // namespace

CollectiveTable read_collective_table(const std::string& path, const Gpu& gpu) {
  TableReader reader(path);
  const std::size_t library = reader.required_column("library"),
                    collective = reader.required_column("collective"), gpus = reader.required_column("gpus"),
                    bytes = reader.required_column("bytes"), latency = reader.required_column("latency_us");
  const std::string file = std::filesystem::path(path).filename().string();
  CollectiveTable out;
  while (reader.next()) {
    MeasuredCollective row;
    row.setup = reader.text(library);
    row.options.custom_kernel = row.setup.ends_with("-custom");
    if (!row.options.custom_kernel && !row.setup.starts_with("nccl")) {
      ++out.skipped["library not modelled: " + row.setup];
      continue;
    }
    const std::optional<Collective> named = collective_named(reader.text(collective));
    if (!named) {
      ++out.skipped["collective not modelled: " + reader.text(collective)];
      continue;
    }
    const std::int64_t ranks = reader.integer(gpus), size = reader.integer(bytes);
    if (ranks < 2 || ranks > 1'000'000 || size < 1) {
      throw InputError({reader.where(), fmt::format("{} gpus, {} bytes", ranks, size),
                        "2 gpus or more and 1 byte or more", ""});
    }
    row.group = node_of(gpu, static_cast<int>(ranks));
    if (row.setup.starts_with("nccl-")) {
      row.group.version = row.setup.substr(5);
    }
    row.operation = {*named, Bytes(static_cast<double>(size))};
    row.gpu = gpu.name;
    row.seconds = 1e-6 * reader.number(latency);
    if (row.seconds <= 0.0) {
      ++out.skipped["measured value is not above zero"];
      continue;
    }
    row.id = fmt::format("{}:{}", file, reader.line());
    out.rows.push_back(std::move(row));
  }
  return out;
}

bool is_published_collectives(const std::string& path) {
  if (!path.ends_with(".json")) {
    return false;
  }
  try {
    const json::Value all = json::parse_file(path);
    return all.is_array() && !all.array().empty() && all.array().front().find("interconnect") != nullptr &&
           all.array().front().find("collective") != nullptr;
  } catch (const InputError&) {
    return false;
  }
}

CollectiveTable read_published_collectives(const std::string& path, const Catalogue& catalogue) {
  const json::Value all = json::parse_file(path);
  if (!all.is_array()) {
    throw InputError({path + ": $", json::excerpt(all), "an array of runs", ""});
  }
  CollectiveTable out;
  for (std::size_t i = 0; i < all.array().size(); ++i) {
    MeasuredCollective row;
    row.id = fmt::format("{}[{}]", std::filesystem::path(path).filename().string(), i);
    const std::string reason = express(all.array()[i], catalogue, row);
    if (reason.empty()) {
      out.rows.push_back(std::move(row));
    } else {
      ++out.skipped[reason];
    }
  }
  return out;
}

ValidationRows validate_collectives(const CollectiveTable& table, const collectives::CollectiveModel& model) {
  ValidationRows out;
  out.skipped = table.skipped;
  for (const MeasuredCollective& row : table.rows) {
    const collectives::CollectivePrice price = model.price(row.group, row.operation, row.options);
    const double t = price.time.si(), factor = 1.0 + price.spread80;
    ValidationRow result{row.id, {}, row.seconds, t, t / factor, t * factor, {}};
    result.shape = {{"bytes", row.operation.bytes.si()}, {"nodes", row.group.nodes}};
    result.key = {{"gpu", row.gpu},
                  {"op", std::string(json::name_of(row.operation.collective))},
                  {"dtype", row.setup},
                  {"gpus", std::to_string(row.group.ranks)}};
    out.rows.push_back(std::move(result));
  }
  return out;
}

}  // namespace gpuplan::calibrate
