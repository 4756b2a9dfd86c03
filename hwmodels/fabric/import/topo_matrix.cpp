// The matrix of `nvidia-smi topo -m`: a line of names, then a line for each name with a cell for each name,
// after which come CPU and NUMA affinity.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <sstream>

#include "hwmodels/fabric/import/import.h"
#include "hwmodels/json/describe.h"

namespace gpuplan::fabric {

namespace {

constexpr std::size_t kDevices = 128;
// NVLinks that a GPU has at most: 18 (NVLink 4 and 5). More, summed over peers, go over a switch.
constexpr int kLinksMax = 18;
const std::vector<std::string> kCells = {"X", "PIX", "PXB", "PHB", "NODE", "SYS", "NV#", "XGMI"};

struct Cell {
  PathKind kind = PathKind::none;
  int nvlinks = 0;
  bool operator==(const Cell&) const = default;
};

std::optional<Cell> parse_cell(std::string_view text) {
  static const std::map<std::string_view, PathKind> kinds = {
      {"X", PathKind::self},    {"PIX", PathKind::pix}, {"PXB", PathKind::pxb}, {"PHB", PathKind::phb},
      {"NODE", PathKind::node}, {"SYS", PathKind::sys}, {"SOC", PathKind::sys},  // SOC: drivers before 2018
      {"XGMI", PathKind::xgmi}};
  if (const auto found = kinds.find(text); found != kinds.end()) {
    return Cell{found->second, 0};
  }
  int count = 0;
  if (text.size() < 3 || text.substr(0, 2) != "NV") {
    return std::nullopt;
  }
  const auto parsed = std::from_chars(text.data() + 2, text.data() + text.size(), count);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  return whole && count > 0 && count <= 1024 ? std::optional(Cell{PathKind::nvlink, count}) : std::nullopt;
}

std::string cell_text(const Cell& cell) {
  return std::string(json::name_of(cell.kind)) +
         (cell.kind == PathKind::nvlink ? std::to_string(cell.nvlinks) : "");
}

// Words of a line without the terminal's control sequences (the header is underlined).
std::vector<std::string> words_of(std::string_view line) {
  std::string plain;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\x1b') {
      while (i < line.size() && line[i] != 'm') {
        ++i;
      }
    } else {
      plain += line[i] == '\r' || line[i] == '\0' ? ' ' : line[i];
    }
  }
  std::istringstream in(plain);
  std::vector<std::string> words;
  for (std::string word; in >> word;) {
    words.push_back(word);
  }
  return words;
}

// Which devices belong together, by number of the group.
class Groups {
 public:
  explicit Groups(std::size_t count) : up_(count) { std::iota(up_.begin(), up_.end(), std::size_t{0}); }
  std::size_t of(std::size_t i) {
    while (up_[i] != i) {
      i = up_[i] = up_[up_[i]];
    }
    return i;
  }
  void join(std::size_t a, std::size_t b) { up_[std::max(of(a), of(b))] = std::min(of(a), of(b)); }

 private:
  std::vector<std::size_t> up_;
};

struct Row {
  std::string name;
  int line = 0;
  std::vector<Cell> cells;
  std::string numa;  // "0", or what stands there
};

class MatrixImport {
 public:
  MatrixImport(const std::string& name, const Catalogue& catalogue) : name_(name), catalogue_(catalogue) {}

  Imported run(std::string_view text) {
    result_.format = "nvidia-smi topo -m";
    read(text);
    check();
    if (!problems_.empty()) {
      throw InputError(std::move(problems_));
    }
    assume();
    build_tree();
    connect_gpus();
    compare();
    return std::move(result_);
  }

 private:
  void problem(int line, std::string found, std::string expected, std::string suggestion = "") {
    problems_.push_back(
        {name_ + ":" + std::to_string(line), std::move(found), std::move(expected), std::move(suggestion)});
  }
  static bool is_gpu(const std::string& name) {
    return name.size() > 3 && name.rfind("GPU", 0) == 0 &&
           name.find_first_not_of("0123456789", 3) == std::string::npos;
  }

  void read(std::string_view text) {
    int number = 0;
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      const std::vector<std::string> words = words_of(text.substr(begin, end - begin));
      begin = end + 1;
      ++number;
      if (names_.empty()) {
        header(words, number);
      } else if (!words.empty() && rows_.size() < names_.size()) {
        if (words[0] == "Legend:" || words[0] == "NIC") {
          break;
        }
        row(words, number);
      }
    }
    if (names_.empty()) {
      problem(1, "no line of names", "the output of nvidia-smi topo -m, a line with GPU0 first");
    } else if (rows_.size() < names_.size()) {
      problem(number, fmt::format("{} rows", rows_.size()),
              fmt::format("a row for each of {} names", names_.size()));
    }
  }

  // Names up to "CPU Affinity".
  void header(const std::vector<std::string>& words, int line) {
    if (words.empty() || !is_gpu(words[0]) || (words.size() > 1 && words[1] == "X")) {
      return;
    }
    for (const std::string& word : words) {
      if (word == "CPU" || word == "NUMA") {
        break;
      }
      if (std::find(names_.begin(), names_.end(), word) != names_.end()) {
        problem(line, word.substr(0, 40) + " again", "each name once");
      }
      names_.push_back(word);
    }
    if (names_.size() > kDevices) {
      throw InputError(Problem{name_ + ":" + std::to_string(line), fmt::format("{} names", names_.size()),
                               fmt::format("at most {}", kDevices), ""});
    }
  }

  void row(const std::vector<std::string>& words, int line) {
    Row row{.name = words[0], .line = line, .cells = {}, .numa = {}};
    if (row.name != names_[rows_.size()]) {
      problem(line, row.name.substr(0, 40), "the row of " + names_[rows_.size()],
              did_you_mean(row.name, names_));
    }
    for (std::size_t i = 0; i < names_.size(); ++i) {
      const std::optional<Cell> cell = i + 1 < words.size() ? parse_cell(words[i + 1]) : std::nullopt;
      if (i + 1 >= words.size()) {
        problem(line, fmt::format("{} cells", words.size() - 1),
                fmt::format("a cell for each of {} names", names_.size()));
        row.cells.resize(names_.size());
        break;
      }
      if (!cell) {
        problem(line, fmt::format("\"{}\", a type of link that is not known", words[i + 1].substr(0, 40)),
                "X, NV#, PIX, PXB, PHB, NODE or SYS", did_you_mean(words[i + 1], kCells));
      }
      row.cells.push_back(cell.value_or(Cell{}));
    }
    // CPU affinity is one word, and NUMA affinity the next.
    if (words.size() > names_.size() + 2) {
      row.numa = words[names_.size() + 2];
    }
    rows_.push_back(std::move(row));
  }

  void check() {
    if (!problems_.empty()) {
      return;
    }
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      for (std::size_t j = 0; j < rows_.size(); ++j) {
        const Cell &cell = rows_[i].cells[j], &back = rows_[j].cells[i];
        const bool self = cell.kind == PathKind::self;
        if (self != (i == j)) {
          problem(rows_[i].line, fmt::format("{} for {} and {}", cell_text(cell), names_[i], names_[j]),
                  "X where a device meets itself, and only there");
        } else if (i < j && !(cell == back)) {
          problem(rows_[j].line,
                  fmt::format("{} for {} and {}, but {} the other way round (line {})", cell_text(back),
                              names_[j], names_[i], cell_text(cell), rows_[i].line),
                  "a symmetric matrix");
        }
        const bool scale_up = cell.kind == PathKind::nvlink || cell.kind == PathKind::xgmi;
        if (scale_up && !(is_gpu(names_[i]) && is_gpu(names_[j]))) {
          problem(rows_[i].line, fmt::format("{} for {} and {}", cell_text(cell), names_[i], names_[j]),
                  "NVLink between GPUs only");
        }
      }
    }
  }

  const Fabric& entry(const std::string& name) const {
    const Fabric* found = catalogue_.fabric(name);
    if (found == nullptr) {
      throw InputError(Problem{"catalogue fabrics", "no " + name, "an entry for this kind of link", ""});
    }
    return *found;
  }
  static LinkSpec spec(const Fabric& fabric, LinkKind kind, int width = 1) {
    return {.kind = kind,
            .bandwidth = fabric.bandwidth * width,
            .latency = fabric.latency.value_or(Seconds()),
            .efficiency = fabric.efficiency,
            .width = width};
  }

  // 18 links are NVLink 4 beside PCIe 5 (or NVLink 5, which the matrix does not tell), fewer NVLink 3 and
  // PCIe 4.
  void assume() {
    bool many = false, xgmi = false;
    for (const Row& row : rows_) {
      for (const Cell& cell : row.cells) {
        many = many || cell.nvlinks > 12;
        xgmi = xgmi || cell.kind == PathKind::xgmi;
      }
    }
    const Fabric &pcie = entry(many || xgmi ? "PCIe-5-x16" : "PCIe-4-x16"),
                 &nvlink = entry(many ? "NVLink-4" : "NVLink-3");
    pcie_ = spec(pcie, LinkKind::pcie);
    nvlink_ = &nvlink;
    result_.notes.push_back(
        fmt::format("bandwidths are assumed, for the matrix has none: {}, {} ({:g} GB/s a link)", pcie.name,
                    nvlink.name, nvlink.bandwidth.si() / 1e9));
  }

  // Devices joined by paths no longer than `kind`.
  Groups joined(PathKind kind) const {
    Groups groups(rows_.size());
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        const PathKind path = rows_[i].cells[j].kind;
        const bool scale_up = path == PathKind::nvlink || path == PathKind::xgmi;
        const bool same_numa = kind == PathKind::node && scale_up && !rows_[i].numa.empty() &&
                               rows_[i].numa == rows_[j].numa && rows_[i].numa != "N/A";
        if (same_numa || (path >= PathKind::pix && path <= kind)) {
          groups.join(i, j);
        }
      }
    }
    return groups;
  }

  // Sockets, host bridges and switches, each made when the first device needs it.
  void build_tree() {
    Topology& t = result_.topology;
    Groups pix = joined(PathKind::pix), pxb = joined(PathKind::pxb), phb = joined(PathKind::phb),
           node = joined(PathKind::node);
    std::map<std::size_t, std::set<std::size_t>> inside;  // PIX groups of a PXB group
    std::map<std::size_t, int> members;                   // of a PIX group
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      inside[pxb.of(i)].insert(pix.of(i));
      ++members[pix.of(i)];
    }
    std::map<std::size_t, DeviceId> sockets, bridges, upper, lower;
    int switches = 0, gpus = 0, nics = 0;
    // The device of a group, made below `above`.
    const auto part = [&](std::map<std::size_t, DeviceId>& made, std::size_t group, Device device,
                          DeviceId above) {
      const auto [found, fresh] = made.try_emplace(group, DeviceId{0});
      if (fresh) {
        found->second = t.add(device);
        LinkSpec link = pcie_;
        link.latency = device.kind == DeviceKind::host_bridge ? Seconds() : link.latency;
        t.connect(above, found->second, link);
      }
      return found->second;
    };
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (sockets.count(node.of(i)) == 0) {
        const DeviceId fresh = t.add({DeviceKind::socket, 0, static_cast<int>(sockets.size())});
        for (const auto& [group, other] : sockets) {
          t.connect(other, fresh, spec(entry("CPU-sockets"), LinkKind::socket));
        }
        sockets[node.of(i)] = fresh;
      }
      DeviceId above =
          part(bridges, phb.of(i), {DeviceKind::host_bridge, 0, static_cast<int>(bridges.size())},
               sockets[node.of(i)]);
      const bool nested = inside[pxb.of(i)].size() > 1;
      if (nested) {
        switches += upper.count(pxb.of(i)) == 0 ? 1 : 0;
        above = part(upper, pxb.of(i), {DeviceKind::pcie_switch, 0, switches - 1}, above);
      }
      if (nested || members[pix.of(i)] > 1) {
        switches += lower.count(pix.of(i)) == 0 ? 1 : 0;
        above = part(lower, pix.of(i), {DeviceKind::pcie_switch, 0, switches - 1}, above);
      }
      const bool gpu = is_gpu(names_[i]);
      ids_.push_back(t.add({gpu ? DeviceKind::gpu : DeviceKind::nic, 0, gpu ? gpus++ : nics++}));
      t.connect(above, ids_.back(), pcie_);
      if (!gpu) {
        result_.nic_bandwidth.emplace_back(0.0);
      }
    }
  }

  void connect_gpus() {
    Topology& t = result_.topology;
    Groups linked(rows_.size());
    std::vector<int> sum(rows_.size()), most(rows_.size());
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      for (std::size_t j = 0; j < rows_.size(); ++j) {
        if (rows_[i].cells[j].kind == PathKind::nvlink) {
          linked.join(i, j);
          sum[i] += rows_[i].cells[j].nvlinks;
          most[i] = std::max(most[i], rows_[i].cells[j].nvlinks);
        }
      }
    }
    std::set<std::size_t> switched;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (sum[i] > kLinksMax) {
        switched.insert(linked.of(i));
      }
    }
    std::map<std::size_t, DeviceId> crossbars;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (most[i] > 0 && switched.count(linked.of(i)) > 0) {
        const auto [found, fresh] = crossbars.try_emplace(linked.of(i), DeviceId{0});
        if (fresh) {
          found->second = t.add({DeviceKind::nvswitch, 0, static_cast<int>(crossbars.size()) - 1});
        }
        t.connect(ids_[i], found->second, spec(*nvlink_, LinkKind::nvlink, most[i]));
        continue;
      }
      for (std::size_t j = 0; j < i; ++j) {
        const Cell& cell = rows_[i].cells[j];
        if (cell.kind == PathKind::nvlink) {
          t.connect(ids_[j], ids_[i], spec(*nvlink_, LinkKind::nvlink, cell.nvlinks));
        }
      }
    }
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (rows_[i].cells[j].kind == PathKind::xgmi) {
          t.connect(ids_[j], ids_[i], spec(entry("xGMI-MI300"), LinkKind::xgmi));
        }
      }
    }
  }

  // Not every matrix is that of a tree; say where the graph differs.
  void compare() {
    std::size_t different = 0;
    std::string first;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        const std::string graph = path_text(result_.topology, ids_[i], ids_[j]);
        if (graph != cell_text(rows_[i].cells[j])) {
          first = first.empty() ? fmt::format("{} and {}: {} in the file, {} in the graph", names_[j],
                                              names_[i], cell_text(rows_[i].cells[j]), graph)
                                : first;
          ++different;
        }
      }
    }
    if (different > 0) {
      result_.notes.push_back(first +
                              (different > 1 ? fmt::format(", and {} more such pairs", different - 1) : ""));
    }
  }

  const std::string& name_;
  const Catalogue& catalogue_;
  Imported result_;
  std::vector<Problem> problems_;
  std::vector<std::string> names_;
  std::vector<Row> rows_;
  std::vector<DeviceId> ids_;  // by row
  LinkSpec pcie_;
  const Fabric* nvlink_ = nullptr;
};

}  // namespace

Imported import_topo_matrix(std::string_view text, const std::string& name, const Catalogue& catalogue) {
  return MatrixImport(name, catalogue).run(text);
}

Imported import_topology(std::string_view text, const std::string& name, const Catalogue& catalogue) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '<' ? import_nccl_xml(text, name, catalogue)
                                                               : import_topo_matrix(text, name, catalogue);
}

std::string path_text(const Topology& topology, DeviceId a, DeviceId b) {
  return cell_text({topology.path_kind(a, b), topology.nvlinks(a, b)});
}

std::string export_topo_matrix(const Topology& topology, int node) {
  std::vector<DeviceId> listed = topology.of_node(node, DeviceKind::gpu);
  const std::vector<DeviceId> nics = topology.of_node(node, DeviceKind::nic);
  listed.insert(listed.end(), nics.begin(), nics.end());
  const auto name = [&](DeviceId id) {
    const Device& device = topology.device(id);
    return (device.kind == DeviceKind::gpu ? "GPU" : "NIC") + std::to_string(device.index);
  };
  // NUMA affinity: the socket nearest to a GPU.
  const auto numa = [&](DeviceId id) -> std::string {
    std::optional<std::size_t> nearest;
    int found = 0;
    for (const DeviceId socket : topology.of_node(node, DeviceKind::socket)) {
      const std::size_t hops = topology.route(id, socket).size();
      if (hops > 0 && (!nearest || hops < *nearest)) {
        nearest = hops;
        found = topology.device(socket).index;
      }
    }
    return nearest && topology.device(id).kind == DeviceKind::gpu ? std::to_string(found) : "";
  };
  std::string text;
  for (const DeviceId id : listed) {
    text += "\t" + name(id);
  }
  text += "\tCPU Affinity\tNUMA Affinity\n";
  for (const DeviceId row : listed) {
    text += name(row);
    for (const DeviceId column : listed) {
      text += "\t" + path_text(topology, row, column);
    }
    const std::string affinity = numa(row);
    text += (affinity.empty() ? "" : "\tN/A\t" + affinity) + "\n";
  }
  return text;
}

}  // namespace gpuplan::fabric
