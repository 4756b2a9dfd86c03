// gpuplan topology: what is printed and drawn.
#include <catch2/catch.hpp>
#include <regex>
#include <sstream>

#include "hwmodels/catalogue/catalogue.h"
#include "hwmodels/fabric/cluster.h"
#include "hwmodels/fabric/summary.h"
#include "ui/cli/terminal.h"
#include "ui/cli/topology_svg.h"
#include "ui/cli/topology_text.h"

using namespace gpuplan;
using namespace gpuplan::fabric;

namespace {

Topology built(const std::string& text) {
  static const Catalogue catalogue = Catalogue::load(GPUPLAN_SOURCE_DIR);
  return build_cluster(read_cluster(json::parse(text, "test"), catalogue, "$"), catalogue, "$");
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

const std::vector<std::string> kClusters = {
    R"({"node": "DGX-H100"})",
    R"({"node": "DGX-H100", "nodes": 9})",
    R"({"node": "p5", "nodes": 2, "fabric": {"kind": "single_switch"}})",
    R"({"node": "GB200-NVL72", "nodes": 4, "fabric": {"kind": "fat_tree"}})",
    R"({"node": "MI300X-OAM8"})",
    R"({"node": "4xA100-PCIe-NVLink", "nics": 1, "nodes": 3, "fabric": {"link": "HDR"}})",
    R"({"node": "DGX-A100", "nodes": 64, "fabric": {"kind": "dragonfly", "leaf_down": 4, "pod_leaves": 8}})",
};

}  // namespace

TEST_CASE("topology: text fits into 80 columns", "[topology]") {
  for (const std::string& cluster : kClusters) {
    INFO(cluster);
    const Topology t = built(cluster);
    const std::string text = cli::topology_text(t, "title", cli::NamedCut{"all", bisection(t)});
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      INFO(line);
      CHECK(cli::columns(line) <= 80);
    }
    CHECK(text.find("GPU0") != std::string::npos);
  }
}

TEST_CASE("topology: groups are named by node and device", "[topology]") {
  const Topology t = built(R"({"node": "DGX-H100", "nodes": 3})");
  const auto names = [&](const std::string& text) {
    std::string joined;
    for (const DeviceId id : parse_group(t, text, "--cut")) {
      joined += name_of(t.device(id)) + " ";
    }
    return joined;
  };
  CHECK(names("gpu0-1") == "node0/gpu0 node0/gpu1 ");
  CHECK(names("gpu9") == "node1/gpu1 ");  // counted over nodes
  CHECK(names("node1/nic7,node0/gpu3") == "node0/gpu3 node1/nic7 ");
  CHECK(parse_group(t, "node0-1", "--cut").size() == 16);
  CHECK(parse_group(t, "node1-2/gpu0-3", "--cut").size() == 8);
  const auto problem = [&](const std::string& text) {
    try {
      parse_group(t, text, "--cut");
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(problem("node3") == "--cut: found \"node3\"; expected nodes 0 to 2");
  CHECK(problem("gpu24") == "--cut: found \"gpu24\"; expected gpus 0 to 23");
  CHECK_THAT(problem("gpus0"), Catch::EndsWith("did you mean gpu?"));
  for (const char* text :
       {"", "gpu", "3", "gpu3-1", "gpu0-", "gpu0/node1", "node0/", "gpu0,,gpu1", "gpu99999999999"}) {
    INFO(text);
    CHECK_THAT(problem(text), Catch::StartsWith("--cut: found \"") && Catch::Contains("node1/gpu0-3"));
  }
}

TEST_CASE("topology: a drawing has a box for each device, and boxes of a row do not touch", "[topology]") {
  for (const std::string& cluster : kClusters) {
    INFO(cluster);
    const Topology t = built(cluster);
    const std::string svg = cli::topology_svg(t, "a < b & c");
    CHECK(svg.find("a &lt; b &amp; c") != std::string::npos);
    CHECK(svg.find("nan") == std::string::npos);
    // Boxes have rounded corners of 4, frames of 10.
    static const std::regex box(
        "<rect x=\"([-0-9.]+)\" y=\"([-0-9.]+)\" width=\"([-0-9.]+)\" height=\"[0-9.]+\" rx=\"4\"");
    std::map<double, std::vector<std::pair<double, double>>> rows;
    std::size_t boxes = 0;
    for (std::sregex_iterator it(svg.begin(), svg.end(), box), end; it != end; ++it) {
      const double x = std::stod((*it)[1]), width = std::stod((*it)[3]);
      REQUIRE(width > 4.0);
      rows[std::stod((*it)[2])].emplace_back(x, x + width);
      ++boxes;
    }
    for (auto& [y, spans] : rows) {
      std::sort(spans.begin(), spans.end());
      for (std::size_t i = 1; i < spans.size(); ++i) {
        CHECK(spans[i].first > spans[i - 1].second);
      }
    }
    if (t.node_count() == 1) {  // all but the host bridges
      CHECK(boxes == t.device_count() - static_cast<std::size_t>(device_count(t, DeviceKind::host_bridge)));
    }
    CHECK(count(svg, "<svg") == 1);
    CHECK(count(svg, "</svg>") == 1);
  }
}

TEST_CASE("topology: DOT has every device, and each link once", "[topology]") {
  const Topology t = built(kClusters[1]);
  const std::string dot = cli::topology_dot(t, "with \"quotes\"");
  CHECK(count(dot, "fillcolor=") == t.device_count());
  CHECK(count(dot, " -- ") == t.links().size() / 2);
  CHECK(dot.find("label=\"with \\\"quotes\\\"\"") != std::string::npos);
}
