// Text of nccl-tests. The logs here are made up; only their columns are those of the tool.
#include "tests/calibrate/import_testing.h"

using namespace gpuplan;
using namespace gpuplan::calibrate;

namespace {

constexpr const char* kColumns =
    "#       size         count      type   redop    root     time   algbw   busbw #wrong     time   algbw   "
    "busbw #wrong\n";

// Header of a run over `gpus` GPUs on each of `hosts`.
std::string header(int gpus, const std::vector<std::string>& hosts, const std::string& name) {
  std::string out = "# nThread 1 nGpus " + std::to_string(gpus) + " minBytes 8 maxBytes 8 step: 2(factor)\n";
  out += "#\n# Using devices\n";
  int rank = 0;
  for (const std::string& host : hosts) {
    for (int i = 0; i < gpus; ++i) {
      out += "#  Rank  " + std::to_string(rank++) + " Group  0 Pid   77 on  " + host + " device  " +
             std::to_string(i) + " [0000:0f:00] " + name + "\n";
    }
  }
  return out;
}

}  // namespace

TEST_CASE("nccl-tests: both places of every row, in seconds") {
  const ImportedFile file =
      read_measurements(header(8, {"a"}, "NVIDIA H100 80GB HBM3") + kColumns +
                            "#        (B)    (elements)                               (us)  (GB/s)  (GB/s)\n"
                            "     1048576        262144     float     sum      -1    32.00   32.77   57.34   "
                            "   0    31.00   33.83 "
                            "  59.19    N/A\n"
                            "a:77:90 [3] NCCL INFO 8 coll channels\n"
                            "  4294967296    1073741824      half     sum      -1  1.2e+04  357.91  626.35   "
                            "   0    11999  357.94 "
                            "  626.40      0\n"
                            "# Out of bounds values : 0 OK\n",
                        "log/ar.txt");
  CHECK(file.format == "nccl-tests");
  REQUIRE(file.rows.size() == 4);
  // The header has 11 lines before the columns, one after: the first row is line 14.
  CHECK(file.rows[0].id == "ar.txt:14");
  CHECK(file.rows[0].gpu == "NVIDIA H100 80GB HBM3");
  CHECK(file.rows[0].family == "collective");
  CHECK(json::dump(file.rows[0].shape) == R"({"op":"all_reduce","ranks":8,"bytes":1048576})");
  CHECK(file.rows[0].value == Approx(32e-6));
  CHECK(file.rows[1].id == "ar.txt:14:in_place");
  CHECK(file.rows[1].value == Approx(31e-6));
  CHECK(file.rows[1].flag("in_place"));
  CHECK(file.rows[2].text("dtype") == "half");
  CHECK(file.rows[2].value == Approx(0.012));
  CHECK(file.skipped.empty());
}

TEST_CASE("nccl-tests: the collective is told by its name, or by its arithmetic") {
  const auto op = [](const std::string& text) { return read_measurements(text, "f").rows.at(0).text("op"); };
  const std::string devices = header(4, {"a"}, "X"), row = "  1024  256  float ";
  // all-reduce of 4: bus / algorithm bandwidth = 2 x 3 / 4 = 1.5; reduce-scatter 3 / 4.
  CHECK(op(devices + kColumns + row + "sum -1 10.0 100.0 150.0 0 10.0 100.0 150.0 0\n") == "all_reduce");
  CHECK(op(devices + kColumns + row + "sum -1 10.0 100.0 75.0 0 10.0 100.0 75.0 0\n") == "reduce_scatter");
  CHECK(op(devices + kColumns + row + "sum 0 10.0 100.0 100.0 0 10.0 100.0 100.0 0\n") == "reduce");
  CHECK(op(devices + kColumns + row + "none 0 10.0 100.0 100.0 0 10.0 100.0 100.0 0\n") == "broadcast");
  CHECK(op(devices + kColumns + row + "none -1 10.0 100.0 75.0 0 10.0 100.0 75.0 0\n") == "unnamed");
  CHECK(op(devices + kColumns + row + "sum -1 10.0 0.00 0.00 0 10.0 0.00 0.00 0\n") == "unnamed");
  // Names win over arithmetic: in the version that prints them, and on the command line before a run.
  const std::string data = std::string(kColumns) + row + "none -1 10.0 100.0 75.0 0 10.0 100.0 75.0 0\n";
  CHECK(op("# Collective test starting: alltoall_perf_mpi\n" + devices + data) == "all_to_all");
  CHECK(op("$ mpirun -np 4 ./build/all_gather_perf -b 8\n" + devices + data) == "all_gather");
  CHECK(op("./reduce_scatter_perf\n" + devices + data) == "reduce_scatter");
  CHECK(op("srun sendrecv_perf -g 4\n" + devices + data) == "send_receive");
}

TEST_CASE("nccl-tests: several runs in one file, each with its own columns, ranks and name") {
  const ImportedFile file = read_measurements(
      "# Collective test starting: all_reduce_perf\n" + header(2, {"a"}, "NVIDIA H200") + kColumns +
          "  1024  256  float  sum  -1  10.0  1.00  1.00  0  11.0  1.00  1.00  0\n"
          "# Collective test concluded: all_reduce_perf\n"
          "# Collective test starting: all_gather_perf\n" +
          header(2, {"a", "b"}, "NVIDIA H200") +
          "#  size  count  type  time  algbw  busbw  error  time  algbw  busbw  error\n"
          "  2048  128  float  20.0  1.00  0.75  0e+00  21.0  1.00  0.75  0e+00\n",
      "f");
  REQUIRE(file.rows.size() == 4);
  CHECK(json::dump(file.rows[0].shape) == R"({"op":"all_reduce","ranks":2,"bytes":1024})");
  CHECK(json::dump(file.rows[2].shape) == R"({"op":"all_gather","ranks":4,"bytes":2048,"nodes":2})");
  CHECK(file.rows[3].value == Approx(21e-6));
}

TEST_CASE("nccl-tests: figures that are no time of a collective are counted by reason") {
  const std::string start = "# nThread 2 nGpus 4 minBytes 8\n";
  const ImportedFile file = read_measurements(
      start + kColumns +
          "  0     0  float  sum  -1  10.0  0.00  0.00  0    10.0  0.00  0.00  0\n"
          "  1024  256  float  sum  -1  0.00  0.00  0.00  0    10.0  100.0  175.0  3\n"
          "  2048  512  float  sum  -1  20.0  100.0  175.0  0    20.0  100.0  175.0  0\n" +
          start +
          "# size count type redop root cputime algbw busbw #wrong cputime algbw busbw #wrong timestamp\n"
          "  2048  512  float  sum  -1  5.0  1.0  1.0  0  5.0  1.0  1.0  0  2026-01-02 03:04:05\n",
      "f");
  CHECK(file.skipped.at("a collective of 0 bytes") == 2);
  CHECK(file.skipped.at("a time of 0.00 us") == 1);
  CHECK(file.skipped.at("the collective's results were wrong") == 1);
  CHECK(file.skipped.at("CPU time of the call, not the collective's") == 2);
  REQUIRE(file.rows.size() == 2);
  CHECK(file.rows[0].count("ranks") == 8);  // 2 threads x 4 GPUs, no device listed
  CHECK(file.rows[0].gpu.empty());
  const ImportedFile unknown =
      read_measurements(std::string(kColumns) + "  8  2  float  sum  -1  9  1  1  0  9  1  1  0\n", "f");
  CHECK(unknown.rows.empty());
  CHECK(unknown.skipped.at("number of ranks not known") == 2);
}

TEST_CASE("nccl-tests: tags of mpirun, and GPUs of two kinds") {
  std::string log = header(1, {"a"}, "NVIDIA H100") + header(1, {"b"}, "NVIDIA H200") + kColumns +
                    "  8  2  float  sum  -1  9  1  1  0  9  1  1  0\n";
  log.erase(log.find("# nThread", 1),
            log.find("#  Rank", log.find("# nThread", 1)) - log.find("# nThread", 1));
  std::string tagged;
  for (std::size_t at = 0; at < log.size();) {
    const std::size_t end = log.find('\n', at) + 1;
    tagged += "[1,0]<stdout>:" + log.substr(at, end - at);
    at = end;
  }
  const ImportedFile file = read_measurements(tagged, "f");
  REQUIRE(file.rows.size() == 2);
  CHECK(number_of(file.rows[0], "ranks") == 2);
  REQUIRE(file.notes.size() == 1);
  CHECK(file.notes[0] == "ranks on GPUs of different kinds; taken as NVIDIA H100");
}

TEST_CASE("nccl-tests: damaged rows are named with their line") {
  const std::string start = "# nThread 1 nGpus 2\n" + std::string(kColumns);
  CHECK(contains(problem_of(start + "  1024  256  float  sum  -1  10.0  1.0\n", "l.txt"),
                 "l.txt:3: found 7 columns; expected 13"));
  CHECK(contains(
      problem_of(start + "  1024  256  float  sum  -1  fast  1.0  1.0  0  1.0  1.0  1.0  0\n", "l.txt"),
      "l.txt:3: found \"fast\" as time; expected a number >= 0"));
  CHECK(contains(problem_of("# nThread 0 nGpus 2\n", "l.txt"), "l.txt:1: found \"0\" as nThread"));
  CHECK(
      contains(problem_of("# size count type algbw busbw time\n", "l.txt"),
               "l.txt:1: found \"# size count type algbw busbw time\"; expected algbw and busbw after each"));
  CHECK(contains(problem_of("# nThread 1 nGpus 2\n", "l.txt"), "l.txt: found no measurement"));
}
