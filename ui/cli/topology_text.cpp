#include "ui/cli/topology_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "hwmodels/fabric/import/import.h"
#include "hwmodels/fabric/summary.h"
#include "hwmodels/json/describe.h"
#include "ui/cli/terminal.h"

namespace gpuplan::cli {

using namespace fabric;

namespace {

constexpr std::size_t kMatrixDevices = 16;  // of a kind
constexpr std::size_t kMatrixColumns = 14;  // of 5 characters, beside the names
constexpr std::size_t kCutLinks = 8;

std::string counted(int count, DeviceKind kind) {
  const std::string noun = noun_of(kind);
  return grouped(count) + " " + noun + (count == 1 ? "" : noun.back() == 'h' ? "es" : "s");
}

std::string rate(BytesPerSecond bandwidth) { return si(bandwidth.si(), "B/s"); }

// "1.48 TB/s nvlink, 40 GB/s socket"
std::string by_kind(const Topology& topology, const Cut& cut) {
  std::map<LinkKind, BytesPerSecond> parts;
  for (const LinkId id : cut.links) {
    parts[topology.links()[id].spec.kind] += topology.links()[id].spec.usable();
  }
  std::string text;
  for (const auto& [kind, sum] : parts) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", rate(sum), json::name_of(kind));
  }
  return text.empty() ? "nothing joins them" : text;
}

std::string devices_line(const Topology& topology) {
  std::string text;
  for (std::size_t k = 0; k < enum_names(DeviceKind{}).size(); ++k) {
    const auto kind = static_cast<DeviceKind>(k);
    const int count = device_count(topology, kind, true);
    if (count > 0 && kind != DeviceKind::host_bridge) {
      text += (text.empty() ? "" : ", ") + counted(count, kind);
    }
  }
  return "devices    " + wrap(text, 68, 11) + "\n";
}

std::string link_table(const Topology& topology) {
  using enum Table::Align;
  Table table({"link", "between", "count", "width", "each way", "usable", "latency"},
              {left, left, right, right, right, right, right});
  for (const LinkGroup& group : link_groups(topology)) {
    const LinkSpec& s = group.spec;
    table.row({std::string(json::name_of(s.kind)),
               fmt::format("{}, {}", json::name_of(group.a), json::name_of(group.b)), grouped(group.count),
               std::to_string(s.width), s.bandwidth.si() > 0.0 ? rate(s.bandwidth) : "down",
               percent(s.efficiency), si(s.latency.si(), "s")});
  }
  return table.text();
}

// The matrix of one node, folded to blocks of columns that fit.
std::string matrix(const Topology& topology, int node) {
  std::vector<DeviceId> shown;
  std::size_t more_gpus = 0, more_nics = 0;
  for (const DeviceKind kind : {DeviceKind::gpu, DeviceKind::nic}) {
    const std::vector<DeviceId> all = topology.of_node(node, kind);
    const std::size_t some = std::min(all.size(), kMatrixDevices);
    shown.insert(shown.end(), all.begin(), all.begin() + static_cast<std::ptrdiff_t>(some));
    (kind == DeviceKind::gpu ? more_gpus : more_nics) = all.size() - some;
  }
  std::string text;
  // Blocks of about the same size.
  const std::size_t blocks = (shown.size() + kMatrixColumns - 1) / kMatrixColumns;
  const std::size_t each = blocks == 0 ? 0 : (shown.size() + blocks - 1) / blocks;
  for (std::size_t begin = 0; begin < shown.size(); begin += each) {
    const std::size_t end = std::min(shown.size(), begin + each);
    std::string line = fmt::format("{:<6}", "");
    for (std::size_t i = begin; i < end; ++i) {
      line += fmt::format("{:<6}", short_name(topology.device(shown[i]))).substr(0, end - begin > 12 ? 5 : 6);
    }
    const auto finish = [&](std::string row) {
      row.erase(row.find_last_not_of(' ') + 1);
      text += row + "\n";
    };
    finish(line);
    for (const DeviceId row : shown) {
      line = fmt::format("{:<6}", short_name(topology.device(row)));
      for (std::size_t i = begin; i < end; ++i) {
        const std::string cell = path_text(topology, row, shown[i]);
        line += fmt::format("{:<{}}", cell, end - begin > 12 ? 5 : 6);
      }
      finish(line);
    }
    text += end < shown.size() ? "\n" : "";
  }
  if (more_gpus + more_nics > 0) {
    text += fmt::format("not shown: {} more GPUs, {} more NICs of the node\n", more_gpus, more_nics);
  }
  return text;
}

std::string legend(const std::string& matrix_text) {
  static const std::array<std::pair<const char*, const char*>, 8> meanings = {{
      {"NV", "NV#: that many NVLinks"},
      {"XGMI", "XGMI: Infinity Fabric"},
      {"PIX", "PIX: one PCIe switch"},
      {"PXB", "PXB: several PCIe switches"},
      {"PHB", "PHB: a PCIe host bridge"},
      {"NODE", "NODE: host bridges of one socket"},
      {"SYS", "SYS: between sockets"},
      {" -", "-: no way inside the node"},
  }};
  std::string text;
  for (const auto& [cell, meaning] : meanings) {
    if (matrix_text.find(cell) != std::string::npos) {
      text += (text.empty() ? "" : "; ") + std::string(meaning);
    }
  }
  return text.empty() ? "" : wrap(text, 78, 0) + "\n";
}

std::string cut_text(const Topology& topology, const NamedCut& named) {
  std::string text = fmt::format("cut {}\n           {} each way: {}\n", named.name,
                                 rate(named.cut.bandwidth), by_kind(topology, named.cut));
  for (std::size_t i = 0; i < std::min(kCutLinks, named.cut.links.size()); ++i) {
    const Link& link = topology.links()[named.cut.links[i]];
    text += fmt::format("  full     {} -> {}, {} {}\n", name_of(topology.device(link.from)),
                        name_of(topology.device(link.to)), json::name_of(link.spec.kind),
                        rate(link.spec.usable()));
  }
  if (named.cut.links.size() > kCutLinks) {
    text += fmt::format("           and {} more links\n", named.cut.links.size() - kCutLinks);
  }
  return text;
}

}  // namespace

std::string noun_of(DeviceKind kind) {
  switch (kind) {
    case DeviceKind::gpu:
      return "GPU";
    case DeviceKind::nvswitch:
      return "NVSwitch";
    case DeviceKind::pcie_switch:
      return "PCIe switch";
    case DeviceKind::host_bridge:
      return "host bridge";
    case DeviceKind::socket:
      return "CPU socket";
    case DeviceKind::nic:
      return "NIC";
    case DeviceKind::leaf:
      return "leaf switch";
    case DeviceKind::spine:
      return "spine switch";
    case DeviceKind::core:
      return "core switch";
  }
  return "";
}

std::string short_name(const Device& device) {
  switch (device.kind) {
    case DeviceKind::gpu:
      return "GPU" + std::to_string(device.index);
    case DeviceKind::nic:
      return "NIC" + std::to_string(device.index);
    case DeviceKind::nvswitch:
    case DeviceKind::pcie_switch:
    case DeviceKind::host_bridge:
    case DeviceKind::socket:
    case DeviceKind::leaf:
    case DeviceKind::spine:
    case DeviceKind::core:
      return std::string(json::name_of(device.kind)) + std::to_string(device.index);
  }
  return "";
}

std::string topology_text(const Topology& topology, const std::string& title,
                          const std::optional<NamedCut>& cut, const std::vector<std::string>& notes) {
  std::string text = styled(title, Style::heading) + "\n" + devices_line(topology);
  const Cut middle = bisection(topology);
  if (topology.gpus().size() > 1) {
    text += "bisection  " +
            wrap(fmt::format("{} each way: {}", rate(middle.bandwidth), by_kind(topology, middle)), 68, 11) +
            "\n";
  }
  text += "\n" + link_table(topology) + "\n";
  if (topology.node_count() > 0) {
    if (topology.node_count() > 1) {
      text += fmt::format("node 0 of {}; devices of different nodes: NET\n", topology.node_count());
    }
    const std::string cells = matrix(topology, 0);
    text += cells + legend(cells);
  }
  if (cut) {
    text += "\n" + cut_text(topology, *cut);
  }
  for (const std::string& note : notes) {
    text += "note       " + wrap(note, 68, 11) + "\n";
  }
  return text;
}

json::Value topology_json(const Topology& topology, const std::optional<NamedCut>& cut,
                          const std::vector<std::string>& notes) {
  json::Value out;
  out["schema"] = 1;
  out["nodes"] = topology.node_count();
  for (std::size_t k = 0; k < enum_names(DeviceKind{}).size(); ++k) {
    const auto kind = static_cast<DeviceKind>(k);
    out["devices"][json::name_of(kind)] = device_count(topology, kind, true);
  }
  out["links"] = json::Value(json::Array{});
  for (const LinkGroup& group : link_groups(topology)) {
    json::Value row;
    row["kind"] = json::name_of(group.spec.kind);
    row["between"] =
        json::Value(json::Array{json::Value(json::name_of(group.a)), json::Value(json::name_of(group.b))});
    row["count"] = group.count;
    row["width"] = group.spec.width;
    row["bandwidth"] = group.spec.bandwidth.si();
    row["efficiency"] = group.spec.efficiency;
    row["latency"] = group.spec.latency.si();
    out["links"].push_back(std::move(row));
  }
  const auto cut_json = [&](const Cut& of) {
    json::Value value;
    value["bandwidth"] = of.bandwidth.si();
    value["links"] = json::Value(json::Array{});
    for (const LinkId id : of.links) {
      const Link& link = topology.links()[id];
      json::Value row;
      row["from"] = name_of(topology.device(link.from));
      row["to"] = name_of(topology.device(link.to));
      row["kind"] = json::name_of(link.spec.kind);
      row["usable_bandwidth"] = link.spec.usable().si();
      value["links"].push_back(std::move(row));
    }
    return value;
  };
  out["bisection"] = bisection(topology).bandwidth.si();
  std::vector<DeviceId> listed;
  if (topology.node_count() > 0) {
    listed = topology.of_node(0, DeviceKind::gpu);
    const auto nics = topology.of_node(0, DeviceKind::nic);
    listed.insert(listed.end(), nics.begin(), nics.end());
  }
  out["matrix"]["names"] = json::Value(json::Array{});
  out["matrix"]["rows"] = json::Value(json::Array{});
  for (const DeviceId a : listed) {
    out["matrix"]["names"].push_back(short_name(topology.device(a)));
    json::Value row{json::Array{}};
    for (const DeviceId b : listed) {
      row.push_back(path_text(topology, a, b));
    }
    out["matrix"]["rows"].push_back(std::move(row));
  }
  if (cut) {
    out["cut"] = cut_json(cut->cut);
    out["cut"]["name"] = cut->name;
  }
  out["notes"] = json::Value(json::Array{});
  for (const std::string& note : notes) {
    out["notes"].push_back(note);
  }
  return out;
}

std::string topology_dot(const Topology& topology, const std::string& title) {
  static const std::map<DeviceKind, const char*> fills = {
      {DeviceKind::gpu, "#bfe3b4"},         {DeviceKind::nvswitch, "#5fa84e"},
      {DeviceKind::pcie_switch, "#d5d9e0"}, {DeviceKind::host_bridge, "#eceef2"},
      {DeviceKind::socket, "#f6d99a"},      {DeviceKind::nic, "#d9c7ee"},
      {DeviceKind::leaf, "#a9cdf0"},        {DeviceKind::spine, "#7fb2e5"},
      {DeviceKind::core, "#5a97d6"}};
  std::string escaped;
  for (const char c : title) {
    escaped += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  }
  std::string text = fmt::format(
      "graph topology {{\n  label=\"{}\";\n  node [shape=box, style=\"rounded,filled\", "
      "fontname=\"sans-serif\"];\n",
      escaped);
  const auto add = [&](DeviceId id, const char* indent) {
    const Device& d = topology.device(id);
    text += fmt::format("{}d{} [label=\"{}{}\", fillcolor=\"{}\"];\n", indent, id, short_name(d),
                        d.chips > 1 ? fmt::format(" x{}", d.chips) : "", fills.at(d.kind));
  };
  for (int node = 0; node < topology.node_count(); ++node) {
    text += fmt::format("  subgraph cluster_{} {{\n    label=\"node {}\";\n", node, node);
    for (const DeviceId id : topology.devices_of(node)) {
      add(id, "    ");
    }
    text += "  }\n";
  }
  for (const DeviceId id : topology.devices_of(-1)) {
    add(id, "  ");
  }
  for (const Link& link : topology.links()) {
    if (link.from < link.to || !topology.link(link.to, link.from)) {
      text += fmt::format("  d{} -- d{} [label=\"{:.4g} GB/s\"];\n", link.from, link.to,
                          link.spec.bandwidth.si() / 1e9);
    }
  }
  return text + "}\n";
}

}  // namespace gpuplan::cli
