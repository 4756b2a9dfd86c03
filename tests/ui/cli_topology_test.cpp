// gpuplan topology as a user runs it.
#include "tests/ui/cli_testing.h"

TEST_CASE("cli: topology prints a node, a cluster and a scenario's machine", "[cli]") {
  const Answer node = gpuplan_command("topology dgx-h100");
  CHECK(node.code == 0);
  CHECK(node.out.find("GPU0  X     NV18") != std::string::npos);
  CHECK(node.out.find("note       assumed, not measured: ") != std::string::npos);
  CHECK(node.err.empty());

  const std::string cluster = sandbox().file(
      "cluster.json",
      R"({"node": "DGX-H100", "nodes": 4, "fabric": {"kind": "fat_tree", "oversubscription": 2}})");
  const std::string svg = (sandbox().dir / "t.svg").string(), dot = (sandbox().dir / "t.dot").string();
  const Answer cut =
      gpuplan_command("topology " + cluster + " --cut node0:node1 --json --svg " + svg + " --dot " + dot);
  REQUIRE(cut.code == 0);
  const Value json = gpuplan::json::parse(cut.out, "answer");
  // 8 NICs of 50 GB/s x 0.994.
  CHECK(json.find("cut")->find("bandwidth")->number() == Approx(8 * 50e9 * 0.994));
  CHECK(json.find("cut")->find("links")->array().size() == 8);
  CHECK(json.find("devices")->find("gpu")->integer() == 32);
  CHECK(slurp(svg).rfind("<svg", 0) == 0);
  CHECK(slurp(dot).rfind("graph topology", 0) == 0);
  CHECK(gpuplan_command("topology " + cluster + " --nodes 8 --json").out.find("\"gpu\": 64") !=
        std::string::npos);

  const Answer scenario = gpuplan_command("topology " + kScenario + " --json");
  REQUIRE(scenario.code == 0);
  CHECK(gpuplan::json::parse(scenario.out, "answer").find("devices")->find("gpu")->integer() == 8);
}

TEST_CASE("cli: topology names mistakes", "[cli]") {
  const Answer name = gpuplan_command("topology DGX-H10");
  CHECK(name.code == 3);
  CHECK(name.err.find("did you mean DGX-H100") != std::string::npos);
  CHECK(gpuplan_command("topology").code == 2);
  CHECK(gpuplan_command("topology DGX-H100 --nodes 0").code == 2);
  CHECK(gpuplan_command("topology DGX-H100 --cut gpu0").code == 2);
  const Answer twice = gpuplan_command("topology DGX-H100 --cut gpu0-3:gpu3-7");
  CHECK(twice.code == 3);
  CHECK(twice.err.find("found node0/gpu3 on both sides") != std::string::npos);
  CHECK(gpuplan_command("topology DGX-H100 --svg /nowhere/t.svg").code == 3);
  const std::string wrong =
      sandbox().file("wrong.json", R"({"node": "DGX-H100", "fabric": {"kind": "fat_tee"}})");
  const Answer file = gpuplan_command("topology " + wrong);
  CHECK(file.code == 3);
  CHECK(file.err.find("wrong.json: $.fabric.kind: found \"fat_tee\"") != std::string::npos);
  CHECK(file.err.find("did you mean fat_tree?") != std::string::npos);
}

TEST_CASE("cli: topology reads files of NCCL and nvidia-smi", "[cli]") {
  const Answer xml = gpuplan_command("topology tests/fuzz/corpus/topology/pairs.xml --cut gpu0-1:gpu2-3");
  CHECK(xml.code == 0);
  CHECK(xml.out.find("GPU0  X     NV12  SYS   SYS   PIX\n") != std::string::npos);
  CHECK(xml.out.find("31.0 GB/s each way") != std::string::npos);
  const Answer matrix = gpuplan_command("topology tests/fuzz/corpus/topology/switch.txt");
  CHECK(matrix.code == 0);
  CHECK(matrix.out.find("note       bandwidths are assumed") != std::string::npos);
  CHECK(gpuplan_command("topology tests/fuzz/corpus/topology/pairs.xml --nodes 2").code == 2);
  const std::string wrong = sandbox().file("wrong.txt", "\tGPU0\tGPU1\nGPU0\tX\tNV12\nGPU1\tSYS\tX\n");
  const Answer asymmetric = gpuplan_command("topology " + wrong);
  CHECK(asymmetric.code == 3);
  CHECK(asymmetric.err.find("wrong.txt:3: found SYS for GPU1 and GPU0") != std::string::npos);
}
