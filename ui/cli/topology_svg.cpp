#include "ui/cli/topology_svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "hwmodels/fabric/summary.h"
#include "hwmodels/json/describe.h"
#include "ui/cli/terminal.h"
#include "ui/cli/topology_text.h"

namespace gpuplan::cli {

using namespace fabric;

namespace {

constexpr double kMargin = 130.0;  // left, for the names of the rows
constexpr double kGap = 60.0;      // between nodes
constexpr double kMore = 90.0;     // for the number of nodes that are left out
constexpr double kBox = 26.0;      // height of a box
constexpr std::size_t kSwitches = 16, kFewSwitches = 4, kNicsPerCell = 4;

struct Look {
  const char* row;  // name of the row
  const char* fill;
  const char* edge;
};
Look look_of(DeviceKind kind) {
  switch (kind) {
    case DeviceKind::gpu:
      return {"GPUs", "#c9e8bf", "#4f8f3e"};
    case DeviceKind::nvswitch:
      return {"NVSwitch", "#8fc97f", "#3f7a30"};
    case DeviceKind::pcie_switch:
      return {"PCIe switches", "#e1e4ea", "#7b8494"};
    case DeviceKind::host_bridge:
      return {"host bridges", "#f1f2f5", "#9aa1ad"};
    case DeviceKind::socket:
      return {"CPU sockets", "#fae3b0", "#b98a2b"};
    case DeviceKind::nic:
      return {"NICs", "#e4d6f5", "#7d57ab"};
    case DeviceKind::leaf:
      return {"leaf switches", "#cfe3f8", "#3f78b5"};
    case DeviceKind::spine:
      return {"spine switches", "#b4d3f2", "#34689f"};
    case DeviceKind::core:
      return {"core switches", "#97c0ea", "#285888"};
  }
  return {"", "#fff", "#000"};
}
const char* colour_of(LinkKind kind) {
  switch (kind) {
    case LinkKind::nvlink:
      return "#4f9d3c";
    case LinkKind::xgmi:
      return "#d1495b";
    case LinkKind::c2c:
      return "#2a9d8f";
    case LinkKind::pcie:
      return "#8a93a3";
    case LinkKind::socket:
      return "#d19a2a";
    case LinkKind::network:
      return "#4a86c5";
  }
  return "#000";
}
const char* name_of_link(LinkKind kind) {
  switch (kind) {
    case LinkKind::nvlink:
      return "NVLink";
    case LinkKind::xgmi:
      return "xGMI";
    case LinkKind::c2c:
      return "C2C";
    case LinkKind::pcie:
      return "PCIe";
    case LinkKind::socket:
      return "CPU to CPU";
    case LinkKind::network:
      return "network";
  }
  return "";
}
// Host bridges are not drawn by themselves.
std::string drawn_noun_of(DeviceKind kind) {
  return noun_of(kind == DeviceKind::host_bridge ? DeviceKind::socket : kind);
}
// 25 GB/s: 1.4; each doubling 0.9 more.
double stroke_of(const LinkSpec& link) {
  return link.bandwidth.si() > 0.0 ? std::clamp(1.4 + 0.9 * std::log2(link.bandwidth.si() / 25e9), 0.8, 8.0)
                                   : 0.8;
}

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  }
  return out;
}

struct Place {
  double x = 0, y = 0, width = 0;  // centre and width of the box
};

class Drawing {
 public:
  Drawing(const Topology& topology, std::string title) : topology_(topology), title_(std::move(title)) {
    cell_ = 78.0;
    std::size_t most = 1;
    for (int node = 0; node < topology.node_count(); ++node) {
      most = std::max(most, topology.of_node(node, DeviceKind::gpu).size());
    }
    if (most > 8) {
      cell_ = std::max(24.0, 8.0 * cell_ / static_cast<double>(most));
    }
  }

  std::string svg() {
    choose_nodes();
    choose_switches();
    double top = 64.0 + (leaves_joined() ? 50.0 : 0.0);
    for (const DeviceKind kind : {DeviceKind::core, DeviceKind::spine, DeviceKind::leaf}) {
      if (!rows_[kind].empty()) {
        row_y_[kind] = top + kBox / 2.0;
        // Many lines need room, and must let others through.
        const std::size_t lines =
            kind == DeviceKind::leaf
                ? 0
                : lines_above(kind == DeviceKind::core ? DeviceKind::spine : DeviceKind::leaf, kind);
        dense_ = std::max(dense_, lines);
        top += kind == DeviceKind::leaf ? 120.0
                                        : 95.0 + 0.7 * static_cast<double>(std::min<std::size_t>(lines, 130));
      }
    }
    nodes_top_ = top;
    layout_nodes();
    layout_switches();
    links();
    for (const auto& [id, place] : places_) {
      box(id, place);
    }
    row_names();
    return finish();
  }

 private:
  // First and last; everything where there are no more than two.
  void choose_nodes() {
    const int count = topology_.node_count();
    if (count > 0) {
      drawn_.push_back(0);
    }
    if (count > 1) {
      drawn_.push_back(count - 1);
    }
  }

  // Switches that the drawn nodes reach, level by level; of many, the first few of each one below.
  void choose_switches() {
    std::vector<DeviceId> below;
    for (const int node : drawn_) {
      const std::vector<DeviceId> nics = topology_.of_node(node, DeviceKind::nic);
      below.insert(below.end(), nics.begin(), nics.end());
    }
    for (const DeviceKind kind : {DeviceKind::leaf, DeviceKind::spine, DeviceKind::core}) {
      std::set<DeviceId> found = above_of(below, kind, topology_.device_count());
      if (found.size() > kSwitches / 2) {
        found = above_of(below, kind, kFewSwitches);
      }
      // Of still too many, every n-th.
      const std::size_t step = std::max<std::size_t>(1, (found.size() + kSwitches - 1) / kSwitches);
      std::size_t i = 0;
      for (const DeviceId id : found) {
        if (i++ % step == 0) {
          rows_[kind].push_back(id);
        }
      }
      below = rows_[kind];
      std::sort(rows_[kind].begin(), rows_[kind].end(), [&](DeviceId a, DeviceId b) {
        return topology_.device(a).index < topology_.device(b).index;
      });
    }
  }

  // Lines that will be drawn between a row of switches and the one above it.
  std::size_t lines_above(DeviceKind kind, DeviceKind upper) const {
    std::size_t count = 0;
    const auto row = rows_.find(kind), above = rows_.find(upper);
    if (row == rows_.end() || above == rows_.end()) {
      return 0;
    }
    for (const DeviceId id : row->second) {
      for (const LinkId link : topology_.links_from(id)) {
        const std::vector<DeviceId>& drawn = above->second;
        count += std::find(drawn.begin(), drawn.end(), topology_.links()[link].to) != drawn.end() ? 1U : 0U;
      }
    }
    return count;
  }

  // Neighbours of `kind`, at most `each` of every device.
  std::set<DeviceId> above_of(const std::vector<DeviceId>& below, DeviceKind kind, std::size_t each) const {
    std::set<DeviceId> found;
    for (const DeviceId id : below) {
      std::size_t taken = 0;
      for (const LinkId link : topology_.links_from(id)) {
        const DeviceId to = topology_.links()[link].to;
        if (topology_.device(to).kind == kind && taken < each) {
          found.insert(to);
          ++taken;
        }
      }
    }
    return found;
  }

  // Whether leaves are joined without spines, by arcs above them.
  bool leaves_joined() const {
    const auto row = rows_.find(DeviceKind::leaf);
    return row != rows_.end() && std::any_of(row->second.begin(), row->second.end(), [&](DeviceId leaf) {
             const auto links = topology_.links_from(leaf);
             return std::any_of(links.begin(), links.end(), [&](LinkId id) {
               return topology_.device(topology_.links()[id].to).kind == DeviceKind::leaf;
             });
           });
  }

  // Host bridges are not drawn: what hangs on one hangs on its socket.
  DeviceId parent_of(DeviceId id, const std::map<DeviceId, DeviceId>& above) const {
    for (auto up = above.find(id); up != above.end(); up = above.find(up->second)) {
      if (topology_.device(up->second).kind != DeviceKind::host_bridge) {
        return up->second;
      }
    }
    return id;
  }

  struct Branch {
    std::vector<DeviceId> gpus, nics, children;
    int depth = 0;
    double left = 0, right = 0;  // in cells
  };

  void layout_nodes() {
    double left = kMargin;
    for (std::size_t i = 0; i < drawn_.size(); ++i) {
      const double width = layout_node(drawn_[i], left);
      left += width + kGap + (i == 0 && topology_.node_count() > 2 ? kMore : 0.0);
      right_ = left - kGap;
    }
    if (topology_.node_count() > 2) {
      const double x = frames_[0].x + frames_[0].width / 2.0 + (kGap + kMore) / 2.0;
      text(x, nodes_top_ + 70.0, fmt::format("{} more", grouped(topology_.node_count() - 2)), 13, "middle",
           "#667");
      text(x, nodes_top_ + 90.0, topology_.node_count() == 3 ? "node" : "nodes", 13, "middle", "#667");
      text(x, nodes_top_ + 120.0, "...", 20, "middle", "#667");
    }
  }

  // Gives each switch and socket the cells of what hangs below it; returns the width of the node.
  double layout_node(int node, double left) {
    // The tree below the sockets.
    std::map<DeviceId, DeviceId> above;
    std::vector<DeviceId> open = topology_.of_node(node, DeviceKind::socket);
    std::set<DeviceId> seen(open.begin(), open.end());
    for (std::size_t i = 0; i < open.size(); ++i) {
      for (const LinkId id : topology_.links_from(open[i])) {
        const Link& link = topology_.links()[id];
        const bool down = link.spec.kind == LinkKind::pcie || link.spec.kind == LinkKind::c2c;
        const DeviceKind from = topology_.device(link.from).kind;
        if (down && from != DeviceKind::gpu && from != DeviceKind::nic && seen.insert(link.to).second) {
          above[link.to] = link.from;
          open.push_back(link.to);
        }
      }
    }
    std::map<DeviceId, Branch> branches;
    std::vector<DeviceId> roots = topology_.of_node(node, DeviceKind::socket);
    for (const DeviceId id : topology_.devices_of(node)) {
      const DeviceKind kind = topology_.device(id).kind;
      const DeviceId parent = parent_of(id, above);
      if (kind == DeviceKind::gpu) {
        branches[parent].gpus.push_back(id);
      } else if (kind == DeviceKind::nic) {
        branches[parent].nics.push_back(id);
      } else if (kind == DeviceKind::pcie_switch && parent != id) {
        branches[parent].children.push_back(id);
      }
      // What no socket holds stands for itself.
      if (parent == id &&
          (kind == DeviceKind::gpu || kind == DeviceKind::nic || kind == DeviceKind::pcie_switch)) {
        roots.push_back(id);
      }
    }
    double cells = 0;
    int deepest = 0;
    for (const DeviceId root : roots) {
      cells = layout_branch(root, branches, cells, 0, deepest);
    }
    cells = std::max(cells, 1.0);

    const double inner = nodes_top_ + 40.0;
    const bool nics = !topology_.of_node(node, DeviceKind::nic).empty();
    const bool sockets = !topology_.of_node(node, DeviceKind::socket).empty();
    double y = inner + kBox / 2.0;
    if (nics) {
      row_y_[DeviceKind::nic] = y;
      y += 62.0;
    }
    if (sockets) {
      row_y_[DeviceKind::socket] = y;
      y += 58.0;
    }
    if (deepest > 0) {
      row_y_[DeviceKind::pcie_switch] = y;
      y += 58.0 * deepest;
    }
    row_y_[DeviceKind::gpu] = y + (deepest > 0 ? 8.0 : 20.0);
    for (const auto& [id, branch] : branches) {
      place_branch(id, branch, left);
    }
    for (const DeviceId id : topology_.of_node(node, DeviceKind::socket)) {
      place_socket(id, branches[id], left);
    }
    double bottom = row_y_[DeviceKind::gpu] + kBox / 2.0;
    const double width = cells * cell_;
    const std::vector<DeviceId> crossbars = topology_.of_node(node, DeviceKind::nvswitch);
    if (!crossbars.empty()) {
      row_y_[DeviceKind::nvswitch] = row_y_[DeviceKind::gpu] + 78.0;
      bottom = row_y_[DeviceKind::nvswitch] + kBox / 2.0;
      const double each = width / static_cast<double>(crossbars.size());
      for (std::size_t i = 0; i < crossbars.size(); ++i) {
        places_[crossbars[i]] = {left + each * (static_cast<double>(i) + 0.5), row_y_[DeviceKind::nvswitch],
                                 each - 12.0};
      }
    }
    // Room for arcs between GPUs.
    double arc = 0.0;
    for (const Link& link : topology_.links()) {
      if (topology_.device(link.from).node == node && is_arc(link)) {
        arc = std::max(arc, arc_depth(places_[link.from].x, places_[link.to].x));
      }
    }
    bottom = std::max(bottom, row_y_[DeviceKind::gpu] + kBox / 2.0 + arc);
    frames_.push_back({left + width / 2.0, bottom, width + 24.0});
    bottom_ = std::max(bottom_, bottom + 16.0);
    frame_names_.push_back(fmt::format("node {}", node));
    return width;
  }

  bool is_arc(const Link& link) const {
    return topology_.device(link.from).kind == DeviceKind::gpu &&
           topology_.device(link.to).kind == DeviceKind::gpu;
  }
  static double arc_depth(double a, double b) { return 14.0 + 0.22 * std::abs(a - b); }

  double layout_branch(DeviceId id, std::map<DeviceId, Branch>& branches, double cells, int depth,
                       int& deepest) {
    Branch& branch = branches[id];
    branch.left = cells;
    branch.depth = depth;
    deepest =
        std::max(deepest, topology_.device(id).kind == DeviceKind::pcie_switch ? std::max(depth, 1) : 0);
    const std::size_t nic_cells = (branch.nics.size() + kNicsPerCell - 1) / kNicsPerCell;
    cells += static_cast<double>(std::max(branch.gpus.size(), nic_cells));
    for (const DeviceId child : std::vector<DeviceId>(branch.children)) {
      cells = layout_branch(child, branches, cells, depth + 1, deepest);
    }
    Branch& again = branches[id];
    again.right = std::max(cells, again.left + (again.children.empty() ? 1.0 : 0.0));
    return again.right;
  }

  void place_branch(DeviceId id, const Branch& branch, double left) {
    const Device& device = topology_.device(id);
    const double own = static_cast<double>(
        std::max(branch.gpus.size(), (branch.nics.size() + kNicsPerCell - 1) / kNicsPerCell));
    const double begin = left + branch.left * cell_, end = left + branch.right * cell_;
    const auto spread = [&](const std::vector<DeviceId>& ids, double y, double widest) {
      const double each = own * cell_ / static_cast<double>(std::max<std::size_t>(1, ids.size()));
      for (std::size_t i = 0; i < ids.size(); ++i) {
        places_[ids[i]] = {begin + each * (static_cast<double>(i) + 0.5), y, std::min(widest, each * 0.84)};
      }
    };
    spread(branch.gpus, row_y_[DeviceKind::gpu], cell_ * 0.84);
    spread(branch.nics, row_y_[DeviceKind::nic], cell_ * 0.7);
    if (device.kind == DeviceKind::pcie_switch) {
      places_[id] = {(begin + end) / 2.0,
                     row_y_[DeviceKind::pcie_switch] + 58.0 * std::max(0, branch.depth - 1),
                     end - begin - 0.16 * cell_};
    }
  }

  // In the middle of what hangs on it, or beside it where the line of a NIC would pass behind the box.
  void place_socket(DeviceId id, const Branch& branch, double left) {
    const double begin = left + branch.left * cell_, end = left + branch.right * cell_;
    const double width = std::min(64.0, (end - begin) * 0.6), middle = (begin + end) / 2.0;
    const std::set<DeviceId> own(branch.nics.begin(), branch.nics.end());  // whose lines end here
    const auto clear = [&](double x) {
      return x - width / 2.0 >= begin && x + width / 2.0 <= end &&
             std::none_of(places_.begin(), places_.end(), [&](const auto& placed) {
               return topology_.device(placed.first).kind == DeviceKind::nic && !own.contains(placed.first) &&
                      std::abs(placed.second.x - x) < width / 2.0 + 4.0;
             });
    };
    double x = middle;
    for (int step = 0; step < 16 && !clear(x); ++step) {
      const int away = 1 + step / 2;
      x = middle + (step % 2 == 0 ? 0.25 : -0.25) * cell_ * away;
    }
    places_[id] = {clear(x) ? x : middle, row_y_[DeviceKind::socket], width};
  }

  void layout_switches() {
    for (const auto& [kind, row] : rows_) {
      const double each = (right_ - kMargin) / static_cast<double>(std::max<std::size_t>(1, row.size()));
      for (std::size_t i = 0; i < row.size(); ++i) {
        places_[row[i]] = {kMargin + each * (static_cast<double>(i) + 0.5), row_y_[kind],
                           std::min(92.0, each * 0.8)};
      }
    }
  }

  void line(double x1, double y1, double x2, double y2, const LinkSpec& spec, double opacity = 0.8) {
    lines_ += fmt::format(
        "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" stroke-width=\"{:.1f}\" "
        "stroke-opacity=\"{:.2f}\"{}/>\n",
        x1, y1, x2, y2, colour_of(spec.kind), stroke_of(spec), opacity,
        spec.bandwidth.si() > 0.0 ? "" : " stroke-dasharray=\"3 4\"");
  }
  void arc(double x1, double x2, double y, double depth, const LinkSpec& spec) {
    lines_ += fmt::format(
        "<path d=\"M {:.1f} {:.1f} C {:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}\" fill=\"none\" stroke=\"{}\" "
        "stroke-width=\"{:.1f}\" stroke-opacity=\"0.7\"/>\n",
        x1, y, x1 + (x2 - x1) * 0.15, y + depth * 4.0 / 3.0, x2 - (x2 - x1) * 0.15, y + depth * 4.0 / 3.0, x2,
        y, colour_of(spec.kind), stroke_of(spec));
  }

  void links() {
    for (const Link& l : topology_.links()) {
      if (l.to < l.from && topology_.link(l.to, l.from)) {
        continue;  // drawn the other way round
      }
      DeviceId a = l.from, b = l.to;
      // Through a host bridge to its socket.
      for (DeviceId* end : {&a, &b}) {
        if (topology_.device(*end).kind == DeviceKind::host_bridge) {
          for (const LinkId up : topology_.links_from(*end)) {
            const DeviceId to = topology_.links()[up].to;
            *end = topology_.device(to).kind == DeviceKind::socket ? to : *end;
          }
        }
      }
      if (a == b || places_.count(a) == 0 || places_.count(b) == 0) {
        continue;
      }
      draw_link(a, b, l);
    }
  }

  double opacity_of(const Link& l) const {
    const bool switches = topology_.device(l.from).node < 0 && topology_.device(l.to).node < 0;
    return l.spec.kind != LinkKind::network ? 0.8 : switches && dense_ > 60 ? 0.3 : 0.55;
  }

  void draw_link(DeviceId a, DeviceId b, const Link& l) {
    const Place &p = places_[a], &q = places_[b];
    if (is_arc(l)) {
      arc(p.x, q.x, p.y + kBox / 2.0, arc_depth(p.x, q.x), l.spec);
    } else if (p.y == q.y && topology_.device(a).kind == DeviceKind::leaf) {
      arc(p.x, q.x, p.y - kBox / 2.0, -std::min(60.0, 10.0 + 0.05 * std::abs(p.x - q.x)), l.spec);
    } else {
      // From edge to edge, as steep as the wider box allows.
      const bool p_above = p.y < q.y;
      const Place &upper = p_above ? p : q, &lower = p_above ? q : p;
      const auto within = [](const Place& box, double x) {
        const double half = std::max(0.42 * box.width, box.width / 2.0 - 8.0);
        return std::clamp(x, box.x - half, box.x + half);
      };
      const double x = lower.width > 1.8 * upper.width ? upper.x : lower.x;
      const bool level = p.y == q.y;
      line(within(upper, x), upper.y + (level ? 0.0 : kBox / 2.0), within(lower, x),
           lower.y - (level ? 0.0 : kBox / 2.0), l.spec, opacity_of(l));
    }
  }

  void box(DeviceId id, const Place& place) {
    const Device& device = topology_.device(id);
    const Look look = look_of(device.kind);
    boxes_ += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"4\" fill=\"{}\" "
        "stroke=\"{}\"/>\n",
        place.x - place.width / 2.0, place.y - kBox / 2.0, place.width, kBox, look.fill, look.edge);
    std::string label = std::to_string(device.index);
    static const std::map<DeviceKind, const char*> prefixes = {{DeviceKind::gpu, "GPU "},
                                                               {DeviceKind::nic, "NIC "},
                                                               {DeviceKind::socket, "CPU "},
                                                               {DeviceKind::leaf, "leaf "},
                                                               {DeviceKind::spine, "spine "},
                                                               {DeviceKind::core, "core "},
                                                               {DeviceKind::pcie_switch, "PCIe switch "},
                                                               {DeviceKind::nvswitch, "NVSwitch "}};
    const double size = place.width < 20.0 ? 9.0 : 12.0;
    const std::string longer = prefixes.at(device.kind) + label;
    if (static_cast<double>(longer.size()) * 6.6 + 6.0 < place.width) {
      label = longer;
    }
    if (device.kind == DeviceKind::nvswitch) {
      label = device.chips > 1 ? fmt::format("{} NVSwitch chips, one crossbar", device.chips) : "NVSwitch";
    }
    if (static_cast<double>(label.size()) * size * 0.56 < place.width) {
      text(place.x, place.y + size * 0.36, label, size, "middle", "#1d2430");
    }
  }

  void text(double x, double y, std::string_view what, double size, const char* anchor, const char* colour) {
    boxes_ += fmt::format(
        "<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"{:.0f}\" text-anchor=\"{}\" fill=\"{}\">{}</text>\n", x,
        y, size, anchor, colour, escape(what));
  }

  void row_names() {
    for (const auto& [kind, y] : row_y_) {
      if (y <= 0.0) {
        continue;
      }
      text(16.0, y - 2.0, look_of(kind).row, 12, "start", "#3b4352");
      const int count = device_count(topology_, kind, true);
      std::size_t drawn = 0;
      for (const auto& [id, place] : places_) {
        drawn += topology_.device(id).kind == kind ? static_cast<std::size_t>(topology_.device(id).chips) : 0;
      }
      text(16.0, y + 12.0,
           static_cast<int>(drawn) < count ? fmt::format("{} of {}", drawn, grouped(count)) : grouped(count),
           11, "start", "#7a8291");
    }
  }

  // One line per sort of link, in two columns.
  std::string legend(double top, double& bottom) {
    std::string out;
    double y = top;
    for (const LinkGroup& group : link_groups(topology_)) {
      if (group.a == DeviceKind::host_bridge && group.b == DeviceKind::socket) {
        continue;  // part of a line that is drawn
      }
      const LinkSpec& s = group.spec;
      out += fmt::format(
          "<line x1=\"16\" y1=\"{0:.1f}\" x2=\"56\" y2=\"{0:.1f}\" stroke=\"{1}\" "
          "stroke-width=\"{2:.1f}\"/>\n",
          y, colour_of(s.kind), stroke_of(s));
      out += fmt::format(
          "<text x=\"66\" y=\"{:.1f}\" font-size=\"12\" fill=\"#1d2430\">{}, {} to {}: {} each way{}; {} of "
          "them</text>\n",
          y + 4.0, name_of_link(s.kind), drawn_noun_of(group.a), drawn_noun_of(group.b),
          si(s.bandwidth.si(), "B/s"), s.width > 1 ? fmt::format(" over {} links", s.width) : "",
          grouped(group.count));
      y += 20.0;
    }
    bottom = y;
    return out;
  }

  std::string finish() {
    double bottom = 0;
    const std::string legend_text = legend(bottom_ + 40.0, bottom);
    const double width = std::max(right_ + 30.0, 640.0), height = bottom + 10.0;
    std::string out = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" viewBox=\"0 0 "
        "{0:.0f} {1:.0f}\" "
        "font-family=\"Helvetica, Arial, DejaVu Sans, sans-serif\">\n<rect width=\"100%\" height=\"100%\" "
        "fill=\"#fff\"/>\n"
        "<text x=\"16\" y=\"32\" font-size=\"18\" font-weight=\"bold\" fill=\"#1d2430\">{2}</text>\n",
        width, height, escape(title_));
    std::string names;
    for (std::size_t i = 0; i < frames_.size(); ++i) {
      const Place& f = frames_[i];
      out += fmt::format(
          "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"10\" fill=\"#f8f9fb\" "
          "stroke=\"#c8cdd6\"/>\n",
          f.x - f.width / 2.0, nodes_top_, f.width, f.y + 14.0 - nodes_top_);
      // Readable where a line passes.
      for (const char* pen : {"stroke=\"#f8f9fb\" stroke-width=\"5\" fill=\"none\"", "fill=\"#3b4352\""}) {
        names += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"13\" {}>{}</text>\n",
                             f.x - f.width / 2.0 + 10.0, nodes_top_ + 20.0, pen, frame_names_[i]);
      }
    }
    return out + lines_ + boxes_ + names + legend_text + "</svg>\n";
  }

  const Topology& topology_;
  std::string title_;
  double cell_ = 78.0, nodes_top_ = 0, right_ = kMargin, bottom_ = 0;
  std::size_t dense_ = 0;  // most lines between two rows of switches
  std::vector<int> drawn_;
  std::map<DeviceKind, std::vector<DeviceId>> rows_;  // switches of the network
  std::map<DeviceKind, double> row_y_;
  std::map<DeviceId, Place> places_;
  std::vector<Place> frames_;  // x: centre, y: bottom
  std::vector<std::string> frame_names_;
  std::string lines_, boxes_;
};

}  // namespace

std::string topology_svg(const Topology& topology, const std::string& title) {
  return Drawing(topology, title).svg();
}

}  // namespace gpuplan::cli
