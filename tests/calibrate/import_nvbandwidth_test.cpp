// Both outputs of nvbandwidth. The figures are made up; only the layout is the tool's.
#include "tests/calibrate/import_testing.h"

using namespace gpuplan;
using namespace gpuplan::calibrate;

namespace {

constexpr const char* kHead =
    "nvbandwidth Version: v0.8\nBuilt from Git version: abc\n\nCUDA Runtime Version: 12080\n"
    "Device 0: NVIDIA H200 (00000000:0f:00)\nDevice 1: NVIDIA H100 NVL (00000000:1f:00)\n\n";
constexpr const char* kHostToDevice =
    "Running host_to_device_memcpy_ce.\n"
    "memcpy CE CPU(row) -> GPU(column) bandwidth (GB/s)\n";

}  // namespace

TEST_CASE("nvbandwidth text: matrices become rows, an entry each") {
  const ImportedFile file = read_measurements(
      std::string(kHead) + kHostToDevice +
          "           0         1\n 0     55.25     25.50\n\nSUM host_to_device_memcpy_ce 80.75\n\n"
          "Running device_to_host_bidirectional_memcpy_ce.\n"
          "memcpy CE CPU(row) <-> GPU(column) bandwidth (GB/s)\n"
          "           0         1\n 0     40.00      0.00\nCOEFFICIENT_OF_VARIATION x 0.00\n"
          "Running device_to_device_memcpy_read_ce.\n"
          "memcpy CE GPU(row) -> GPU(column) bandwidth (GB/s)\n"
          "           0         1\n 0       N/A    390.00\n 1    391.00       N/A\n"
          "Running host_device_latency_sm.\n"
          "memory latency SM CPU(row) <-> GPU(column) (ns)\n"
          "           0\n 0    620.00\n"
          "Waived: \nRunning device_to_device_memcpy_write_ce.\nERROR: no peer\n"
          "Running device_local_copy.\nmemcpy local GPU(column) bandwidth (GB/s)\n 0\n 0   1900.0\n",
      "dir/bw.txt");
  CHECK(file.format == "nvbandwidth");
  REQUIRE(file.rows.size() == 7);
  const Measurement& first = file.rows[0];
  CHECK(first.id == "bw.txt:9[0,0]");  // the line that describes it
  CHECK(first.source == "nvbandwidth v0.8");
  CHECK(first.gpu == "NVIDIA H200");
  CHECK(first.family == "host_copy");
  CHECK(json::dump(first.shape) == R"({"direction":"host_to_device","memory":"pinned"})");
  CHECK(first.unit == "B/s");
  CHECK(first.value == Approx(55.25e9));
  CHECK(file.rows[1].gpu == "NVIDIA H100 NVL");
  CHECK(file.rows[2].text("direction") == "device_to_host");
  CHECK(file.rows[2].flag("other_way_busy"));
  CHECK(file.rows[3].family == "device_to_device_memcpy_read_ce");
  CHECK(json::dump(file.rows[3].shape) == R"({"from":0,"to":1})");
  CHECK(file.rows[4].value == Approx(391e9));
  CHECK(file.rows[5].family == "host_device_latency_sm");
  CHECK(file.rows[5].unit == "s");
  CHECK(file.rows[5].value == Approx(620e-9));
  CHECK(file.rows[6].family == "device_copy");
  CHECK(file.skipped.at("a value of zero") == 1);
  CHECK(file.skipped.at("a test that nvbandwidth waived") == 1);
  CHECK(file.skipped.at("a test without a result") == 1);
}

TEST_CASE("nvbandwidth text: processes of several hosts, and a log without devices") {
  const ImportedFile hosts = read_measurements("Process 0 (host-0): device 0: HGX GB200 (00000008:01:00)\n" +
                                                   std::string(kHostToDevice) + " 0\n 0 100.0\n",
                                               "f");
  CHECK(hosts.rows.at(0).gpu == "HGX GB200");
  const ImportedFile none = read_measurements(std::string(kHostToDevice) + " 0\n 0 100.0", "f");
  CHECK(none.rows.at(0).gpu.empty());
  CHECK(none.rows.at(0).source == "nvbandwidth");
}

TEST_CASE("nvbandwidth text: damaged matrices are named with their line") {
  const std::string start = kHostToDevice;
  CHECK(contains(problem_of(start + "   0   1\n 0  55.0\n", "b.txt"),
                 "b.txt:4: found 1 values in a row of the matrix; expected 2"));
  CHECK(contains(problem_of(start + "   0   1\n 0  55.0  fast\n", "b.txt"),
                 "b.txt:4: found \"fast\"; expected a number >= 0, or N/A"));
  CHECK(contains(problem_of(start + "   0   x\n", "b.txt"), "b.txt:3: found \"x\"; expected the numbers of"));
  CHECK(contains(problem_of(start + "\n 0 1\n", "b.txt"), "b.txt:3: found an empty line"));
  CHECK(contains(problem_of(start + " 0 1\n", "b.txt"), "found no row; expected the rows of the matrix"));
  CHECK(contains(problem_of(start, "b.txt"), "found no row"));
}

TEST_CASE("nvbandwidth JSON: values as text or numbers, with what has none counted") {
  const ImportedFile file = read_measurements(R"~({"nvbandwidth": {"version": "v0.8",
      "GPU Device list": ["0: NVIDIA H200 (00000000:0f:00)", "1: NVIDIA L40S (00000000:1f:00)"],
      "testcases": [
        {"name": "device_to_host_memcpy_ce", "status": "Passed", "sum": 110.5,
         "bandwidth_description": "memcpy CE CPU(row) <- GPU(column) bandwidth (GB/s)",
         "bandwidth_matrix": [["55.25", 24.5]]},
        {"name": "device_to_device_latency_sm", "status": "Passed",
         "bandwidth_description": "Device to Device Latency SM GPU(row) <-> GPU(column) (ns)",
         "bandwidth_matrix": [["N/A", "800.0"], ["801.0", "N/A"]]},
        {"name": "all_to_one_read_ce", "status": "Waived"},
        {"name": "one_to_all_read_ce", "status": "Error"}]}})~",
                                              "bw.json");
  CHECK(file.format == "nvbandwidth-json");
  REQUIRE(file.rows.size() == 4);
  CHECK(file.rows[0].id == "bw.json:$.nvbandwidth.testcases[0][0,0]");
  CHECK(file.rows[0].text("direction") == "device_to_host");
  CHECK(file.rows[0].value == Approx(55.25e9));
  CHECK(file.rows[1].value == Approx(24.5e9));
  CHECK(file.rows[1].gpu == "NVIDIA L40S");
  CHECK(file.rows[2].value == Approx(800e-9));
  CHECK(json::dump(file.rows[3].shape) == R"~({"from":1,"to":0})~");
  CHECK(file.skipped.at("a test that nvbandwidth waived") == 1);
  CHECK(file.skipped.at("a test without a result") == 1);
}

TEST_CASE("nvbandwidth JSON: mistakes are named with their path") {
  const auto test = [](const std::string& fields) {
    return problem_of(R"~({"nvbandwidth": {"testcases": [{"name": "device_local_copy", )~" + fields + "}]}}",
                      "b.json");
  };
  const std::string described = R"~("bandwidth_description": "x (GB/s)", )~";
  CHECK(contains(
      test(described + R"~("bandwidth_matrix": [["1", "fast"]])~"),
      "b.json: $.nvbandwidth.testcases[0].bandwidth_matrix[0][1]: found \"fast\"; expected a number"));
  CHECK(contains(test(described + R"~("bandwidth_matrix": [7])~"),
                 "b.json: $.nvbandwidth.testcases[0].bandwidth_matrix[0]: found 7; expected an array"));
  CHECK(contains(test(described + R"~("bandwidth_matrix": {})~"),
                 "found an object; expected an array of rows"));
  CHECK(contains(test(R"~("bandwidth_matrix": [])~"), "testcases[0].bandwidth_description: found nothing"));
  CHECK(contains(test(R"~("bandwidth_description": "furlongs", "bandwidth_matrix": [["1"]])~"),
                 "found \"furlongs\"; expected a description with its unit"));
  CHECK(contains(problem_of(R"~({"nvbandwidth": []})~", "b.json"), "b.json: $.nvbandwidth: found an array"));
  CHECK(contains(problem_of(R"~({"nvbandwidth": {"testcases": 1}})~", "b.json"),
                 "b.json: $.nvbandwidth.testcases: found 1; expected an array"));
}
