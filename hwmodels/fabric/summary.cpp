#include "hwmodels/fabric/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <tuple>

#include "hwmodels/json/describe.h"

namespace gpuplan::fabric {

std::vector<LinkGroup> link_groups(const Topology& topology) {
  using Key = std::tuple<LinkKind, DeviceKind, DeviceKind, double, int, double, double>;
  std::map<Key, LinkGroup> groups;
  for (LinkId id = 0; id < topology.links().size(); ++id) {
    const Link& link = topology.links()[id];
    const auto back = topology.link(link.to, link.from);
    if (back && link.to < link.from) {
      continue;
    }
    const auto [a, b] = std::minmax(topology.device(link.from).kind, topology.device(link.to).kind);
    const LinkSpec& s = link.spec;
    LinkGroup& group = groups[{s.kind, a, b, s.bandwidth.si(), s.width, s.efficiency, s.latency.si()}];
    group.a = a;
    group.b = b;
    group.spec = s;
    ++group.count;
  }
  std::vector<LinkGroup> list;
  list.reserve(groups.size());
  for (const auto& [key, group] : groups) {
    list.push_back(group);
  }
  return list;
}

int device_count(const Topology& topology, DeviceKind kind, bool chips) {
  int sum = 0;
  for (DeviceId id = 0; id < topology.device_count(); ++id) {
    const Device& device = topology.device(id);
    sum += device.kind != kind ? 0 : chips ? device.chips : 1;
  }
  return sum;
}

Cut bisection(const Topology& topology) {
  const auto gpus = topology.gpus();
  if (gpus.size() < 2) {
    return {};
  }
  if (topology.node_count() == 1) {
    return topology.cut(gpus.first(gpus.size() / 2), gpus.last(gpus.size() - gpus.size() / 2));
  }
  std::vector<DeviceId> lower, upper;
  for (const DeviceId gpu : gpus) {
    (topology.device(gpu).node < topology.node_count() / 2 ? lower : upper).push_back(gpu);
  }
  return lower.empty() || upper.empty() ? Cut{} : topology.cut(lower, upper);
}

namespace {

struct Numbers {
  std::string_view word;  // "gpu"
  int first = 0, last = 0;
};

// "gpu3", "gpu0-3"; nothing where it is neither.
std::optional<Numbers> numbers(std::string_view text) {
  Numbers found;
  const std::size_t digits = text.find_first_of("0123456789");
  if (digits == 0 || digits == std::string_view::npos) {
    return std::nullopt;
  }
  found.word = text.substr(0, digits);
  const char* end = text.data() + text.size();
  auto parsed = std::from_chars(text.data() + digits, end, found.first);
  found.last = found.first;
  if (parsed.ec == std::errc() && parsed.ptr != end && *parsed.ptr == '-') {
    parsed = std::from_chars(parsed.ptr + 1, end, found.last);
  }
  const bool whole = parsed.ec == std::errc() && parsed.ptr == end && found.last >= found.first;
  return whole ? std::optional(found) : std::nullopt;
}

}  // namespace

std::vector<DeviceId> parse_group(const Topology& topology, const std::string& text,
                                  const std::string& path) {
  const std::string form = "node0, node0-3, gpu0-3 or node1/gpu0-3, several joined by commas";
  const auto refuse = [&](const std::string& found, const std::string& expected) {
    throw InputError(Problem{path, found, expected, ""});
  };
  std::vector<DeviceId> group;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t comma = std::min(text.find(',', begin), text.size());
    const std::string part = text.substr(begin, comma - begin);
    begin = comma + 1;
    const std::size_t slash = part.find('/');
    const auto head = numbers(std::string_view(part).substr(0, slash));
    const auto tail = slash == std::string::npos ? head : numbers(std::string_view(part).substr(slash + 1));
    const std::string quoted = "\"" + part.substr(0, 60) + "\"";
    if (!head || !tail || (slash != std::string::npos && head->word != "node")) {
      refuse(quoted, form);
    }
    const bool by_node = head->word == "node";
    if (by_node && head->last >= topology.node_count()) {
      refuse(quoted, fmt::format("nodes 0 to {}", topology.node_count() - 1));
    }
    const std::string_view word = by_node && slash == std::string::npos ? "gpu" : tail->word;
    if (word != "gpu" && word != "nic") {
      throw InputError(Problem{path, quoted, form, did_you_mean(word, {"node", "gpu", "nic"})});
    }
    const DeviceKind kind = word == "gpu" ? DeviceKind::gpu : DeviceKind::nic;
    for (int node = by_node ? head->first : 0; node <= (by_node ? head->last : 0); ++node) {
      std::vector<DeviceId> among;
      for (int n = by_node ? node : 0; n <= (by_node ? node : topology.node_count() - 1); ++n) {
        const auto some = topology.of_node(n, kind);
        among.insert(among.end(), some.begin(), some.end());
      }
      const bool all = by_node && slash == std::string::npos;
      const int last = all ? static_cast<int>(among.size()) - 1 : tail->last;
      if (last >= static_cast<int>(among.size())) {
        refuse(quoted, among.empty() ? fmt::format("devices that exist: there is no {}", word)
                                     : fmt::format("{}s 0 to {}", word, among.size() - 1));
      }
      for (int i = all ? 0 : tail->first; i <= last; ++i) {
        group.push_back(among[static_cast<std::size_t>(i)]);
      }
    }
  }
  const std::set<DeviceId> once(group.begin(), group.end());
  return {once.begin(), once.end()};
}

}  // namespace gpuplan::fabric
