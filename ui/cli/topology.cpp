// gpuplan topology: how the GPUs of a node, cluster, scenario or machine reach each other, and where it is
// narrow.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "hwmodels/catalogue/catalogue.h"
#include "hwmodels/fabric/cluster.h"
#include "hwmodels/fabric/import/import.h"
#include "hwmodels/fabric/summary.h"
#include "ui/cli/command.h"
#include "ui/cli/topology_svg.h"
#include "ui/cli/topology_text.h"

namespace gpuplan::cli {

namespace po = boost::program_options;

namespace {

po::options_description described() {
  po::options_description options("options");
  auto add = options.add_options();
  add("nodes", po::value<int>(), "number of nodes (of a catalogue node or cluster file)");
  add("cut", po::value<std::string>(),
      "A:B: the narrowest place between two groups: node0:node1, gpu0-3:gpu4-7, node0/gpu0,node1/gpu0:node2");
  add("dot", po::value<std::string>(), "write the graph for Graphviz");
  add("svg", po::value<std::string>(), "write a drawing");
  add("json", "print JSON instead of text");
  add("help", "this text");
  return options;
}

struct Described {
  fabric::Topology topology;
  std::string title;
  std::vector<std::string> notes = {};
};

bool is_file(const std::string& name) { return std::ifstream(name).good(); }

std::string title_of(const fabric::Cluster& cluster) {
  const fabric::ClusterSpec& spec = cluster.spec;
  std::string title = spec.nodes > 1 ? fmt::format("{} x {}", spec.nodes, spec.node) : spec.node;
  title += " (" + spec.gpu + ")";
  if (spec.nodes > 1) {
    title += fmt::format(", {}, {}", json::name_of(spec.fabric.kind), spec.fabric.link);
    title += spec.fabric.oversubscription > 1.0 ? fmt::format(", {:g}:1", spec.fabric.oversubscription) : "";
  }
  return title;
}

// The cluster that a scenario's machine stands for: as many nodes as its GPUs fill.
fabric::ClusterSpec of_machine(const json::Value& document, const Catalogue& catalogue,
                               const std::string& path) {
  const json::Value* machine = document.find("machine");
  const auto member = [&](const char* name) { return machine != nullptr ? machine->find(name) : nullptr; };
  const json::Value *gpu = member("gpu"), *node = member("node"), *gpus = member("gpus");
  if (gpu != nullptr && gpu->is_object()) {
    gpu = gpu->find("base");
  }
  fabric::ClusterSpec spec;
  spec.gpu = gpu != nullptr && gpu->is_string() ? gpu->string() : "";
  spec.node = node != nullptr && node->is_string() ? node->string() : "";
  if (spec.node.empty()) {
    const Gpu* known = catalogue.gpu(spec.gpu);
    if (known == nullptr) {
      throw InputError(Problem{
          path + ".machine.gpu", spec.gpu.empty() ? "nothing" : "\"" + spec.gpu.substr(0, 60) + "\"",
          "a GPU of the catalogue (gpuplan catalog gpus)", did_you_mean(spec.gpu, catalogue.gpu_names())});
    }
    const Node* sold = catalogue.default_node(known->name);
    if (sold == nullptr) {
      throw InputError(Problem{path + ".machine.node", "nothing, and no catalogue node has a " + known->name,
                               "a node of the catalogue (gpuplan catalog nodes)", ""});
    }
    spec.node = sold->name;
  }
  const Node* known = catalogue.node(spec.node);
  const int per_node = known != nullptr ? known->gpu_count : 1;
  const bool counted =
      gpus != nullptr && gpus->is_integer() && gpus->integer() > 0 && gpus->integer() < 1'000'000;
  spec.nodes = counted ? std::max(1, (static_cast<int>(gpus->integer()) + per_node - 1) / per_node) : 1;
  return spec;
}

Described described_by(const std::string& what, const po::variables_map& options) {
  const Catalogue catalogue = Catalogue::load(data_root());
  fabric::Cluster cluster;
  std::string path = "topology";
  if (is_file(what)) {
    const std::string text = json::read_file(what);
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first == std::string::npos || text[first] != '{') {
      if (options.count("nodes") > 0) {
        throw UsageError{"topology: --nodes goes with a node of the catalogue or a cluster file"};
      }
      fabric::Imported imported = fabric::import_topology(text, what, catalogue);
      return {std::move(imported.topology), what + " (" + imported.format + ")", std::move(imported.notes)};
    }
    const json::Value document = json::parse(text, what);
    path = what + ": $";
    const bool scenario = document.find("machine") != nullptr || document.find("kind") != nullptr;
    cluster = scenario ? fabric::resolve_cluster(of_machine(document, catalogue, path), catalogue, path)
                       : fabric::read_cluster(document, catalogue, path);
  } else {
    if (catalogue.node(what) == nullptr) {
      throw InputError(Problem{"topology", "\"" + what.substr(0, 60) + "\"",
                               "a node of the catalogue (gpuplan catalog nodes) or a file",
                               did_you_mean(what, catalogue.node_names())});
    }
    fabric::ClusterSpec spec;
    spec.node = what;
    cluster = fabric::resolve_cluster(spec, catalogue, path);
  }
  if (options.count("nodes") > 0) {
    fabric::ClusterSpec spec = cluster.spec;
    spec.nodes = options["nodes"].as<int>();
    if (spec.nodes < 1 || spec.nodes > 100000) {
      throw UsageError{"topology: --nodes takes a number from 1 to 100000"};
    }
    cluster = fabric::resolve_cluster(spec, catalogue, path);
  }
  std::string assumed;
  for (const std::string& one : fabric::assumptions(cluster, catalogue)) {
    assumed += (assumed.empty() ? "assumed, not measured: " : "; ") + one;
  }
  return {fabric::build_cluster(cluster, catalogue, path), title_of(cluster),
          assumed.empty() ? std::vector<std::string>{} : std::vector<std::string>{assumed}};
}

NamedCut cut_between(const fabric::Topology& topology, const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) {
    throw UsageError{"topology: --cut takes two groups, as node0:node1 or gpu0-3:gpu4-7"};
  }
  const auto a = fabric::parse_group(topology, text.substr(0, colon), "--cut " + text.substr(0, 80));
  const auto b = fabric::parse_group(topology, text.substr(colon + 1), "--cut " + text.substr(0, 80));
  for (const fabric::DeviceId id : a) {
    if (std::find(b.begin(), b.end(), id) != b.end()) {
      throw InputError(Problem{"--cut " + text.substr(0, 80), name_of(topology.device(id)) + " on both sides",
                               "groups that share no device", ""});
    }
  }
  return {text, topology.cut(a, b)};
}

}  // namespace

std::vector<std::string> topology_options() { return long_options(described()); }

int topology_command(const std::vector<std::string>& arguments) {
  po::variables_map options;
  if (!parse_options(arguments, command_named("topology"), described(), "what", options)) {
    return kDone;
  }
  const auto what = texts_of(options, "what");
  if (what.size() != 1) {
    throw UsageError{"topology takes a node of the catalogue (gpuplan catalog nodes) or a file"};
  }
  const Described of = described_by(what[0], options);
  std::optional<NamedCut> cut;
  if (options.count("cut") > 0) {
    cut = cut_between(of.topology, options["cut"].as<std::string>());
  }
  if (options.count("dot") > 0) {
    write_file(options["dot"].as<std::string>(), topology_dot(of.topology, of.title));
  }
  if (options.count("svg") > 0) {
    write_file(options["svg"].as<std::string>(), topology_svg(of.topology, of.title));
  }
  print(options.count("json") > 0 ? json::dump(topology_json(of.topology, cut, of.notes), 2) + "\n"
                                  : topology_text(of.topology, of.title, cut, of.notes));
  return kDone;
}

}  // namespace gpuplan::cli
