// The command line as a user runs it: exit codes, messages, formats.
#include <array>
#include <cmath>
#include <cstdio>
#include <map>

#include "tests/ui/cli_testing.h"

namespace {

// Under sanitizers what takes twenty times as long, and is the same code over and over, is left out.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#else
constexpr bool kSanitized = false;
#endif

void run_library(bool training) {
  int count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(std::string(GPUPLAN_SOURCE_DIR) + "/scenarios")) {
    if (entry.path().extension() != ".json" ||
        (entry.path().parent_path().filename() == "training") != training) {
      continue;
    }
    const std::string kind = entry.path().parent_path().filename();
    const std::string command = kind == "profile" ? "diagnose " : "run ";
    const bool kernels = kind == "serving" || kind == "kernel";
    const bool searches = entry.path().filename().string().starts_with("fsdp-or-tensor");
    const Answer answer = gpuplan_command(command + entry.path().string() + (kernels ? " --kernels" : "") +
                                          (searches && kSanitized ? " --set vary=[]" : ""));
    INFO(entry.path() << "\n" << answer.err);
    CHECK(answer.code == 0);
    const auto [columns, line] = widest_line(answer.out);
    INFO(line);
    CHECK(columns <= 80);
    CHECK(answer.out.find('\033') == std::string::npos);  // no colour into a file
    ++count;
  }
  CHECK(count >= 6);
}

}  // namespace

TEST_CASE("every scenario of the library runs, within 80 columns") { run_library(false); }
TEST_CASE("every training scenario of the library runs, within 80 columns") { run_library(true); }

TEST_CASE("run --kernels adds the table of kernels, as text and in the JSON") {
  const Answer text = gpuplan_command("run " + kShort + "--quiet --kernels");
  CHECK(text.code == 0);
  const std::string plain = gpuplan_command("run " + kShort + "--quiet").out;
  REQUIRE(text.out.size() > plain.size());
  CHECK(text.out.substr(0, plain.size()) == plain);  // after the report
  const std::string table = text.out.substr(plain.size());
  for (const char* word : {"kernel ", "calls", "time%", "SM%", "HBM%", "L2%", "occ.%", "limiter",
                           "gate_up_proj", "decode_attention", "total"}) {
    INFO(word);
    CHECK(table.find(word) != std::string::npos);
  }
  CHECK(widest_line(table).first <= 80);
  const Value with = gpuplan::json::parse(gpuplan_command("run " + kShort + "--json --kernels").out, "out");
  const Value without = gpuplan::json::parse(gpuplan_command("run " + kShort + "--json").out, "out");
  CHECK(without.find("kernels") == nullptr);
  CHECK(*with.find("metrics") == *without.find("metrics"));
  REQUIRE(with.find("kernels") != nullptr);
  double shares = 0.0;
  for (const Value& kernel : with.find("kernels")->array()) {
    shares += kernel.find("share")->number();
    CHECK(kernel.find("hbm_share_of_peak")->number() <= 1.0);
    CHECK(kernel.find("sm_share_of_peak")->number() <= 1.0);
    CHECK(kernel.find("occupancy")->number() <= 1.0);
  }
  CHECK(shares == Approx(1.0));
}

TEST_CASE("run --kernels of a kernel scenario: a table for each GPU, within 80 columns") {
  const std::string path = sandbox().file("kernels.json", R"({"schema": 1, "kind": "kernel", "name": "k",
    "machine": {"gpu": ["H100-SXM5-80GB", "A100-80GB-SXM4"]}, "kernels": [
    {"op": "gemm", "m": [16, 4096], "n": 4096, "k": 4096, "count": 10},
    {"op": "copy", "bytes": 1e6}]})");
  const Answer text = gpuplan_command("run --kernels " + path);
  INFO(text.err);
  REQUIRE(text.code == 0);
  const std::string tables = text.out.substr(text.out.find("kernels  H100-SXM5-80GB"));
  CHECK(tables.find("kernels  A100-80GB-SXM4") != std::string::npos);
  CHECK(tables.find("occ.%") != std::string::npos);
  const Value out = gpuplan::json::parse(gpuplan_command("run --json --kernels " + path).out, "out");
  REQUIRE(out.find("kernels") != nullptr);
  REQUIRE(out.find("kernels")->array().size() == 6);
  int known = 0;
  for (const Value& kernel : out.find("kernels")->array()) {
    INFO(kernel.find("name")->string());
    const bool gemm = kernel.find("name")->string().find("gemm") != std::string::npos;
    CHECK(kernel.find("calls")->number() == (gemm ? 10.0 : 1.0));
    CHECK(kernel.find("occupancy")->is_null() != gemm);  // a copy from the host takes no SM
    known += kernel.find("gpu")->string() == "A100-80GB-SXM4" ? 1 : 0;
  }
  CHECK(known == 3);
  CHECK(gpuplan_command("run --json " + path).out.find("\"limited_share\"") == std::string::npos);
}

TEST_CASE("a closed loop ends after its duration") {
  const Answer answer = gpuplan_command("run " + kScenario +
                                        " --json --quiet --set traffic.arrivals.process=closed_loop --set "
                                        "traffic.arrivals.concurrency=4 --set traffic.duration=20 --set "
                                        "traffic.warmup_requests=0");
  INFO(answer.err);
  REQUIRE(answer.code == 0);
  const Value out = gpuplan::json::parse(answer.out, "out");
  // Four users for 20 s, at 1 to 3 s a request (200 tokens of 10 ms or more each).
  const double completed = out.find("metrics")->find("serving.completed")->number();
  CHECK(completed > 12);
  CHECK(completed < 60);
}

TEST_CASE("the same scenario and seed give the same bytes, another seed does not") {
  const Answer one = gpuplan_command("run --json " + kShort);
  const Answer two = gpuplan_command("run --json " + kShort);
  const Answer other = gpuplan_command("run --json --seed 2 " + kShort);
  REQUIRE(one.code == 0);
  CHECK(one.out == two.out);
  CHECK(one.out != other.out);
}

TEST_CASE("the JSON has the contract's names") {
  const Answer answer = gpuplan_command("run --json " + kShort);
  REQUIRE(answer.code == 0);
  const Value result = gpuplan::json::parse(answer.out, "result");
  for (const char* key :
       {"schema", "scenario", "metrics", "provenance", "uncertainty", "bottlenecks", "warnings"}) {
    CHECK(result.find(key) != nullptr);
  }
  const Value* metrics = result.find("metrics");
  for (const char* stem : {"serving.ttft", "serving.tpot", "serving.itl", "serving.e2e"}) {
    for (const char* which : {".mean", ".p50", ".p90", ".p95", ".p99"}) {
      CHECK(metrics->find(std::string(stem) + which) != nullptr);
    }
  }
  for (const char* name : {"serving.output_tokens_per_s",
                           "serving.output_tokens_per_s_per_gpu",
                           "serving.total_tokens_per_s",
                           "serving.requests_per_s",
                           "serving.goodput_requests_per_s",
                           "serving.slo_attainment",
                           "serving.completed",
                           "serving.preemptions",
                           "serving.kv_blocks",
                           "serving.kv_utilisation.mean",
                           "serving.kv_utilisation.max",
                           "serving.batch.mean",
                           "serving.prefix_hit_rate",
                           "serving.accepted_tokens_per_step",
                           "cost.usd_per_hour",
                           "cost.usd_per_million_tokens",
                           "cost.capex",
                           "cost.energy_per_token",
                           "power.mean",
                           "util.sm",
                           "util.hbm",
                           "util.nvlink",
                           "util.pcie",
                           "util.network",
                           "sim.events"}) {
    INFO(name);
    CHECK(metrics->find(name) != nullptr);
  }
}

TEST_CASE("a resolved scenario runs to the same metrics") {
  const Answer first = gpuplan_command("run --json " + kShort);
  const Value result = gpuplan::json::parse(first.out, "result");
  const std::string path = sandbox().file("resolved.json", gpuplan::json::dump(*result.find("scenario")));
  const Answer second = gpuplan_command("run --json " + path);
  INFO(second.err);
  REQUIRE(second.code == 0);
  CHECK(gpuplan::json::dump(*gpuplan::json::parse(second.out, "r").find("metrics")) ==
        gpuplan::json::dump(*result.find("metrics")));
}

TEST_CASE("bad input: exit 3 and a line that names the place and the nearest choice") {
  const std::vector<std::array<std::string, 3>> cases = {
      {"--set machine.gpu=H10O-SXM", "$.machine.gpu", "H100-SXM5-80GB"},
      {"--set model=lama-2-13b", "$.model", "llama-2-13b"},
      {"--set machine.gpus=-4", "$.machine.gpus", "whole number"},
      {"--set machine.gpus=two", "$.machine.gpus", "whole number"},
      {"--set traffic.arrivals.rate=-1", "$.traffic.arrivals.rate", "number > 0"},
      {"--set traffic.arrivals.rate=NaN", "$.traffic.arrivals.rate", "number > 0"},
      {"--set parallelism.tensor_parallel=3", "$.parallelism.tensor_parallel", "40 attention heads"},
      {"--set engine.max_num_seq=4", "$.engine.max_num_seq", "max_num_seqs"},
      {"--set engine.policy=fifo", "$.engine.policy", "fcfs"},
      {"--set engine.scheduler=vllm_v2", "$.engine.scheduler", "vllm_v1"},
      {"--set precision.weights=fp6", "$.precision.weights", "fp8"},
      {"--set traffic.trace=/nonexistent.csv", "nonexistent", "file"},
      {"--set kind=servng", "$.kind", "serving"},
      {"--set machine=null", "$.machine", "object"},
  };
  for (const auto& [options, place, hint] : cases) {
    const Answer answer = gpuplan_command("run " + kScenario + " " + options);
    INFO(options << "\n" << answer.err);
    CHECK(answer.code == 3);
    CHECK(answer.out.empty());
    CHECK(answer.err.find(place) != std::string::npos);
    CHECK(answer.err.find(hint) != std::string::npos);
  }
}

TEST_CASE("bad files: missing field, broken JSON, garbage, folders") {
  const auto refused = [](const std::string& path, const std::string& what) {
    const Answer answer = gpuplan_command("run " + path);
    INFO(path << "\n" << answer.err);
    CHECK(answer.code == 3);
    CHECK(answer.err.find(what) != std::string::npos);
    CHECK(answer.err.size() < 2000);
  };
  refused(sandbox().file(
              "missing.json",
              R"({"schema": 1, "kind": "serving", "name": "x", "machine": {}, "model": "llama-2-13b"})"),
          "$.traffic");
  refused(sandbox().file("cut.json", R"({"schema": 1, "kind": "serv)"), "cut.json");
  refused(sandbox().file("array.json", "[1, 2]"), "object");
  refused(sandbox().file("empty.json", ""), "empty.json");
  std::string garbage(10u << 20u, '\0');
  std::uint32_t state = 1;
  for (char& c : garbage) {
    state = state * 1664525u + 1013904223u;
    c = static_cast<char>(state >> 24u);
  }
  refused(sandbox().file("garbage.json", garbage), "garbage.json");
  refused("/", "/");
  refused("/nonexistent.json", "nonexistent");
}

TEST_CASE("bad traces name the line") {
  const auto refused = [](const std::string& text, const std::string& what) {
    const std::string path = sandbox().file("trace.csv", text);
    const Answer answer = gpuplan_command("run " + kScenario + " --set traffic.trace=" + path);
    INFO(text.substr(0, 200) << "\n" << answer.err);
    CHECK(answer.code == 3);
    CHECK(answer.err.find(what) != std::string::npos);
  };
  const std::string header = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
  const std::string good = "2023-11-16 18:15:46.6805900,374,44\n";
  refused("", "empty");
  refused(header, "trace.csv");
  refused(header + good + "2023-11-16 18:15:50.99", "trace.csv:3");
  refused(header + good + "2023-11-16 18:15:50.9951690,many,109\n", "trace.csv:3");
  refused(header + good + "2023-11-16 18:15:50.9951690,-5,109\n", "trace.csv:3");
}

TEST_CASE("a model that does not fit: exit 4, by how much, what would fit") {
  const Answer answer = gpuplan_command("run " + kScenario + " --set model=llama-3.1-70b");
  CHECK(answer.code == 4);
  CHECK(answer.out.find("short by") != std::string::npos);
  CHECK(answer.out.find("parallelism.tensor_parallel=2") != std::string::npos);
  const Answer as_json = gpuplan_command("run --json " + kScenario + " --set model=llama-3.1-70b");
  CHECK(as_json.code == 4);
  CHECK(gpuplan::json::parse(as_json.out, "misfit").find("does_not_fit") != nullptr);
}

TEST_CASE("wrong usage: exit 2 and a suggestion") {
  CHECK(gpuplan_command("rnu x").err.find("run") != std::string::npos);
  CHECK(gpuplan_command("rnu x").code == 2);
  CHECK(gpuplan_command("run --jsn " + kScenario).err.find("--json") != std::string::npos);
  CHECK(gpuplan_command("run --jsn " + kScenario).code == 2);
  CHECK(gpuplan_command("run").code == 2);
  CHECK(gpuplan_command("catalog gpu").code == 2);
}

TEST_CASE("a full disk is said") {
  if (!fs::exists("/dev/full")) {
    WARN("skipped: no /dev/full here");
    return;
  }
  const Answer trace = gpuplan_command("run " + kShort + " --trace /dev/full");
  CHECK(trace.code == 3);
  CHECK(trace.err.find("/dev/full") != std::string::npos);
  CHECK(gpuplan_command("run --json " + kShort, "/dev/full").code == 3);
  CHECK(gpuplan_command("run " + kShort + " --trace /nonexistent/t.json").code == 3);
}

TEST_CASE("the timeline is a valid Chrome trace") {
  const std::string path = (sandbox().dir / "timeline.json").string();
  REQUIRE(gpuplan_command("run " + kShort + " --trace " + path).code == 0);
  const Value trace = gpuplan::json::parse_file(path, 1u << 30u);
  const Value* events = trace.find("traceEvents");
  REQUIRE(events != nullptr);
  std::map<std::pair<std::int64_t, std::string>, int> open;
  std::map<std::int64_t, double> lane_end;
  int complete = 0;
  for (const Value& event : events->array()) {
    const std::string phase = event.find("ph")->string();
    CHECK(event.find("pid")->is_integer());
    if (phase == "X") {
      ++complete;
      REQUIRE(event.find("dur")->number() >= 0.0);
      double& end = lane_end[event.find("pid")->integer() * 10 + event.find("tid")->integer()];
      REQUIRE(event.find("ts")->number() >= end - 0.01);  // steps of a lane do not overlap
      end = event.find("ts")->number() + event.find("dur")->number();
    } else if (phase == "b" || phase == "e") {
      int& depth = open[{event.find("id")->integer(), event.find("name")->string()}];
      depth += phase == "b" ? 1 : -1;
      REQUIRE(depth >= 0);
    }
  }
  CHECK(complete > 100);
  for (const auto& [key, depth] : open) {
    CHECK(depth == 0);
  }
}

TEST_CASE("catalog, schema, explain and completion answer") {
  CHECK(gpuplan_command("catalog").code == 0);
  for (const char* section : {"gpus", "nodes", "fabrics", "models", "prices"}) {
    INFO(section);
    CHECK(gpuplan_command(std::string("catalog ") + section).code == 0);
    CHECK(gpuplan_command(std::string("catalog --json ") + section).code == 0);
  }
  CHECK(gpuplan_command("catalog gpus h100").out.find("datasheet") != std::string::npos);
  CHECK(gpuplan_command("catalog gpus H10O").code == 3);
  CHECK(gpuplan_command("catalog models llama-2-13b").out.find("13,015,864,320") != std::string::npos);
  const Answer schema = gpuplan_command("schema");
  CHECK(gpuplan::json::parse(schema.out, "schema").find("properties") != nullptr);
  const Answer explained = gpuplan_command("explain " + kShort + " serving.tpot.mean serving.kv_blocks");
  CHECK(explained.code == 0);
  CHECK(explained.out.find("qkv_proj") != std::string::npos);
  CHECK(explained.out.find("819200") != std::string::npos);
  CHECK(gpuplan_command("explain " + kShort + " serving.tpot.men").code == 3);
  CHECK(gpuplan_command("completion bash").out.find("complete -o filenames") != std::string::npos);
  CHECK(std::system(("'" + std::string(GPUPLAN_COMMAND) + "' completion bash | bash -n").c_str()) == 0);
}

TEST_CASE("an HF config is a model") {
  const std::string config = sandbox().file(
      "config.json",
      R"({"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 4096, "intermediate_size": 14336,
    "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8, "vocab_size": 128256, "max_position_embeddings": 8192, "tie_word_embeddings": false})");
  const Answer answer =
      gpuplan_command("run --json " + kShort + " --set 'model={\"hf_config\": \"" + config + "\"}'");
  INFO(answer.err);
  REQUIRE(answer.code == 0);
  // 8,030,261,248 parameters x 2 B.
  const Value result = gpuplan::json::parse(answer.out, "r");
  CHECK(result.find("metrics")->find("serving.memory.weights_per_gpu")->number() ==
        Approx(2.0 * 8030261248.0));
}

TEST_CASE("collective scenarios run and explain, the same on every run") {
  const std::string path = "scenarios/collective/all-reduce-8xh100.json";
  const Answer text = gpuplan_command("run " + path);
  CHECK(text.code == 0);
  CHECK(text.out.find("busbw") != std::string::npos);
  const Answer answer = gpuplan_command("run " + path + " --json");
  const Value result = gpuplan::json::parse(answer.out, "result");
  CHECK(result.find("metrics")->find("collective.all_reduce[bytes=1024].time")->number() > 0.0);
  CHECK(gpuplan_command("run " + path + " --json").out == answer.out);
  const Answer why = gpuplan_command("explain " + path + " 'all_reduce[bytes=67108864]'");
  CHECK(why.code == 0);
  CHECK(why.out.find("NCCL's estimates") != std::string::npos);
  CHECK(gpuplan_command("explain " + path + " all_redu[").code == 3);
  CHECK(gpuplan_command("run " + path + " --trace x.json").code == 2);
  CHECK(gpuplan_command("run " + path + " --set machine.nodes=0").code == 3);
}

TEST_CASE("collective scenarios of the library: 80 columns, the same on every run, explained") {
  int count = 0;
  for (const auto& entry :
       fs::directory_iterator(std::string(GPUPLAN_SOURCE_DIR) + "/scenarios/collective")) {
    const std::string path = entry.path().string();
    INFO(path);
    const Answer text = gpuplan_command("run " + path);
    CHECK(text.code == 0);
    std::istringstream lines(text.out);
    for (std::string line; std::getline(lines, line);) {
      INFO(line);
      // A code point is one column; bytes that continue one are none.
      CHECK(std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; }) <= 80);
    }
    const Answer answer = gpuplan_command("run " + path + " --json");
    CHECK(answer.code == 0);
    CHECK(gpuplan::json::parse(answer.out, "result").find("metrics")->object().size() > 0);
    CHECK(gpuplan_command("run " + path + " --json").out == answer.out);
    ++count;
  }
  CHECK(count >= 15);
  const Answer why = gpuplan_command(
      "explain scenarios/collective/64-gpus-five-networks.json 'one NIC 400G: data parallel'");
  CHECK(why.code == 0);
  CHECK(why.out.find("exposed max(0, ") != std::string::npos);
  CHECK(why.out.find("NCCL's estimates") != std::string::npos);
  // A size that no chunk divides: 1,000,003 B on 8 GPUs are padded to whole 16 B.
  const Answer padded =
      gpuplan_command("explain scenarios/collective/ring-all-reduce-by-hand.json --set 'bytes=[1000003]'");
  CHECK(padded.out.find("B of padding") != std::string::npos);
  CHECK(padded.out.find(" 0 B of padding") == std::string::npos);
}

TEST_CASE("kernel scenarios run, explain and validate against their schema") {
  const Value schema_value = gpuplan::json::parse(gpuplan_command("schema kernel").out, "schema");
  CHECK(schema_value.find("properties") != nullptr);
  int count = 0;
  for (const auto& entry : fs::directory_iterator(std::string(GPUPLAN_SOURCE_DIR) + "/scenarios/kernel")) {
    const std::string path = entry.path().string();
    INFO(path);
    const Answer text = gpuplan_command("run " + path);
    CHECK(text.code == 0);
    const Answer answer = gpuplan_command("run " + path + " --json");
    CHECK(answer.code == 0);
    const Value result = gpuplan::json::parse(answer.out, "result");
    CHECK(result.find("metrics")->find("kernel.time")->number() > 0.0);
    CHECK(result.find("table")->array().size() > 0);
    CHECK(gpuplan_command("run " + path + " --json").out == answer.out);
    ++count;
  }
  CHECK(count >= 8);

  const std::string sweep = "scenarios/kernel/fp8-vs-bf16.json";
  const Answer why = gpuplan_command("explain " + sweep + " 'bf16[m=16]'");
  CHECK(why.code == 0);
  CHECK(why.out.find("hbm_bandwidth") != std::string::npos);
  CHECK(why.out.find("roofline:") != std::string::npos);
  CHECK(gpuplan_command("explain " + sweep + " 'kernel.bf16[m=16].time'").out == why.out);
  const Answer unknown = gpuplan_command("explain " + sweep + " bf17");
  CHECK(unknown.code == 3);
  CHECK(unknown.err.find("bf16") != std::string::npos);
  CHECK(gpuplan_command("run " + sweep + " --trace x.json").code == 2);
  CHECK(gpuplan_command("run " + sweep + " --set machine.gpu=H10O").code == 3);
  // Nothing runs at all: exit 4, and the reason.
  const Answer refused = gpuplan_command(
      "run scenarios/kernel/attention-standard-vs-flash.json --set 'kernels=[{\"op\": "
      "\"standard_attention\", "
      "\"context\": 100000, \"heads\": 32}]' --set baseline=");
  CHECK(refused.code == 4);
  CHECK(refused.out.find("GB of memory") != std::string::npos);
}
