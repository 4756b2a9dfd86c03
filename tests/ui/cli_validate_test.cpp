// gpuplan validate and gpuplan calibrate as a user runs them.
#include "tests/ui/cli_testing.h"

TEST_CASE("validate: published figures, pairs of them, and a gate") {
  const Answer shipped = gpuplan_command("validate calibrate/measured/serving.jsonl --fail-above max=0.03");
  INFO(shipped.out << shipped.err);
  CHECK(shipped.code == 0);
  CHECK(gpuplan_command("validate calibrate/measured/serving.jsonl --fail-above max=0.0001").code == 1);
  const std::string pairs = sandbox().file(
      "pairs.json", R"([{"a": "vllm-pr-10511-llama-3-8b", "b": "vllm-pr-2031-llama-2-7b", "ratio": 0.27}])");
  const Answer judged = gpuplan_command("validate calibrate/measured/serving.jsonl --json --pairs " + pairs);
  const Value out = gpuplan::json::parse(judged.out, "out");
  CHECK(out.find("overall")->find("count")->integer() == 2);
  CHECK(out.find("pairs")->find("count")->integer() == 1);
  CHECK(out.find("pairs")->find("right_fraction")->number() == 1.0);
  // Single kernels too; of those never measured by us a large GEMM lies within 20 %.
  const Answer kernels =
      gpuplan_command("validate calibrate/measured/kernels.jsonl --fail-above max=0.2 --json");
  INFO(kernels.out << kernels.err);
  CHECK(kernels.code == 0);
  CHECK(gpuplan::json::parse(kernels.out, "out").find("overall")->find("count")->integer() == 5);
  // And training steps: images a second of ResNet-50 (V100 to H100) and ViT-g/14, 29 rows. Software of two
  // years lies 1.56 apart for one row: no constant closes that.
  const Answer steps = gpuplan_command(
      "validate calibrate/measured/training.jsonl --fail-above median=0.12 --fail-above p90=0.28 --json");
  INFO(steps.out << steps.err);
  CHECK(steps.code == 0);
  const Value figures = *gpuplan::json::parse(steps.out, "out").find("overall");
  CHECK(figures.find("count")->integer() == 29);
  CHECK(figures.find("coverage80")->number() >= 0.75);
  // What is wrong with a row is said at its line.
  const std::string rows =
      sandbox().file("rows.jsonl",
                     "# comment\n"
                     R"({"id": "a", "source": "s", "scenario": {}, "metric": "m", "value": -1})");
  const Answer bad = gpuplan_command("validate " + rows);
  CHECK(bad.code == 3);
  CHECK(bad.err.find("rows.jsonl:2 $.value") != std::string::npos);
}

TEST_CASE("validate --leave-one-out: kernels of a GPU as though nobody had measured it") {
  fs::create_directories(sandbox().dir / "h100-sxm");
  const std::string table = sandbox().file("h100-sxm/gemm.csv",
                                           "dtype,m,n,k,latency_us\n"
                                           "bfloat16,1,8192,8192,47\n"
                                           "bfloat16,512,512,512,6\n"
                                           "bfloat16,8192,8192,8192,1560\n"
                                           "fp8,8192,8192,8192,900\n");
  const auto rows = [](const std::string& arguments) {
    const Answer answer = gpuplan_command("validate --json " + arguments);
    INFO(answer.err);
    CHECK(answer.code == 0);
    return gpuplan::json::parse(answer.out, "out");
  };
  const auto predicted = [&](const std::string& arguments) {
    return rows("--where dtype=bfloat16 --where 'm>512' " + arguments)
        .find("worst")
        ->array()
        .front()
        .find("predicted")
        ->number();
  };
  CHECK(rows(table).find("overall")->find("count")->integer() == 4);
  CHECK(rows(table + " --where 'm>=512' --where 'k>=512' --where dtype=bfloat16")
            .find("overall")
            ->find("count")
            ->integer() == 2);
  // The option's value may be left out, before a file or at the end.
  const double gpu = predicted("--leave-one-out " + table);
  CHECK(gpu == predicted(table + " --leave-one-out"));
  CHECK(gpu == predicted("--leave-one-out gpu " + table));
  const double architecture = predicted("--leave-one-out architecture " + table);
  CHECK(gpu != predicted(table));
  CHECK(architecture != gpu);
  CHECK(std::abs(architecture / gpu - 1.0) < 0.25);
  CHECK(gpuplan_command("validate --leave-one-out calibrate/measured/serving.jsonl").code == 2);
  CHECK(gpuplan_command("validate " + table + " --where m").code == 2);
  CHECK(gpuplan_command("validate " + table + " --where 'm>many'").code == 2);
}

TEST_CASE("calibrate: a profile from a table, and clear words where that cannot be") {
  // A made-up GPU of 500 TFLOP/s and 3 TB/s with 4 us to start: the fit must find a model close to it.
  std::string table = "dtype,m,n,k,latency_us\n";
  for (const double m : {1, 16, 64, 256, 1024, 4096}) {
    for (const double n : {1024, 2048, 4096, 8192}) {
      for (const double k : {1024, 2048, 4096, 8192}) {
        const double compute = 2.0 * m * n * k / 500e12, stream = 2.0 * (m * k + k * n + m * n) / 3e12;
        table += "bfloat16," + std::to_string(static_cast<int>(m)) + "," +
                 std::to_string(static_cast<int>(n)) + "," + std::to_string(static_cast<int>(k)) + "," +
                 std::to_string(4.0 + 1e6 * std::max(compute, stream)) + "\n";
      }
    }
  }
  fs::create_directories(sandbox().dir / "tables");
  sandbox().file("tables/gemm.csv", table);
  const std::string data = (sandbox().dir / "tables").string(), out = (sandbox().dir / "p.json").string();
  const Answer fitted =
      gpuplan_command("calibrate fit --gpu H100-SXM5-80GB --data " + data + " --out " + out);
  INFO(fitted.err);
  REQUIRE(fitted.code == 0);
  CHECK(fitted.err.find("gemm bf16") != std::string::npos);
  const Value profile = gpuplan::json::parse_file(out);
  CHECK(profile.find("gpu")->string() == "H100-SXM5-80GB");
  const Value& error = *profile.find("gemm")->array()[0].find("error");
  CHECK(error.find("rows")->integer() > 5);
  CHECK(error.find("median")->number() < 0.1);
  const Answer gpu = gpuplan_command("calibrate fit --gpu H100SMX --data " + data + " --out " + out);
  CHECK(gpu.code == 3);
  CHECK(gpu.err.find("did you mean") != std::string::npos);
  CHECK(gpuplan_command("calibrate fit --gpu H200-SXM-141GB --data /nowhere --out " + out).code == 3);
  CHECK(
      gpuplan_command("calibrate fit --gpu H200-SXM-141GB --data " + data + " --out /nowhere/p.json").code ==
      3);
  CHECK(gpuplan_command("calibrate fit --gpu H200-SXM-141GB").code == 2);
  CHECK(gpuplan_command("calibrate").code == 2);
}

TEST_CASE("calibrate import: measurements of tools beside predictions, and of two tools beside each other") {
  const std::string corpus = "tests/fuzz/corpus/import/", out = (sandbox().dir / "rows.jsonl").string();
  const Answer text =
      gpuplan_command("calibrate import " + corpus + "suite.json " + corpus + "nccl.txt --out " + out);
  INFO(text.err);
  REQUIRE(text.code == 0);
  CHECK(text.out.find("nccl.txt over suite.json") != std::string::npos);
  CHECK(text.out.find("bf16 m16 n4096 k4096") != std::string::npos);
  CHECK(widest_line(text.out).first <= 80);
  // What it writes it reads again: the same rows.
  const auto rows_of = [](const std::string& files) {
    const Answer answer = gpuplan_command("calibrate import --json " + files);
    REQUIRE(answer.code == 0);
    return gpuplan::json::parse(answer.out, "out").find("rows")->array().size();
  };
  CHECK(rows_of(out) == rows_of(corpus + "suite.json " + corpus + "nccl.txt"));
  const Answer unknown = gpuplan_command("calibrate import README.md");
  CHECK(unknown.code == 3);
  CHECK(unknown.err.find("README.md: found no known format") != std::string::npos);
  CHECK(gpuplan_command("calibrate import").code == 2);
  CHECK(gpuplan_command("calibrate import --data . " + corpus + "nccl.txt").code == 2);
}

TEST_CASE("validate --op collectives: every collective of a table, or one by its name") {
  fs::create_directories(sandbox().dir / "h200-sxm");
  const std::string table = sandbox().file("h200-sxm/collectives.csv",
                                           "library,version,collective,dtype,gpus,bytes,latency_us\n"
                                           "nccl,2.27.3,all_reduce,half,8,536870912,2040\n"
                                           "nccl,2.27.3,all_gather,half,8,536870912,1390\n"
                                           "nccl,2.27.3,alltoall,half,8,536870912,1440\n");
  const auto rows = [&](const std::string& op) {
    const Answer answer = gpuplan_command("validate " + table + " --json --op " + op);
    INFO(answer.out << answer.err);
    return gpuplan::json::parse(answer.out, "out").find("overall")->find("count")->integer();
  };
  CHECK(rows("collectives") == 3);
  CHECK(rows("all_gather") == 1);
  CHECK(rows("gemm") == 0);
}
