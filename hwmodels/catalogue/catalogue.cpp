#include "hwmodels/catalogue/catalogue.h"

#include <algorithm>
#include <mutex>
#include <set>

#include "hwmodels/catalogue/entry.h"
#include "hwmodels/catalogue/price_table.h"

namespace gpuplan {

std::span<const std::string_view> enum_names(Standing /*tag*/) {
  static constexpr std::array<std::string_view, 4> kNames = {"datasheet", "measured", "derived", "assumed"};
  return kNames;
}

std::span<const std::string_view> enum_names(ScaleUp /*tag*/) {
  static constexpr std::array<std::string_view, 4> kNames = {"nvswitch", "all_to_all", "pairs", "pcie"};
  return kNames;
}

std::span<const std::string_view> enum_names(PriceCovers /*tag*/) {
  static constexpr std::array<std::string_view, 3> kNames = {"gpu", "board", "server"};
  return kNames;
}

struct Catalogue::Later {
  std::string data_dir;
  catalogue::SourceTable sources;
  std::once_flag prices_once, tco_once;
  std::vector<PricePoint> prices;
  json::Value tco;
};

namespace {

// Reads every file of a folder by `read_one`; the "order" members decide the order, then the names.
template <class T, class Read>
std::vector<T> read_folder(const std::string& data_dir, std::string_view name,
                           const catalogue::SourceTable& sources, std::vector<Problem>& problems,
                           Read read_one) {
  std::vector<std::pair<double, T>> found;
  for (const std::string& file : catalogue::json_files(catalogue::folder(data_dir, name))) {
    json::Value root = json::parse_file(file);
    if (!root.is_object()) {
      problems.push_back({file + ": $", json::excerpt(root), "an object", ""});
      continue;
    }
    const json::Value raw = root;
    catalogue::Entry entry(raw, file, sources, problems);
    const double order = entry.plain_number("order", 1e6);
    found.emplace_back(order, read_one(entry, std::move(root)));
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<T> out;
  out.reserve(found.size());
  for (auto& [order, entry] : found) {
    out.push_back(std::move(entry));
  }
  return out;
}

// Two entries of one kind must not answer to the same name.
template <class T>
void check_names(const std::vector<T>& entries, std::string_view kind, std::vector<Problem>& problems) {
  std::map<std::string, std::string> owner;
  for (const T& entry : entries) {
    std::set<std::string> own{plain_name(entry.name)};
    for (const std::string& alias : entry.aliases) {
      own.insert(plain_name(alias));
    }
    for (const std::string& name : own) {
      const auto [at, fresh] = owner.emplace(name, entry.name);
      if (!fresh) {
        problems.push_back({"catalogue " + std::string(kind) + " " + entry.name,
                            "the name " + name + " of " + at->second, "a name of its own", ""});
      }
    }
  }
}

template <class T>
const T* find_entry(const std::vector<T>& entries, const std::string& wanted) {
  for (const T& entry : entries) {
    if (plain_name(entry.name) == wanted) {
      return &entry;
    }
  }
  for (const T& entry : entries) {
    for (const std::string& alias : entry.aliases) {
      if (plain_name(alias) == wanted) {
        return &entry;
      }
    }
  }
  return nullptr;
}

template <class T>
std::vector<std::string> names_of(const std::vector<T>& entries) {
  std::vector<std::string> out;
  out.reserve(entries.size());
  for (const T& entry : entries) {
    out.push_back(entry.name);
  }
  return out;
}

}  // namespace

Catalogue Catalogue::load(const std::string& data_dir) {
  Catalogue out;
  out.later_ = std::make_shared<Later>();
  out.later_->data_dir = data_dir;
  out.later_->sources = catalogue::read_sources(data_dir);
  const catalogue::SourceTable& sources = out.later_->sources;
  std::vector<Problem> problems;
  out.gpus_ = read_folder<Gpu>(data_dir, "gpus", sources, problems, catalogue::read_gpu);
  out.nodes_ = read_folder<Node>(data_dir, "nodes", sources, problems, catalogue::read_node);
  out.fabrics_ = read_folder<Fabric>(data_dir, "fabrics", sources, problems, catalogue::read_fabric);
  check_names(out.gpus_, "GPU", problems);
  check_names(out.nodes_, "node", problems);
  check_names(out.fabrics_, "fabric", problems);
  for (const Node& node : out.nodes_) {
    for (const std::string& gpu : node.gpus) {
      if (out.gpu(gpu) == nullptr) {
        problems.push_back({"catalogue node " + node.name, "the GPU \"" + gpu + "\"",
                            "a GPU of the catalogue", did_you_mean(gpu, out.gpu_names())});
      }
    }
    if (!node.fabric.empty() && out.fabric(node.fabric) == nullptr) {
      problems.push_back({"catalogue node " + node.name, "the fabric \"" + node.fabric + "\"",
                          "a fabric of the catalogue", did_you_mean(node.fabric, out.fabric_names())});
    }
  }
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  return out;
}

const Gpu* Catalogue::gpu(std::string_view name) const {
  std::string wanted = plain_name(name);
  if (const Gpu* found = find_entry(gpus_, wanted)) {
    return found;
  }
  // As sellers write it: "NVIDIA H100 PCIe", "NVIDIA GeForce RTX 4090", "AMD Instinct MI300X".
  for (const std::string_view word : {"nvidia", "amd", "geforce", "tesla", "instinct"}) {
    if (wanted.starts_with(word)) {
      wanted.erase(0, word.size());
    }
  }
  return wanted.empty() ? nullptr : find_entry(gpus_, wanted);
}

const Node* Catalogue::node(std::string_view name) const { return find_entry(nodes_, plain_name(name)); }
const Fabric* Catalogue::fabric(std::string_view name) const {
  return find_entry(fabrics_, plain_name(name));
}

const Node* Catalogue::default_node(std::string_view gpu_name) const {
  const Gpu* wanted = gpu(gpu_name);
  for (const Node& node : nodes_) {
    for (const std::string& carried : node.gpus) {
      if (wanted != nullptr && carried == wanted->name) {
        return &node;
      }
    }
  }
  return nullptr;
}

std::vector<std::string> Catalogue::gpu_names() const { return names_of(gpus_); }
std::vector<std::string> Catalogue::node_names() const { return names_of(nodes_); }
std::vector<std::string> Catalogue::fabric_names() const { return names_of(fabrics_); }

const std::vector<PricePoint>& Catalogue::prices() const {
  static const std::vector<PricePoint> kNone;
  if (later_ == nullptr) {
    return kNone;
  }
  std::call_once(later_->prices_once, [this] { later_->prices = catalogue::read_prices(later_->data_dir); });
  return later_->prices;
}

const PricePoint* Catalogue::latest_on_demand(std::string_view gpu_name) const {
  const auto going = going_price(*this, {.gpu = std::string(gpu_name), .kind = PriceKind::on_demand});
  return going ? going->point : nullptr;
}

const PricePoint* Catalogue::latest_purchase(std::string_view gpu_name) const {
  const auto going = going_price(*this, {.gpu = std::string(gpu_name), .kind = PriceKind::purchase});
  return going ? going->point : nullptr;
}

std::optional<Fact> Catalogue::tco(std::string_view path) const {
  if (later_ == nullptr) {
    return std::nullopt;
  }
  std::call_once(later_->tco_once,
                 [this] { later_->tco = json::parse_file(catalogue::folder(later_->data_dir, "tco.json")); });
  const json::Value* at = &later_->tco;
  while (at != nullptr && !path.empty()) {
    const std::size_t dot = path.find('.');
    at = at->find(path.substr(0, dot));
    path = dot == std::string_view::npos ? "" : path.substr(dot + 1);
  }
  const json::Value* value = at == nullptr ? nullptr : at->find("value");
  if (value == nullptr || !value->is_number()) {
    return std::nullopt;
  }
  Fact fact{value->number(), {}, {}, {}, ""};
  const auto bound = [&](std::string_view name) {
    const json::Value* number = at->find(name);
    return number != nullptr && number->is_number() ? std::optional(number->number()) : std::nullopt;
  };
  fact.low = bound("low");
  fact.high = bound("high");
  if (const json::Value* tag = at->find("source"); tag != nullptr && tag->is_string()) {
    if (const auto source = later_->sources.find(tag->string()); source != later_->sources.end()) {
      fact.source = source->second;
    }
  }
  if (const json::Value* note = at->find("note"); note != nullptr && note->is_string()) {
    fact.note = note->string();
  }
  return fact;
}

}  // namespace gpuplan
