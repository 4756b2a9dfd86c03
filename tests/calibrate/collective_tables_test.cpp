#include "calibrate/validate/collective_tables.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>

#include "calibrate/fit/collective_fit.h"
#include "calibrate/validate/kernel_tables.h"

using namespace gpuplan;
using namespace gpuplan::calibrate;

namespace {

namespace fs = std::filesystem;

struct Gate {
  const char* gpu;
  const char* collective;
  const char* setup;  // what its name starts with
  double median, p90;
};
constexpr Gate kGates[] = {
#include "collective_gates.inc"
};

const Catalogue& catalogue() {
  static const Catalogue loaded = Catalogue::load(GPUPLAN_SOURCE_DIR);
  return loaded;
}

const collectives::CollectiveModel& shipped() {
  static const auto model = collectives::CollectiveModel::load(GPUPLAN_SOURCE_DIR);
  return model;
}

ErrorStatistics statistics_of(const std::vector<ValidationRow>& rows) {
  std::vector<const ValidationRow*> pointers;
  for (const ValidationRow& row : rows) {
    pointers.push_back(&row);
  }
  return error_statistics(pointers);
}

class File {
 public:
  File(const std::string& name, const std::string& text)
      : path_(fs::temp_directory_path() / (std::to_string(::getpid()) + "-" + name)) {
    std::ofstream(path_) << text;
  }
  ~File() { fs::remove(path_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

}  // namespace

TEST_CASE("A table of collectives becomes groups and operations, the rest is counted") {
  const File file(
      "collectives.csv",
      "library,collective,gpus,bytes,latency_us\nnccl-2.27.3,alltoall,8,1024,16\ntrtllm-custom,all_"
      "reduce,4,2048,3\nmscclpp,all_reduce,4,1024,3\nnccl-2.27.3,gather,4,1024,3\nnccl-2.27.3,"
      "all_gather,4,1024,0\n");
  const CollectiveTable table = read_collective_table(file.path(), *catalogue().gpu("h100-sxm"));
  REQUIRE(table.rows.size() == 2);
  CHECK(table.rows[0].operation.collective == collectives::Collective::all_to_all);
  CHECK(table.rows[0].group.ranks == 8);
  CHECK(table.rows[0].group.version == "2.27.3");
  CHECK(table.rows[0].group.link.si() == 450e9);
  CHECK(table.rows[0].seconds == Approx(16e-6));
  CHECK(table.rows[1].options.custom_kernel);
  CHECK(table.skipped.at("library not modelled: mscclpp") == 1);
  CHECK(table.skipped.at("collective not modelled: gather") == 1);
  CHECK(table.skipped.at("measured value is not above zero") == 1);
  const File lone("lone.csv", "library,collective,gpus,bytes,latency_us\nnccl-2.27.3,alltoall,1,1024,16\n");
  CHECK_THROWS_AS(read_collective_table(lone.path(), *catalogue().gpu("h100-sxm")), InputError);
  // gpuplan validate takes all four collectives.
  KernelTableOptions options;
  options.catalogue = &catalogue();
  options.data_dir = GPUPLAN_SOURCE_DIR;
  options.gpu = "h100-sxm";
  const ValidationRows rows = validate_kernel_table(file.path(), options);
  REQUIRE(rows.rows.size() == 2);
  CHECK(rows.rows[0].key.at("op") == "alltoall");
  CHECK(rows.rows[0].low80 < rows.rows[0].predicted);
}

TEST_CASE("Published runs: NICs, racks, and what cannot be expressed") {
  const File file(
      "runs.json",
      R"json([{"gpu": "A100-SXM-80GB", "n_gpus": 16, "n_nodes": 2, "interconnect": "p4de EFA 400 Gbps/node (4x100)",
           "collective": "all_reduce", "algo": null, "bytes": 8, "time_us": 164.3, "busbw": 0.0},
          {"gpu": "GB200", "n_gpus": 144, "n_nodes": 36, "interconnect": "GB200 NVL72, 2 rack(s), inter-rack IB",
           "collective": "all_reduce", "algo": null, "bytes": null, "time_us": null, "busbw": 800},
          {"gpu": "V100-SXM2", "n_gpus": 8, "n_nodes": 1, "interconnect": "NVLink2", "collective": "all_reduce",
           "bytes": 8, "time_us": 20},
          {"gpu": "H100-SXM", "n_gpus": 16, "n_nodes": 2, "interconnect": "string and cups",
           "collective": "all_reduce", "bytes": 8, "time_us": 20},
          {"gpu": "H100-SXM", "n_gpus": 1e300, "n_nodes": 2, "interconnect": "8x400G",
           "collective": "all_reduce", "bytes": 8, "time_us": 20}])json");
  CHECK(is_published_collectives(file.path()));
  const CollectiveTable table = read_published_collectives(file.path(), catalogue());
  REQUIRE(table.rows.size() == 2);
  CHECK(table.rows[0].group.nics == 4);
  CHECK(table.rows[0].group.nic.si() == 12.5e9);
  CHECK(table.rows[0].group.fabric == collectives::NetworkKind::efa);
  CHECK(table.rows[1].group.nodes == 2);  // one NVLink domain a rack
  // 8.6 GB at 800 GB/s of bus: 8.6e9 x 2 x 143/144 / 800e9 s.
  CHECK(table.rows[1].seconds == Approx(8.6e9 * 2.0 * 143.0 / 144.0 / 800e9));
  CHECK(table.skipped.size() == 3);
}

TEST_CASE("A fit of collectives recovers the times that made the data, and repeats itself") {
  collectives::TimingConstants truth;
  truth.floor = 6.0;
  truth.ll_step = 1.1;
  truth.simple_share = 0.7;
  std::vector<MeasuredCollective> rows;
  for (const int ranks : {2, 4, 8}) {
    for (const auto collective : {collectives::Collective::all_gather, collectives::Collective::all_reduce,
                                  collectives::Collective::all_to_all}) {
      for (double bytes = 512.0; bytes < 6e8; bytes *= 2.0) {
        MeasuredCollective row;
        row.group = collectives::one_node(collectives::Architecture::sm80, ranks);
        row.group.version = "1.0";
        row.operation = {collective, Bytes(bytes)};
        row.gpu = "made up";
        row.setup = "nccl-1.0";
        row.seconds =
            1e-6 * collectives::time_of(truth, {}, row.group, row.operation, choose(row.group, row.operation))
                       .total();
        rows.push_back(row);
      }
    }
  }
  CollectiveFitOptions options;
  options.evaluations = 6000;
  const auto found = fit_architecture(collectives::Architecture::sm80, rows, options);
  REQUIRE(found.versions.size() == 1);
  CHECK(found.versions[0].ll128);
  CHECK(found.versions[0].error.rows > 20);
  CHECK(found.versions[0].error.median < 0.01);
  CHECK(found.versions[0].time.ll_step == Approx(1.1).epsilon(0.1));
  CHECK(json::dump(json::write(fit_architecture(collectives::Architecture::sm80, rows, options))) ==
        json::dump(json::write(found)));
}

TEST_CASE("Held-out errors of collectives on measured tables") {
  const fs::path root = fs::path(GPUPLAN_SOURCE_DIR) / ".." / "shared" / "data";
  if (!fs::exists(root / "kernels")) {
    WARN("skipped: no measured tables of collectives beside the source tree");
    return;
  }
  std::map<std::string, CollectiveTable> tables;
  std::map<std::string, std::vector<ValidationRow>> all;
  for (const Gate& gate : kGates) {
    if (!tables.contains(gate.gpu)) {
      tables[gate.gpu] = read_collective_table((root / "kernels" / gate.gpu / "collectives.csv.gz").string(),
                                               *catalogue().gpu(gate.gpu));
    }
    CollectiveTable chosen;
    for (const MeasuredCollective& row : tables[gate.gpu].rows) {
      const double bytes = row.operation.bytes.si();
      if (held_out(row) && row.setup.starts_with(gate.setup) &&
          json::name_of(row.operation.collective) == gate.collective && bytes >= 256.0 && bytes <= 5.4e8) {
        chosen.rows.push_back(row);
      }
    }
    const ValidationRows rows = validate_collectives(chosen, shipped());
    auto& pooled = all[gate.gpu];
    pooled.insert(pooled.end(), rows.rows.begin(), rows.rows.end());
    const ErrorStatistics e = statistics_of(rows.rows);
    INFO(gate.gpu << " " << gate.collective << " " << gate.setup << ": " << e.count << " rows, median "
                  << e.median << ", p90 " << e.p90 << ", bias " << e.bias);
    CHECK(e.count > 2);
    CHECK(e.median <= gate.median);
    CHECK(e.p90 <= gate.p90);
  }
  for (const auto& [gpu, rows] : all) {
    const ErrorStatistics e = statistics_of(rows);
    INFO(gpu << ": " << e.count << " rows, median " << e.median << ", p90 " << e.p90 << ", bias " << e.bias
             << ", coverage " << e.coverage80);
    CHECK(e.median <= 0.08);
    CHECK(e.p90 <= 0.25);
    CHECK(std::abs(e.bias) <= 0.02);
    CHECK(e.coverage80 >= 0.75);
    CHECK(e.coverage80 <= 0.9);
  }
}

TEST_CASE("The shipped constants of A100 are those that the fit finds") {
  const fs::path table = fs::path(GPUPLAN_SOURCE_DIR) / ".." / "shared" / "data" / "kernels" /
                         "a100-sxm-80gb" / "collectives.csv.gz";
  if (!fs::exists(table)) {
    WARN("skipped: no measured table of collectives beside the source tree");
    return;
  }
  const CollectiveTable rows = read_collective_table(table.string(), *catalogue().gpu("a100-sxm-80gb"));
  const collectives::ArchitectureProfile& expected =
      shipped().profiles().architecture(collectives::Architecture::sm80);
  CollectiveFitOptions options;
  options.source = expected.source;
  const auto found = fit_architecture(collectives::Architecture::sm80, rows.rows, options);
  CHECK(json::dump(json::write(found)) == json::dump(json::write(expected)));
}

TEST_CASE("Published runs over several nodes") {
  const fs::path path =
      fs::path(GPUPLAN_SOURCE_DIR) / ".." / "shared" / "data" / "training" / "collectives_measured.json";
  if (!fs::exists(path)) {
    WARN("skipped: no published runs beside the source tree");
    return;
  }
  CollectiveTable table = read_published_collectives(path.string(), catalogue());
  std::erase_if(table.rows, [](const MeasuredCollective& row) { return row.group.nodes == 1; });
  const ErrorStatistics e = statistics_of(validate_collectives(table, shipped()).rows);
  INFO(e.count << " rows, median " << e.median << ", p90 " << e.p90 << ", bias " << e.bias);
  CHECK(e.count >= 80);
  CHECK(e.median <= 0.045);
  CHECK(e.p90 <= 0.18);
  CHECK(std::abs(e.bias) <= 0.02);
}
