#include "calibrate/validate/kernel_tables.h"

#include <unistd.h>
#include <zlib.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>

#include "calibrate/fit/fit.h"
#include "calibrate/validate/table_reader.h"

using namespace gpuplan;
using namespace gpuplan::calibrate;

namespace {

namespace fs = std::filesystem;

// A directory of its own that is gone at the end of the test.
struct Folder {
  fs::path path;
  Folder()
      : path(fs::temp_directory_path() /
             ("gpuplan-kernel-tables-" + std::to_string(counter()++) + "-" + std::to_string(::getpid()))) {
    fs::create_directories(path);
  }
  ~Folder() { fs::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  static int& counter() {
    static int value = 0;
    return value;
  }
  [[nodiscard]] std::string write(const std::string& name, const std::string& text) const {
    fs::create_directories((path / name).parent_path());
    std::ofstream(path / name) << text;
    return (path / name).string();
  }
};

std::string problem_of(const std::string& path) {
  try {
    (void)read_kernel_table(path);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

const Catalogue& catalogue() {
  static const Catalogue loaded = Catalogue::load(GPUPLAN_SOURCE_DIR);
  return loaded;
}

constexpr const char* kGemm =
    "dtype,m,n,k,latency_us\nbfloat16,1,4096,4096,13.3\nfp8,8,4096,4096,16.9\nint4_wo,1,4096,4096,10.0\nfp6,"
    "1,1,1,1\n";

}  // namespace

TEST_CASE("A GEMM table becomes operations, unknown formats are counted") {
  const Folder folder;
  const KernelTable table = read_kernel_table(folder.write("gemm.csv", kGemm));
  CHECK(table.operation == KernelOperation::gemm);
  REQUIRE(table.rows.size() == 3);
  const auto& first = std::get<kernels::Gemm>(table.rows[0].operation);
  CHECK(first.m == 1);
  CHECK(first.n == 4096);
  CHECK(table.rows[0].seconds == Approx(13.3e-6));
  CHECK(table.rows[0].line == 2);
  const auto& int4 = std::get<kernels::Gemm>(table.rows[2].operation);
  CHECK(int4.activations == Precision::bf16);
  CHECK(int4.weights == Precision::int4);
  CHECK(table.skipped.at("dtype not modelled: fp6") == 1);
}

TEST_CASE("The header tells what a table is") {
  const Folder folder;
  const std::string prefill = folder.write("a.csv",
                                           "dtype,kv_dtype,batch,seq,heads,kv_heads,head_dim,window,latency_"
                                           "us\nbfloat16,fp8,2,1024,32,8,128,0,50\n");
  const std::string decode = folder.write("b.csv",
                                          "dtype,kv_dtype,batch,context,heads,kv_heads,head_dim,window,"
                                          "latency_us\nbfloat16,bfloat16,2,1024,32,8,128,0,12\n");
  const std::string moe =
      folder.write("c.csv",
                   "dtype,tokens,hidden,inter,topk,experts,tp,ep,distribution,latency_us\nbfloat16,64,4096,"
                   "14336,2,8,2,4,balanced,90\nbfloat16,64,4096,14336,2,8,2,4,power_law_1.2,95\nbfloat16,64,"
                   "4096,14336,2,8,2,4,uniform,95\n");
  const std::string collectives =
      folder.write("d.csv",
                   "library,collective,gpus,bytes,latency_us\nnccl-2.27,all_reduce,8,1024,16\nnccl-2.27,all_"
                   "gather,8,1024,10\ntrtllm-custom,all_reduce,4,1024,3\nmscclpp,all_reduce,4,1024,3\n");

  const KernelTable p = read_kernel_table(prefill);
  CHECK(p.operation == KernelOperation::attention_prefill);
  CHECK(std::get<kernels::AttentionPrefill>(p.rows.at(0).operation).kv == Precision::fp8);
  CHECK(p.rows[0].dtype == "bfloat16/fp8");
  CHECK(std::get<kernels::AttentionDecode>(read_kernel_table(decode).rows.at(0).operation).context == 1024.0);

  const KernelTable experts = read_kernel_table(moe);
  REQUIRE(experts.rows.size() == 2);
  const auto& even = std::get<kernels::GroupedExperts>(experts.rows[0].operation);
  CHECK(even.expert_ffn == 7168);
  CHECK(even.local_experts == 2);
  CHECK(even.touched == 2.0);
  const auto& skewed = std::get<kernels::GroupedExperts>(experts.rows[1].operation);
  CHECK(skewed.rank_load > 1.0);  // rank 0 is the most loaded of four
  CHECK(skewed.imbalance > 1.0);
  CHECK(experts.skipped.at("distribution not modelled: uniform") == 1);

  const KernelTable c = read_kernel_table(collectives);
  CHECK(c.operation == KernelOperation::collectives);
  CHECK(c.rows.empty());  // read_collective_table reads them
  CHECK(c.skipped.begin()->second == 4);
  CHECK(is_kernel_table(collectives));
  CHECK_FALSE(is_kernel_table(folder.write("e.csv", "id,source,gpu\n")));
  CHECK_FALSE(is_kernel_table((folder.path / "missing.csv").string()));
}

TEST_CASE("Mistakes are named by file and line") {
  const Folder folder;
  CHECK(problem_of(folder.write("n.csv", "dtype,m,n,k,latency_us\nbfloat16,1,2,3,4\nbfloat16,1,x,3,4\n"))
            .find("n.csv:3") != std::string::npos);
  CHECK(problem_of(folder.write("z.csv", "dtype,m,n,k,latency_us\nbfloat16,0,2,3,4\n")).find("z.csv:2") !=
        std::string::npos);
  CHECK(problem_of(folder.write("f.csv", "dtype,m,n,k,latency_us\nbfloat16,1,2,3\n")).find("4 fields") !=
        std::string::npos);
  CHECK(problem_of(folder.write("h.csv", "a,b\n1,2\n")).find("a, b") != std::string::npos);
  CHECK(problem_of(folder.write("q.csv", "dtype,m,n,k,latency_us\n\"bfloat16,1,2,3,4\n")).find("quote") !=
        std::string::npos);
  CHECK(problem_of(folder.write("d.csv", "m,m\n1,2\n")).find("twice") != std::string::npos);
  CHECK(problem_of(folder.write("empty.csv", "")).find("empty") != std::string::npos);
  CHECK(problem_of((folder.path / "missing.csv").string()).find("no readable file") != std::string::npos);
  CHECK(
      problem_of(folder.write("inf.csv", "dtype,m,n,k,latency_us\nbfloat16,1,2,3,inf\n")).find("inf.csv:2") !=
      std::string::npos);
}

TEST_CASE("Compressed tables read like plain ones, and damage is reported") {
  const Folder folder;
  const std::string path = (folder.path / "gemm.csv.gz").string();
  gzFile file = gzopen(path.c_str(), "wb");
  REQUIRE(file != nullptr);
  gzwrite(file, kGemm, static_cast<unsigned>(std::string(kGemm).size()));
  gzclose(file);
  CHECK(read_kernel_table(path).rows.size() == 3);
  fs::resize_file(path, fs::file_size(path) - 12);
  CHECK(problem_of(path).find("damaged") != std::string::npos);
}

TEST_CASE("Quoted fields, empty lines and carriage returns") {
  const Folder folder;
  TableReader table(folder.write("t.csv", "a,\"b, c\"\r\n\"x \"\"y\"\"\",1e3\r\n\r\n,2\n"));
  CHECK(table.columns().at(1) == "b, c");
  REQUIRE(table.next());
  CHECK(table.text(0) == "x \"y\"");
  CHECK(table.integer(1) == 1000);
  REQUIRE(table.next());
  CHECK(table.text(0).empty());
  CHECK(table.line() == 4);
  CHECK_FALSE(table.next());
  CHECK_THROWS_AS(table.required_column("z"), InputError);
}

TEST_CASE("Validation prices each row, the GPU comes from the folder or the option") {
  const Folder folder;
  const std::string path = folder.write("h200-sxm/gemm.csv", kGemm);
  CHECK(gpu_in_path(path) == "h200-sxm");
  KernelTableOptions options;
  options.catalogue = &catalogue();
  options.data_dir = GPUPLAN_SOURCE_DIR;
  const ValidationRows rows = validate_kernel_table(path, options);
  REQUIRE(rows.rows.size() == 3);
  CHECK(rows.rows[0].id == "h200-sxm/gemm.csv:2");
  CHECK(rows.rows[0].key.at("dtype") == "bfloat16");
  CHECK(rows.rows[0].predicted == Approx(13.3e-6).epsilon(0.2));
  CHECK(rows.rows[0].low80 < rows.rows[0].predicted);
  CHECK(rows.rows[0].high80 > rows.rows[0].predicted);
  CHECK(rows.skipped.at("dtype not modelled: fp6") == 1);

  options.gpu = "A100";
  CHECK(validate_kernel_table(path, options).rows[0].predicted > rows.rows[0].predicted);
  options.gpu = "H2000";
  CHECK_THROWS_AS(validate_kernel_table(path, options), InputError);
}

TEST_CASE("The split is stable, and keeps whole shapes back") {
  const SplitShares shares;
  std::map<FitShare, int> counts;
  for (std::int64_t n = 1; n <= 40; ++n) {
    MeasuredKernel first, second;
    first.operation = kernels::Gemm{.m = 1, .n = 64 * n, .k = 4096};
    second.operation = kernels::Gemm{.m = 2, .n = 64 * n, .k = 4096};
    CHECK((share_of(first, shares) == FitShare::unseen) == (share_of(second, shares) == FitShare::unseen));
    for (std::int64_t m = 1; m <= 50; ++m) {
      MeasuredKernel row;
      row.operation = kernels::Gemm{.m = m, .n = 64 * n, .k = 4096};
      ++counts[share_of(row, shares)];
    }
  }
  CHECK(counts[FitShare::held_out] > 300);
  CHECK(counts[FitShare::held_out] < 600);
  CHECK(counts[FitShare::unseen] > 50);
}

TEST_CASE("A fit recovers the constants that made the data") {
  const Gpu* gpu = catalogue().gpu("H100-SXM5-80GB");
  REQUIRE(gpu != nullptr);
  kernels::KernelProfile truth;
  truth.gemm[0].t0 = 6.0;
  truth.gemm[0].hbm_efficiency = 0.6;
  const kernels::KernelModel world(*gpu, truth);
  KernelTable table;
  for (const std::int64_t m : {1, 8, 32, 64, 128, 512, 1024, 4096}) {
    for (const std::int64_t n : {1024, 2048, 4096, 8192, 16384}) {
      for (const std::int64_t k : {1024, 4096, 16384}) {
        MeasuredKernel row;
        row.operation = kernels::Gemm{.m = m, .n = n, .k = k};
        row.dtype = "bfloat16";
        row.seconds = price(world, row).time.si();
        table.rows.push_back(row);
      }
    }
  }
  FitOptions options;
  options.evaluations = 1500;
  options.source = "made up";
  const kernels::KernelProfile found = fit(*gpu, std::span(&table, 1), {}, options);
  CHECK(found.gemm[0].error.median < 0.02);
  CHECK(found.gemm[0].error.unseen_median < 0.02);
  CHECK(found.gemm[0].hbm_efficiency == Approx(0.6).epsilon(0.1));
  CHECK(found.gpu == gpu->name);
  // And again, to the last digit.
  CHECK(json::dump(json::write(fit(*gpu, std::span(&table, 1), {}, options))) ==
        json::dump(json::write(found)));
}

namespace {

// Medians that the shipped profiles reach on rows that their fit did not see. They may only go down.
struct Gate {
  const char* gpu;
  const char* table;
  const char* dtype;  // as the table names it
  double median, p90;
};
constexpr Gate kGates[] = {
#include "kernel_gates.inc"
};

}  // namespace

TEST_CASE("Held-out errors of the shipped profiles on measured tables") {
  const fs::path root = fs::path(GPUPLAN_SOURCE_DIR) / ".." / "shared" / "data" / "kernels";
  if (!fs::exists(root)) {
    WARN("skipped: no measured kernel tables beside the source tree");
    return;
  }
  const SplitShares shares;
  std::map<std::pair<std::string, std::string>, KernelTable> tables;
  std::map<std::string, std::vector<ValidationRow>> unseen;  // by table, of shapes that set no spread
  for (const Gate& gate : kGates) {
    const auto key = std::pair<std::string, std::string>(gate.gpu, gate.table);
    const fs::path path = root / gate.gpu / (std::string(gate.table) + ".csv.gz");
    if (!tables.contains(key)) {
      tables[key] = read_kernel_table(path.string());
    }
    const Gpu* gpu = catalogue().gpu(gate.gpu);
    REQUIRE(gpu != nullptr);
    const kernels::KernelModel model = kernels::KernelModel::for_gpu(*gpu, GPUPLAN_SOURCE_DIR);
    std::vector<ValidationRow> rows;
    for (const MeasuredKernel& row : tables[key].rows) {
      const bool wanted =
          row.dtype.starts_with(gate.dtype) && (row.dtype == gate.dtype || std::string(gate.dtype) == "nccl");
      const FitShare share = share_of(row, shares);
      if (wanted && share != FitShare::train) {
        const kernels::Price p = price(model, row);
        const auto [low, high] = interval80(p);
        rows.push_back({"", {}, row.seconds, p.time.si(), low, high});
        if (share == FitShare::unseen && !sets_spread(row, shares)) {
          unseen[gate.table].push_back(rows.back());
        }
      }
    }
    std::vector<const ValidationRow*> held_out;
    for (const ValidationRow& row : rows) {
      held_out.push_back(&row);
    }
    const ErrorStatistics e = error_statistics(held_out);
    INFO(gate.gpu << " " << gate.table << " " << gate.dtype << ": " << e.count << " rows, median " << e.median
                  << ", p90 " << e.p90 << ", bias " << e.bias);
    CHECK(e.count > 4);
    CHECK(e.median <= gate.median);
    CHECK(e.p90 <= gate.p90);
    if (e.count > 200) {
      CHECK(std::abs(e.bias) <= 0.025);
    }
  }
  // The spread was set on other rows: those of shapes that neither it nor the fit saw must bear it out.
  for (const auto& [table, rows] : unseen) {
    std::vector<const ValidationRow*> pointers;
    for (const ValidationRow& row : rows) {
      pointers.push_back(&row);
    }
    const ErrorStatistics u = error_statistics(pointers);
    INFO(table << ", unseen shapes: " << u.count << " rows, coverage " << u.coverage80);
    CHECK(u.coverage80 >= 0.74);
    CHECK(u.coverage80 <= 0.93);
  }
}
