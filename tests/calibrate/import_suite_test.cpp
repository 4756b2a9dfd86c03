// Our own formats: the JSON of calibrate/bench, written by its own writer, and measurement lines.
#include <cmath>
#include <sstream>

#include "calibrate/bench/host/report.h"
#include "tests/calibrate/import_testing.h"

using namespace gpuplan;
using namespace gpuplan::calibrate;
using gpubench::Fields;

namespace {

gpubench::Report report() {
  gpubench::Report r;
  r.mode = "quick";
  r.date = "2026-01-02T03:04:05Z";
  r.device.add("name", "NVIDIA H200").add("sm_count", 132);
  return r;
}

void add(gpubench::Report& r, const char* bench, Fields params, const char* unit, double median, double p10,
         double p90) {
  gpubench::Summary summary{};
  summary.median = median;
  summary.p10 = p10;
  summary.p90 = p90;
  summary.repeats = 5;
  r.records.push_back({bench, std::move(params), unit, summary});
}

std::string text_of(const gpubench::Report& r) {
  std::ostringstream out;
  write_report(out, r);
  return out.str();
}

}  // namespace

TEST_CASE("Import: records of the bench suite, as its writer writes them") {
  gpubench::Report r = report();
  add(r, "gemm", Fields().add("dtype", "bf16").add("m", 16).add("n", 4096).add("k", 8192).add("buffers", 6),
      "s", 2e-5, 1.9e-5, 2.2e-5);
  add(r, "attention_prefill",
      Fields()
          .add("kernel", "naive")
          .add("batch", 1)
          .add("heads", 8)
          .add("kv_heads", 2)
          .add("seq", 512)
          .add("head_dim", 64)
          .add("causal", true)
          .add("dtype", "bf16"),
      "s", 1e-3, 1e-3, 1e-3);
  add(r, "launch_graph", Fields().add("blocks", 1).add("threads", 128).add("kernels", 500), "s", 1e-6, 1e-6,
      1e-6);
  add(r, "pcie_copy_and_wait",
      Fields().add("direction", "host_to_device").add("memory", "pinned").add("bytes", 64), "s", 9e-6, 9e-6,
      9e-6);
  add(r, "shared_load", Fields().add("warps", 1).add("stride_bytes", 8), "cycles", 2, 2, 2);
  add(r, "tensor_sustained_power", Fields().add("dtype", "bf16"), "W", NAN, NAN, NAN);  // written as null
  gpubench::SectionResult cut;
  cut.name = "gemm";
  cut.cut = {"one point", "another"};
  cut.unsupported = {"a third"};
  r.sections.push_back(cut);

  const ImportedFile file = read_measurements(text_of(r), "dir/h200.json");
  CHECK(file.format == "gpuplan-bench");
  REQUIRE(file.rows.size() == 5);
  const Measurement& gemm = file.rows[0];
  CHECK(gemm.id == "h200.json:$.records[0]");
  CHECK(gemm.source == "gpuplan-bench quick");
  CHECK(gemm.gpu == "NVIDIA H200");
  CHECK(gemm.family == "gemm");
  CHECK(json::dump(gemm.shape) == R"({"dtype":"bf16","m":16,"n":4096,"k":8192})");  // no buffers
  CHECK(gemm.unit == "s");
  CHECK(gemm.value == 2e-5);
  REQUIRE(gemm.spread);
  CHECK(gemm.spread->p10 == 1.9e-5);
  CHECK(gemm.spread->p90 == 2.2e-5);
  CHECK(file.rows[1].family == "attention_standard");
  CHECK(file.rows[1].flag("causal"));
  CHECK(file.rows[2].family == "launch");
  CHECK(file.rows[2].text("issue") == "graph");
  CHECK(file.rows[3].family == "host_copy");
  CHECK(file.rows[3].flag("waited"));
  CHECK(file.rows[4].family == "shared_load");
  CHECK(number_of(file.rows[4], "stride_bytes") == 8);
  CHECK(file.skipped.at("no value (null)") == 1);
  CHECK(file.skipped.at("not measured: the suite's time was up") == 2);
  CHECK(file.skipped.at("not measured: the GPU or a library cannot do it") == 1);
  CHECK(file.notes.empty());
}

TEST_CASE("Import: a suite that failed is said to have failed") {
  gpubench::Report r = report();
  add(r, "latency", Fields().add("footprint_bytes", 16384), "s", 2e-8, 2e-8, 2e-8);
  gpubench::SectionResult broken;
  broken.name = "pcie";
  broken.error = "out of memory";
  r.sections.push_back(broken);
  const ImportedFile file = read_measurements(text_of(r), "f");
  REQUIRE(file.notes.size() == 2);
  CHECK(contains(file.notes[0], "did not pass"));
  CHECK(file.notes[1] == "section pcie broke off: out of memory");
}

TEST_CASE("Import: every mistake of a suite's file is named with its JSON path") {
  const std::string problem = problem_of(
      R"({"schema": 2, "suite": "gpuplan-bench", "device": {}, "records": [
        {"bench": "gemm", "params": {"dtype": "bf16", "m": 1, "n": 2}, "unit": "s", "median": 1},
        {"bench": "gemm", "params": {"dtype": "bf16", "m": 1, "n": 2, "k": 3}, "unit": "s", "median": -1},
        {"bench": 7, "params": [], "unit": "s", "median": 1}]})",
      "s.json");
  CHECK(contains(problem, "s.json: $.schema: found 2; expected 1"));
  CHECK(contains(problem, "s.json: $.device.name: found nothing; expected a string"));
  CHECK(contains(problem, "s.json: $.records[0].params.k: found nothing"));
  CHECK(contains(problem, "s.json: $.records[1].median: found -1; expected a number >= 0, or null"));
  CHECK(contains(problem, "s.json: $.records[2].bench: found 7; expected a string"));
  CHECK(contains(problem, "s.json: $.records[2].params: found an array; expected an object"));
  // Cut off anywhere it is damaged JSON, never a crash and never half of a file.
  gpubench::Report r = report();
  add(r, "latency", Fields().add("footprint_bytes", 16384), "s", 2e-8, 2e-8, 2e-8);
  const std::string whole = text_of(r);
  for (std::size_t size = 0; size + 2 < whole.size(); size += 7) {
    CHECK(problem_of(whole.substr(0, size)) != "no problem");
  }
}

TEST_CASE("Import: measurement lines come back as they were written") {
  Measurement m;
  m.id = "x:1";
  m.source = "made up";
  m.gpu = "H200-SXM-141GB";
  m.family = "host_copy";
  m.shape = json::Object{{"direction", "host_to_device"}, {"memory", "pinned"}};
  m.unit = "B/s";
  m.value = 55e9;
  m.spread = Spread{54e9, 56e9};
  const std::string line = json::dump(to_json(m));
  const ImportedFile file = read_measurements("# a comment\n\n" + line + "\r\n" + line, "rows.jsonl");
  CHECK(file.format == "measurements");
  REQUIRE(file.rows.size() == 2);
  CHECK(json::dump(to_json(file.rows[0])) == line);
  CHECK(file.rows[1].where == "rows.jsonl:4 $.shape");

  const std::string problem = problem_of(
      line + "\n" + R"({"id": "", "source": "s", "gpu": "g", "family": "f", "shape": 1, "unit": "s",)" +
          R"( "value": 0, "spread": [1]})",
      "rows.jsonl");
  CHECK(contains(problem, "rows.jsonl:2 $.id: found \"\"; expected a string that is not empty"));
  CHECK(contains(problem, "rows.jsonl:2 $.shape: found 1; expected an object"));
  CHECK(contains(problem, "rows.jsonl:2 $.value: found 0; expected a number > 0"));
  CHECK(contains(problem, "rows.jsonl:2 $.spread: found an array; expected two numbers: p10 and p90"));
  const std::string swapped = problem_of(
      R"({"id": "i", "source": "s", "gpu": "g", "family": "f", "shape": {}, "unit": "s", "value": 2,)"
      R"( "spread": [3, 1]})",
      "rows.jsonl");
  CHECK(contains(swapped,
                 "rows.jsonl:1 $.spread: found an array; expected two numbers: p10 and p90, p10 <= p90"));
}

TEST_CASE("Import: a value that no number holds in SI units is refused") {
  const std::string head =
      "# nThread 1 nGpus 2\n#  size  count  type  redop  root  time  algbw  busbw #wrong\n";
  const std::string problem =
      problem_of(head + "  1024  256  float  sum  -1  1e-320  1.0  1.0  0\n", "f.txt");
  CHECK(contains(problem, "f.txt:3: found 0 s; expected a finite value above zero"));
}

TEST_CASE("Import: the order of a shape's fields does not matter, its values do") {
  Measurement a, b;
  a.family = b.family = "gemm";
  a.unit = b.unit = "s";
  a.shape = json::Object{{"m", 1}, {"n", 2}};
  b.shape = json::Object{{"n", 2}, {"m", 1}};
  CHECK(identity(a) == identity(b));
  b.shape["n"] = 3;
  CHECK(identity(a) != identity(b));
  b = a;
  b.unit = "cycles";
  CHECK(identity(a) != identity(b));
}

TEST_CASE("Import: shapes in a few words") {
  Measurement m;
  m.family = "host_copy";
  m.shape = json::Object{{"direction", "both"}, {"waited", true}, {"busy", false}, {"bytes", 1536}, {"m", 4}};
  CHECK(shape_text(m) == "both waited 1.5 KiB m4");
  m.shape = json::Object{};
  CHECK(shape_text(m) == "host_copy");
}

TEST_CASE("Import: what no format recognises is refused with what would be") {
  for (const std::string text : {"", "hello\n", "{}",
                                 "\x7f"
                                 "ELF\x02\x01",
                                 "gpus,bytes\n1,2\n"}) {
    const std::string problem = problem_of(text, "f.bin");
    CHECK(contains(problem, text.empty() ? "f.bin: found an empty file" : "f.bin: found no known format"));
    CHECK(contains(problem, "nccl-tests"));
  }
  CHECK(contains(
      problem_of(R"({"suite": "gpuplan-bench", "schema": 1, "device": {"name": "x"}, "records": []})"),
      "found no measurement"));
}
