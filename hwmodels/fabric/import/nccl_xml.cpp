// NCCL's topology XML. Elements: system > cpu > pci > (pci | gpu | nic); gpu > (nvlink | xgmi | c2c); nic >
// net. A pci with a gpu or nic in it is that device, one of class 0x0604 a bridge, any other is left out.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "hwmodels/fabric/import/import.h"
#include "hwmodels/fabric/import/xml.h"
#include "hwmodels/fabric/node_builder.h"

namespace gpuplan::fabric {

namespace {

constexpr std::string_view kNvswitchClass = "0x068000";
constexpr std::size_t kSockets = 256;
constexpr int kCountMax = 1024;  // links of a GPU, lanes, devices

// PCIe generation by GT/s, and the share of raw bits that its code leaves (PCIe base specification).
struct Generation {
  int number;
  double transfers;  // GT/s
  double code;
};
constexpr std::array<Generation, 6> kGenerations = {{{1, 2.5, 0.8},
                                                     {2, 5, 0.8},
                                                     {3, 8, 128.0 / 130},
                                                     {4, 16, 128.0 / 130},
                                                     {5, 32, 128.0 / 130},
                                                     {6, 64, 1.0}}};

// NVLink generation by compute capability; 0: none known.
int nvlink_generation(int sm) { return sm >= 100 ? 5 : sm >= 90 ? 4 : sm >= 80 ? 3 : sm >= 70 ? 2 : 0; }

std::optional<double> number(std::string_view text) {
  double value = 0.0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool only = parsed.ptr == text.data() + text.size();
  return parsed.ec == std::errc() && only && std::isfinite(value) ? std::optional(value) : std::nullopt;
}

struct PciDevice {
  const XmlElement* pci = nullptr;
  const XmlElement* inner = nullptr;  // gpu or nic
  DeviceId parent = 0;
  DeviceId socket = 0;
  LinkSpec link;
  int index = 0;  // of a GPU
  DeviceId id = 0;
};

struct GpuLink {
  std::string target;
  LinkKind kind;
  int count = 0;
  int line = 0;
  bool to_switch = false;
};

class NcclImport {
 public:
  NcclImport(const std::string& name, const Catalogue& catalogue) : name_(name), catalogue_(catalogue) {}

  Imported run(const XmlElement& root) {
    result_.format = "NCCL topology";
    if (root.name != "system") {
      problem(root.line, "<" + root.name.substr(0, 40) + ">", "<system>");
      throw InputError(std::move(problems_));
    }
    for (const XmlElement& cpu : root.children) {
      if (cpu.name != "cpu") {
        unknown(cpu, {"cpu"});
        continue;
      }
      if (sockets_.size() >= kSockets) {
        problem(cpu.line, fmt::format("more than {} <cpu>", kSockets), "a machine");
        break;
      }
      const DeviceId socket =
          result_.topology.add({DeviceKind::socket, 0, static_cast<int>(sockets_.size())});
      sockets_.push_back(socket);
      children(cpu, socket, socket, true);
    }
    if (gpus_.empty()) {
      problem(root.line, "no <gpu>", "at least one");
    }
    add_gpus();
    add_nics();
    connect_sockets();
    connect_gpus();
    if (problems_.empty()) {
      problems_ = result_.topology.problems();
      for (Problem& p : problems_) {
        p.path = name_ + ": " + p.path;
      }
    }
    if (!problems_.empty()) {
      throw InputError(std::move(problems_));
    }
    return std::move(result_);
  }

 private:
  void problem(int line, std::string found, std::string expected, std::string suggestion = "") {
    problems_.push_back(
        {name_ + ":" + std::to_string(line), std::move(found), std::move(expected), std::move(suggestion)});
  }
  void unknown(const XmlElement& element, const std::vector<std::string>& known) {
    std::string expected;
    for (const std::string& name : known) {
      expected += (expected.empty() ? "<" : ", <") + name + ">";
    }
    problem(element.line, "<" + element.name.substr(0, 40) + ">", expected,
            did_you_mean(element.name, known));
  }
  // A number above zero.
  double positive(const XmlElement& element, const char* key, double max, bool whole) {
    const std::string* text = element.attribute(key);
    const std::optional<double> value = text != nullptr ? number(*text) : std::nullopt;
    if (!value || *value <= 0.0 || *value > max || (whole && *value != std::floor(*value))) {
      problem(
          element.line,
          text != nullptr ? fmt::format("{}=\"{}\"", key, text->substr(0, 40)) : fmt::format("no {}", key),
          fmt::format("a {}number above 0 and at most {:g} in <{}>", whole ? "whole " : "", max,
                      element.name));
      return 1.0;
    }
    return *value;
  }

  LinkSpec pcie_link(const XmlElement& pci) {
    const std::string* text = pci.attribute("link_speed");
    // "16.0 GT/s PCIe", "16 GT/s" or "16.0"
    const std::string speed = text != nullptr ? text->substr(0, text->find(' ')) : "";
    const std::optional<double> transfers = number(speed);
    const auto generation = std::find_if(kGenerations.begin(), kGenerations.end(), [&](const Generation& g) {
      return transfers && *transfers == g.transfers;
    });
    const double lanes = positive(pci, "link_width", 32, true);
    if (generation == kGenerations.end()) {
      problem(pci.line, text != nullptr ? "link_speed=\"" + text->substr(0, 40) + "\"" : "no link_speed",
              "a PCIe speed: 2.5, 5.0, 8.0, 16.0, 32.0 or 64.0 GT/s");
      return {};
    }
    const double raw = generation->transfers * 1e9 / 8.0 * generation->code;  // B/s of a lane
    const Fabric* entry = catalogue_.fabric(fmt::format("PCIe-{}-x16", std::max(3, generation->number)));
    const double entry_raw = generation->number >= 3 ? raw * 16.0 : 8e9 / 8.0 * 128.0 / 130 * 16.0;
    return {.kind = LinkKind::pcie,
            .bandwidth = BytesPerSecond(raw * lanes),
            .latency = entry != nullptr ? entry->latency.value_or(Seconds()) : Seconds(),
            .efficiency = entry != nullptr ? std::min(1.0, entry->bandwidth.si() / entry_raw) : 1.0,
            .width = 1};
  }

  // Of a cpu or a bridge. A pci directly in a cpu gets a host bridge.
  void children(const XmlElement& element, DeviceId parent, DeviceId socket, bool top) {
    for (const XmlElement& child : element.children) {
      if (child.name == "nic" && top) {
        // Not a PCI device: on the socket, as fast as its nets.
        add_device(nics_, child, child, parent, socket, {});
      } else if (child.name != "pci") {
        unknown(child, {"pci", "gpu", "nic"});
      } else {
        pci(child, parent, socket, top);
      }
    }
  }

  void add_device(std::vector<PciDevice>& list, const XmlElement& pci, const XmlElement& inner,
                  DeviceId parent, DeviceId socket, const LinkSpec& link) {
    list.push_back({.pci = &pci, .inner = &inner, .parent = parent, .socket = socket, .link = link});
  }

  void pci(const XmlElement& pci, DeviceId parent, DeviceId socket, bool top) {
    const std::string* bus = pci.attribute("busid");
    if (bus == nullptr || bus->empty()) {
      problem(pci.line, "no busid", "the bus id of the <pci>");
    } else if (!buses_.emplace(*bus, pci.line).second) {
      problem(pci.line, "busid " + bus->substr(0, 40) + " again",
              fmt::format("each once; it stands in line {}", buses_[*bus]));
    }
    const std::string* kind = pci.attribute("class");
    const XmlElement *gpu = nullptr, *nic = nullptr;
    std::vector<const XmlElement*> nested;
    for (const XmlElement& child : pci.children) {
      if (child.name == "gpu" || child.name == "nic") {
        (child.name == "gpu" ? gpu : nic) = &child;
      } else if (child.name != "pci") {
        unknown(child, {"pci", "gpu", "nic"});
      }
    }
    const bool bridge = gpu == nullptr && nic == nullptr && kind != nullptr && kind->rfind("0x0604", 0) == 0;
    if (gpu == nullptr && nic == nullptr && !bridge) {
      return;
    }
    const LinkSpec link = pcie_link(pci);
    if (top) {
      const DeviceId root = result_.topology.add({DeviceKind::host_bridge, 0, bridges_++});
      LinkSpec inner = link;
      inner.latency = Seconds();
      result_.topology.connect(parent, root, inner);
      parent = root;
    }
    if (gpu != nullptr) {
      add_device(gpus_, pci, *gpu, parent, socket, link);
    }
    if (nic != nullptr) {
      add_device(nics_, pci, *nic, parent, socket, link);
    }
    if (bridge) {
      const DeviceId id = result_.topology.add({DeviceKind::pcie_switch, 0, switches_++});
      result_.topology.connect(parent, id, link);
      children(pci, id, socket, false);
    }
  }

  // In the order of their numbers.
  void add_gpus() {
    std::map<int, int> lines;
    for (PciDevice& gpu : gpus_) {
      const std::string* text = gpu.inner->attribute("dev");
      const std::optional<double> dev = text != nullptr ? number(*text) : std::nullopt;
      if (!dev || *dev < 0 || *dev != std::floor(*dev) || *dev >= kCountMax) {
        problem(gpu.inner->line, text != nullptr ? "dev=\"" + text->substr(0, 40) + "\"" : "no dev",
                "the number of the GPU");
        continue;
      }
      gpu.index = static_cast<int>(*dev);
      if (!lines.emplace(gpu.index, gpu.inner->line).second) {
        problem(gpu.inner->line, fmt::format("GPU {} again", gpu.index),
                fmt::format("each once; it stands in line {}", lines[gpu.index]));
      }
    }
    std::stable_sort(gpus_.begin(), gpus_.end(),
                     [](const PciDevice& a, const PciDevice& b) { return a.index < b.index; });
    int place = 0;  // numbers may have holes where some GPUs are hidden
    for (PciDevice& gpu : gpus_) {
      gpu.id = result_.topology.add({DeviceKind::gpu, 0, place++});
      result_.topology.connect(gpu.parent, gpu.id, gpu.link);
      if (const std::string* bus = gpu.pci->attribute("busid")) {
        by_bus_[*bus] = gpu.id;
      }
    }
  }

  void add_nics() {
    for (const PciDevice& nic : nics_) {
      double megabits = 0.0;
      for (const XmlElement& net : nic.inner->children) {
        if (net.name != "net") {
          unknown(net, {"net"});
        } else {
          megabits += positive(net, "speed", 1e8, false);  // Mbit/s
        }
      }
      const BytesPerSecond speed(megabits * 1e6 / 8.0);
      LinkSpec link = nic.link;
      if (link.bandwidth.si() <= 0.0) {
        link.bandwidth = speed;
      }
      const DeviceId id =
          result_.topology.add({DeviceKind::nic, 0, static_cast<int>(result_.nic_bandwidth.size())});
      result_.topology.connect(nic.parent, id, link);
      result_.nic_bandwidth.push_back(speed);
    }
  }

  LinkSpec catalogue_link(const std::string& entry, LinkKind kind, int count) {
    const Fabric* fabric = catalogue_.fabric(entry);
    if (fabric == nullptr) {
      throw InputError(Problem{"catalogue fabrics", "no " + entry, "an entry for this kind of link", ""});
    }
    return {.kind = kind,
            .bandwidth = fabric->bandwidth * count,
            .latency = fabric->latency.value_or(Seconds()),
            .efficiency = fabric->efficiency,
            .width = count};
  }

  void connect_sockets() {
    for (std::size_t i = 0; i < sockets_.size(); ++i) {
      for (std::size_t j = i + 1; j < sockets_.size(); ++j) {
        result_.topology.connect(sockets_[i], sockets_[j],
                                 catalogue_link("CPU-sockets", LinkKind::socket, 1));
      }
    }
  }

  // The links of one GPU by target; several to one target add up.
  std::vector<GpuLink> links_of(const PciDevice& gpu) {
    std::vector<GpuLink> list;
    for (const XmlElement& element : gpu.inner->children) {
      if (element.name == "c2c") {
        const double megabytes =
            positive(element, "bw", 1e7, false) * positive(element, "count", kCountMax, true);
        LinkSpec link = catalogue_link("NVLink-C2C", LinkKind::c2c, 1);
        link.bandwidth = BytesPerSecond(megabytes * 1e6);
        result_.topology.connect(gpu.id, gpu.socket, link);
        continue;
      }
      if (element.name != "nvlink" && element.name != "xgmi") {
        unknown(element, {"nvlink", "xgmi", "c2c"});
        continue;
      }
      const std::string* target = element.attribute("target");
      const std::string* kind = element.attribute("tclass");
      const int count = static_cast<int>(positive(element, "count", kCountMax, true));
      const bool to_switch = kind != nullptr && *kind == kNvswitchClass;
      // Class 0x03: display and 3D controllers, which GPUs are.
      if (target == nullptr || kind == nullptr || (!to_switch && kind->rfind("0x03", 0) != 0)) {
        problem(element.line,
                target == nullptr ? "no target"
                : kind == nullptr
                    ? "no tclass"
                    : "tclass=\"" + kind->substr(0, 40) + "\", a type of link that is not known",
                "a target, and its class: 0x068000 (NVSwitch) or 0x03.... (GPU)");
        continue;
      }
      const LinkKind link = element.name == "xgmi" ? LinkKind::xgmi : LinkKind::nvlink;
      const auto same =
          std::find_if(list.begin(), list.end(), [&](const GpuLink& l) { return l.target == *target; });
      if (same != list.end()) {
        same->count += count;
      } else {
        list.push_back({*target, link, count, element.line, to_switch});
      }
    }
    return list;
  }

  LinkSpec scale_up(const PciDevice& gpu, const GpuLink& link, int count) {
    if (link.kind == LinkKind::xgmi) {
      return catalogue_link("xGMI-MI300", LinkKind::xgmi, count);
    }
    const std::string* text = gpu.inner->attribute("sm");
    const std::optional<double> sm = text != nullptr ? number(*text) : std::nullopt;
    const int generation = sm && *sm >= 0 && *sm < 1000 ? nvlink_generation(static_cast<int>(*sm)) : 0;
    if (generation == 0) {
      problem(gpu.inner->line, text != nullptr ? "sm=\"" + text->substr(0, 40) + "\"" : "no sm",
              "a compute capability whose NVLink is known: 70, 80, 90, 100 ...");
      return {};
    }
    return catalogue_link(fmt::format("NVLink-{}", generation), LinkKind::nvlink, count);
  }

  void connect_gpus() {
    std::map<DeviceId, std::vector<GpuLink>> all;
    std::set<std::string> chips;
    for (const PciDevice& gpu : gpus_) {
      all[gpu.id] = links_of(gpu);
      for (const GpuLink& link : all[gpu.id]) {
        if (link.to_switch) {
          chips.insert(link.target);
        }
      }
    }
    std::optional<DeviceId> crossbar;
    if (!chips.empty()) {
      crossbar = result_.topology.add({DeviceKind::nvswitch, 0, 0, static_cast<int>(chips.size())});
    }
    for (const PciDevice& gpu : gpus_) {
      int to_switch = 0;
      const GpuLink* any = nullptr;
      for (const GpuLink& link : all[gpu.id]) {
        if (link.to_switch) {
          to_switch += link.count;
          any = &link;
          continue;
        }
        peer_link(gpu, link, all);
      }
      if (any != nullptr) {
        result_.topology.connect(gpu.id, *crossbar, scale_up(gpu, *any, to_switch));
      }
    }
  }

  void peer_link(const PciDevice& gpu, const GpuLink& link,
                 const std::map<DeviceId, std::vector<GpuLink>>& all) {
    const auto peer = by_bus_.find(link.target);
    if (peer == by_bus_.end() || peer->second == gpu.id) {
      problem(link.line, "target " + link.target.substr(0, 40),
              peer == by_bus_.end() ? "the busid of a GPU of this file" : "another GPU than its own");
      return;
    }
    const std::string* own = gpu.pci->attribute("busid");
    int back = 0;
    for (const GpuLink& other : all.at(peer->second)) {
      back += own != nullptr && other.target == *own && other.kind == link.kind ? other.count : 0;
    }
    if (back != link.count) {
      problem(link.line,
              fmt::format("{} links to {}, which has {} back", link.count, link.target.substr(0, 40), back),
              "as many links in both directions");
    } else if (gpu.id < peer->second) {
      result_.topology.connect(gpu.id, peer->second, scale_up(gpu, link, link.count));
    }
  }

  const std::string& name_;
  const Catalogue& catalogue_;
  Imported result_;
  std::vector<Problem> problems_;
  std::vector<DeviceId> sockets_;
  std::vector<PciDevice> gpus_, nics_;
  std::map<std::string, int> buses_;  // line of each
  std::map<std::string, DeviceId> by_bus_;
  int bridges_ = 0, switches_ = 0;
};

class NcclExport {
 public:
  NcclExport(const Topology& topology, int node) : topology_(topology), node_(node) {}

  std::string text() {
    out_ = "<system version=\"1\">\n";
    for (const DeviceId socket : topology_.of_node(node_, DeviceKind::socket)) {
      out_ += fmt::format("  <cpu numaid=\"{}\">\n", topology_.device(socket).index);
      // A GPU that only C2C joins to its socket still is a PCI device; others come with their bridge.
      for (const LinkId id : topology_.links_from(socket)) {
        const Link& link = topology_.links()[id];
        const DeviceKind kind = topology_.device(link.to).kind;
        if (kind == DeviceKind::host_bridge) {
          below(link.to, socket, 4);
        } else if (kind != DeviceKind::socket && !(link.spec.kind == LinkKind::c2c && has_pcie(link.to))) {
          pci(link, 4);
        }
      }
      out_ += "  </cpu>\n";
    }
    return out_ + "</system>\n";
  }

 private:
  static std::string bus(DeviceId id) { return fmt::format("{:04x}:{:02x}:00.0", id / 256, id % 256); }

  bool has_pcie(DeviceId id) const {
    const auto links = topology_.links_from(id);
    return std::any_of(links.begin(), links.end(),
                       [&](LinkId link) { return topology_.links()[link].spec.kind == LinkKind::pcie; });
  }

  void below(DeviceId id, DeviceId above, int indent) {
    for (const LinkId next : topology_.links_from(id)) {
      const Link& link = topology_.links()[next];
      const LinkKind kind = link.spec.kind;
      if (link.to != above && kind == LinkKind::pcie &&
          topology_.device(link.to).kind != DeviceKind::host_bridge) {
        pci(link, indent);
      }
    }
  }

  void pci(const Link& link, int indent) {
    const Device& device = topology_.device(link.to);
    const std::string pad(static_cast<std::size_t>(indent), ' ');
    // The generation whose x16 is nearest.
    double transfers = 8.0;
    for (const Generation& g : kGenerations) {
      const auto away = [&](double t) { return std::abs(std::log(link.spec.bandwidth.si() / (t * 2e9))); };
      transfers = g.number >= 3 && away(g.transfers) < away(transfers) ? g.transfers : transfers;
    }
    const char* kind = device.kind == DeviceKind::gpu   ? "0x030200"
                       : device.kind == DeviceKind::nic ? "0x020700"
                                                        : "0x060400";
    out_ +=
        fmt::format("{}<pci busid=\"{}\" class=\"{}\" link_speed=\"{:.1f} GT/s PCIe\" link_width=\"16\">\n",
                    pad, bus(link.to), kind, transfers);
    switch (device.kind) {
      case DeviceKind::gpu:
        gpu(link.to, pad + "  ");
        break;
      case DeviceKind::nic: {
        double speed = link.spec.bandwidth.si();  // where it is on no network
        for (const LinkId id : topology_.links_from(link.to)) {
          const LinkSpec& port = topology_.links()[id].spec;
          speed = port.kind == LinkKind::network ? port.bandwidth.si() : speed;
        }
        out_ += fmt::format(
            "{0}  <nic>\n{0}    <net name=\"nic{1}\" dev=\"{1}\" speed=\"{2:.0f}\"/>\n{0}  </nic>\n", pad,
            device.index, speed * 8e-6);
        break;
      }
      case DeviceKind::pcie_switch:
      case DeviceKind::nvswitch:
      case DeviceKind::host_bridge:
      case DeviceKind::socket:
      case DeviceKind::leaf:
      case DeviceKind::spine:
      case DeviceKind::core:
        below(link.to, link.from, indent + 2);
        break;
    }
    out_ += pad + "</pci>\n";
  }

  void gpu(DeviceId id, const std::string& pad) {
    std::string inner;
    int sm = 80;
    for (const LinkId next : topology_.links_from(id)) {
      const Link& link = topology_.links()[next];
      const bool xgmi = link.spec.kind == LinkKind::xgmi;
      if (link.spec.kind == LinkKind::c2c) {
        inner += fmt::format("{}  <c2c bw=\"{:.0f}\" count=\"1\"/>\n", pad, link.spec.bandwidth.si() / 1e6);
      } else if (xgmi || link.spec.kind == LinkKind::nvlink) {
        const double each = link.spec.bandwidth.si() / link.spec.width;
        sm = xgmi || each > 40e9 ? 100 : link.spec.efficiency > 0.81 ? 90 : 80;
        const Device& peer = topology_.device(link.to);
        if (peer.kind != DeviceKind::nvswitch) {
          inner += fmt::format("{}  <{} target=\"{}\" count=\"{}\" tclass=\"0x030200\"/>\n", pad,
                               xgmi ? "xgmi" : "nvlink", bus(link.to), link.spec.width);
          continue;
        }
        // Dealt to the chips.
        for (int chip = 0; chip < peer.chips; ++chip) {
          const int share = link.spec.width / peer.chips + (chip < link.spec.width % peer.chips ? 1 : 0);
          if (share > 0) {
            inner += fmt::format("{}  <nvlink target=\"{:04x}:{:02x}:01.0\" count=\"{}\" tclass=\"{}\"/>\n",
                                 pad, 0xf000 + link.to / 256, chip, share, kNvswitchClass);
          }
        }
      }
    }
    out_ += fmt::format("{}<gpu dev=\"{}\" sm=\"{}\">\n{}{}</gpu>\n", pad, topology_.device(id).index, sm,
                        inner, pad);
  }

  const Topology& topology_;
  int node_;
  std::string out_;
};

}  // namespace

Imported import_nccl_xml(std::string_view text, const std::string& name, const Catalogue& catalogue) {
  const XmlElement root = parse_xml(text, name);
  return NcclImport(name, catalogue).run(root);
}

std::string export_nccl_xml(const Topology& topology, int node) { return NcclExport(topology, node).text(); }

}  // namespace gpuplan::fabric
