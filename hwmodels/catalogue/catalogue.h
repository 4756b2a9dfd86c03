// The hardware catalogue: GPUs, nodes, fabrics and prices as data files (one JSON file an entry, below
// hwmodels/catalogue/data/), each value with its source. A new GPU is a file and no code.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hwmodels/catalogue/precision.h"
#include "hwmodels/json/value.h"
#include "hwmodels/units/units.h"

namespace gpuplan {

// How a number is known. `assumed` covers values recalled or guessed that nobody checked.
enum class Standing { datasheet, measured, derived, assumed };
std::span<const std::string_view> enum_names(Standing tag);

struct Source {
  std::string text;  // where the value was read
  Standing standing = Standing::assumed;
};

// One GPU or SoC as its datasheet has it. Zero or nullopt: not present or not known (see `sources`).
struct Gpu {
  std::string name;  // "H100-SXM5-80GB"
  std::vector<std::string> aliases;
  std::string vendor;
  std::string architecture;    // "Hopper sm90 GH100"
  std::string kernel_profile;  // name of the fitted kernel profile, or of the nearest sibling's
  int sm_count = 0;            // SMs (NVIDIA) or CUs (AMD)
  Hertz boost_clock;
  // Dense matrix peak by precision (tensor cores where there are any; no sparsity).
  std::array<std::optional<FlopsPerSecond>, kPrecisionCount> matrix_peak;
  FlopsPerSecond vector_fp32_peak;
  FlopsPerSecond vector_fp64_peak;
  double sparse_factor = 1.0;  // 2:4 sparse peak over dense
  Bytes memory;                // decimal GB as sold
  std::string memory_type;
  BytesPerSecond memory_bandwidth;
  Bytes l2;
  Bytes shared_memory_per_sm;
  int registers_per_sm = 0;
  int max_warps_per_sm = 0;
  BytesPerSecond scale_up_bandwidth;  // NVLink / xGMI, per direction, whole GPU
  int scale_up_links = 0;
  int pcie_generation = 0;
  BytesPerSecond pcie_bandwidth;  // line rate per direction, x16; integrated GPUs: copies within the DRAM
  BytesPerSecond c2c_bandwidth;   // coherent CPU link (NVLink-C2C), per direction; zero where there is none
  Watts tdp;
  SquareMetres die_area;
  std::string process;
  std::map<std::string, Source> sources;  // by JSON field name ("memory_gb", "matrix_peak_tflops.bf16")
  json::Value raw;                        // the whole entry, further measured facts included

  // Dense peak for `p`; fp8_block uses fp8, nvfp4/mxfp4 the fp4 rate; falls back to nothing where the
  // GPU has no such unit.
  [[nodiscard]] std::optional<FlopsPerSecond> peak(Precision p) const {
    return matrix_peak[static_cast<std::size_t>(p)];
  }
};

// How GPUs of one node reach each other.
enum class ScaleUp { nvswitch, all_to_all, pairs, pcie };
std::span<const std::string_view> enum_names(ScaleUp tag);

struct Node {
  std::string name;  // "DGX-H100"
  std::vector<std::string> aliases;
  std::vector<std::string> gpus;  // catalogue names of the GPUs it is sold with; the first is the default
  int gpu_count = 0;
  ScaleUp scale_up = ScaleUp::pcie;
  bool switch_reduction = false;  // NVLink SHARP (NVLS)
  int nvswitch_count = 0;         // switch chips that every GPU has links to; 0: none, or unknown
  int socket_count = 1;           // CPUs
  int pcie_switch_count = 0;      // dealt evenly to the sockets; 0: GPUs and NICs on the sockets' own lanes
  int tray_count = 1;             // parts with CPUs and NICs of their own, that only NVLink joins
  int nic_count = 0;
  BytesPerSecond nic_bandwidth;  // per NIC and direction
  std::string fabric;            // default fabric entry
  Watts power;                   // maximum, whole node; zero where unknown
  Bytes host_memory;             // of its CPUs, and its bandwidth at line rate; zero where unknown
  BytesPerSecond host_bandwidth;
  Bytes nvme;  // local drives
  std::map<std::string, Source> sources;
  json::Value raw;
};

struct Fabric {
  std::string name;  // "InfiniBand-NDR"
  std::vector<std::string> aliases;
  std::string kind;                // "network", "scale_up" (GPU to GPU) or "host" (CPU to GPU)
  BytesPerSecond bandwidth;        // per port (link) and direction
  std::optional<Seconds> latency;  // port to port, unloaded; of scale_up and host links: one traversal
  double efficiency = 1.0;         // share of the bandwidth that payload reaches
  std::map<std::string, Source> sources;
  json::Value raw;
};

// What a purchase price buys, per GPU: the GPU alone, its share of a board of GPUs with their switches, or
// its share of a whole server.
enum class PriceCovers { gpu, board, server };
std::span<const std::string_view> enum_names(PriceCovers tag);

// One dated price point of one GPU.
struct PricePoint {
  std::string gpu;   // catalogue name, or the seller's name where the catalogue has no such GPU
  std::string date;  // YYYY-MM-DD
  std::string vendor;
  std::optional<DollarsPerSecond> on_demand, reserved_1y, reserved_3y;  // per GPU
  std::optional<Dollars> purchase;                                      // per GPU
  PriceCovers covers = PriceCovers::gpu;                                // what `purchase` buys
  std::string note;
  std::string source;
  Standing standing = Standing::assumed;  // datasheet: a published price list; assumed: an excerpt or a range
};

// A number with its source, as the facts about total cost have them.
struct Fact {
  double value = 0.0;
  std::optional<double> low, high;  // 80 % of cases lie between them; none: not known
  Source source;
  std::string note;
};

class Catalogue {
 public:
  // Loads every entry below `data_dir` (the product's data root). Throws InputError.
  static Catalogue load(const std::string& data_dir);

  [[nodiscard]] const std::vector<Gpu>& gpus() const { return gpus_; }
  [[nodiscard]] const std::vector<Node>& nodes() const { return nodes_; }
  [[nodiscard]] const std::vector<Fabric>& fabrics() const { return fabrics_; }
  // Every price point, oldest first. Read from disk on first use (thread-safe); throws InputError.
  [[nodiscard]] const std::vector<PricePoint>& prices() const;

  // By name or alias (case and punctuation ignored); nullptr where there is none.
  [[nodiscard]] const Gpu* gpu(std::string_view name) const;
  [[nodiscard]] const Node* node(std::string_view name) const;
  [[nodiscard]] const Fabric* fabric(std::string_view name) const;
  // The going price: of the points of `gpu` with an on-demand (or purchase) price in the 90 days up to the
  // latest such point, the one of median price (the lower of two), for sellers differ tenfold on one day.
  // nullptr where none.
  [[nodiscard]] const PricePoint* latest_on_demand(std::string_view gpu) const;
  [[nodiscard]] const PricePoint* latest_purchase(std::string_view gpu) const;

  // A cost fact of tco.json by its path there, as "pue.hyperscaler"; nothing where there is none. Throws
  // InputError where the file cannot be read.
  [[nodiscard]] std::optional<Fact> tco(std::string_view path) const;

  // The first node listed that is sold with `gpu` (a catalogue name); nullptr where none.
  [[nodiscard]] const Node* default_node(std::string_view gpu) const;

  [[nodiscard]] std::vector<std::string> gpu_names() const;
  [[nodiscard]] std::vector<std::string> node_names() const;
  [[nodiscard]] std::vector<std::string> fabric_names() const;

 private:
  std::vector<Gpu> gpus_;
  std::vector<Node> nodes_;
  std::vector<Fabric> fabrics_;
  struct Later;  // what is read on first use; shared by copies
  std::shared_ptr<Later> later_;
};

// A catalogue GPU with some fields overridden inline, as a scenario may ask: `overrides` has the JSON
// field names of a GPU file with bare values ({"memory_gb": 96, "matrix_peak_tflops": {"bf16": 1200}}).
// A new sm_count or boost_clock_mhz scales every peak that is not overridden itself. "base" is ignored
// (the caller has looked it up). Throws InputError whose problems carry `path`.
Gpu with_overrides(const Gpu& base, const json::Value& overrides, const std::string& path);

// Root of the product's data: $GPUPLAN_DATA, else the source tree it was built from, else
// ../share/gpuplan beside the executable.
std::string data_root();

}  // namespace gpuplan
