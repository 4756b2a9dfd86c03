// gpuplan catalog: what the catalogue holds, and where each value comes from.
#include <fmt/format.h>

#include <algorithm>

#include "hwmodels/catalogue/catalogue.h"
#include "hwmodels/catalogue/price_table.h"
#include "hwmodels/json/describe.h"
#include "ui/cli/command.h"
#include "ui/cli/price_text.h"
#include "ui/cli/terminal.h"
#include "workloads/models/model.h"

namespace gpuplan::cli {

namespace po = boost::program_options;

namespace {

const std::vector<std::string> kSections = {"gpus", "nodes", "fabrics", "models", "prices"};

po::options_description described() {
  po::options_description options("options");
  auto add = options.add_options();
  add("json", "print JSON instead of text");
  add("date", po::value<std::string>(), "YYYY-MM-DD: prices as known then");
  add("vendor", po::value<std::string>(), "NAME: prices of sellers whose name contains this");
  add("help", "this text");
  return options;
}

std::string tera(std::optional<FlopsPerSecond> rate) {
  return rate && rate->si() > 0.0 ? fmt::format("{:.0f}", rate->si() / 1e12) : "-";
}

std::string gpu_table(const Catalogue& catalogue) {
  using enum Table::Align;
  Table table({"GPU", "SMs", "memory GB", "TB/s", "bf16 TF", "fp8 TF", "link GB/s", "TDP W", "USD/h"});
  for (const Gpu& gpu : catalogue.gpus()) {
    const PricePoint* price = catalogue.latest_on_demand(gpu.name);
    table.row({gpu.name, std::to_string(gpu.sm_count), fmt::format("{:.0f}", gpu.memory.si() / 1e9),
               fmt::format("{:.2f}", gpu.memory_bandwidth.si() / 1e12), tera(gpu.peak(Precision::bf16)),
               tera(gpu.peak(Precision::fp8)), fmt::format("{:.0f}", gpu.scale_up_bandwidth.si() / 1e9),
               fmt::format("{:.0f}", gpu.tdp.si()),
               price != nullptr && price->on_demand ? fmt::format("{:.2f}", price->on_demand->si() * 3600.0)
                                                    : "-"});
  }
  return table.text() +
         "dense rates; link: NVLink or xGMI per direction; USD/h: median on-demand price of the\nlatest 90 "
         "days on record\n";
}

std::string node_table(const Catalogue& catalogue) {
  using enum Table::Align;
  Table table({"node", "GPUs", "GPU", "scale-up", "NICs", "GB/s each", "max W"},
              {left, right, left, left, right, right, right});
  for (const Node& node : catalogue.nodes()) {
    std::string gpus;
    for (const std::string& gpu : node.gpus) {
      gpus += (gpus.empty() ? "" : ", ") + gpu;
    }
    table.row({node.name, std::to_string(node.gpu_count), gpus,
               std::string(json::name_of(node.scale_up)) + (node.switch_reduction ? "+NVLS" : ""),
               std::to_string(node.nic_count), fmt::format("{:g}", node.nic_bandwidth.si() / 1e9),
               node.power.si() > 0.0 ? fmt::format("{:.0f}", node.power.si()) : "-"});
  }
  return table.text();
}

std::string fabric_table(const Catalogue& catalogue) {
  using enum Table::Align;
  Table table({"fabric", "kind", "GB/s per direction", "latency"}, {left, left, right, right});
  for (const Fabric& fabric : catalogue.fabrics()) {
    table.row({fabric.name, fabric.kind, fmt::format("{:g}", fabric.bandwidth.si() / 1e9),
               fabric.latency ? si(fabric.latency->si(), "s") : "unknown"});
  }
  return table.text();
}

std::string model_table(const ModelCatalogue& models) {
  using enum Table::Align;
  Table table({"model", "kind", "parameters", "active", "layers", "hidden", "KV B/token"},
              {left, left, right, right, right, right, right});
  for (const Model& model : models.models()) {
    const ParameterCount count = count_parameters(model);
    const bool decoder = model.kind == ModelKind::decoder;
    table.row({model.name, std::string(json::name_of(model.kind)), si(count.total, ""),
               decoder ? si(count.active, "") : "-", decoder ? std::to_string(model.layers) : "-",
               decoder ? std::to_string(model.hidden) : "-",
               decoder ? grouped(kv_bytes_per_token(model, Precision::bf16).si()) : "-"});
  }
  return table.text() + "parameters derived from shapes; KV bytes in 16 bit\n";
}

// One entry: every field with its value and source.
std::string entry_text(const std::string& name, const json::Value& raw,
                       const std::map<std::string, Source>& sources) {
  using enum Table::Align;
  std::string text = styled(name, Style::heading) + "\n";
  Table table({"field", "value", "standing", "source"}, {left, left, left, left});
  const auto add = [&](const std::string& field, const json::Value& value) {
    const json::Value* inner = value.find("value");
    const json::Value& shown = inner != nullptr ? *inner : value;
    const auto source = sources.find(field);
    std::string printed = shown.is_string()                       ? shown.string()
                          : shown.is_array() || shown.is_object() ? json::dump(shown)
                                                                  : json::excerpt(shown);
    table.row({field, printed,
               source != sources.end() ? std::string(json::name_of(source->second.standing)) : "",
               source != sources.end() ? source->second.text : ""});
  };
  for (const json::Member& member : raw.object()) {
    if (member.first == "name" || member.first == "$schema") {
      continue;
    }
    const bool group = member.second.is_object() && member.second.find("value") == nullptr;
    if (!group) {
      add(member.first, member.second);
      continue;
    }
    for (const json::Member& inner : member.second.object()) {
      add(member.first + "." + inner.first, inner.second);
    }
  }
  return text + table.text();
}

std::string model_text(const Model& model) {
  const ParameterCount count = count_parameters(model);
  std::string text = styled(model.name, Style::heading) + "\n" + json::dump(model.raw, 2) + "\n\n";
  text += fmt::format("parameters derived from shapes: {} ({} active per token)\n", grouped(count.total),
                      grouped(count.active));
  if (model.published) {
    text += fmt::format("published: {} ({}), {:+.2f} % [{}]\n", grouped(model.published->parameters),
                        model.published->exact ? "exact" : "rounded",
                        100.0 * (count.total / model.published->parameters - 1.0), model.published->source);
  }
  if (model.kind == ModelKind::decoder) {
    text += fmt::format("KV cache: {} B per token in 16 bit\n",
                        grouped(kv_bytes_per_token(model, Precision::bf16).si()));
  }
  return text;
}

[[noreturn]] void unknown(const std::string& section, const std::string& name,
                          const std::vector<std::string>& names) {
  throw InputError(Problem{"catalog " + section, "\"" + name.substr(0, 60) + "\"", "a name of the catalogue",
                           did_you_mean(name, names)});
}

json::Value names_json(const std::vector<std::string>& names) {
  json::Array out;
  for (const std::string& name : names) {
    out.emplace_back(name);
  }
  return json::Value(std::move(out));
}

// The name by which the price table has a GPU: the catalogue's, or the seller's where it is not in there.
std::string priced_name(const Catalogue& catalogue, const std::string& name) {
  if (const Gpu* gpu = name.empty() ? nullptr : catalogue.gpu(name)) {
    return gpu->name;
  }
  std::vector<std::string> names = catalogue.gpu_names();
  for (const PricePoint& point : catalogue.prices()) {
    if (!name.empty() && plain_name(point.gpu) == plain_name(name)) {
      return point.gpu;
    }
    names.push_back(point.gpu);
  }
  if (!name.empty()) {
    unknown("prices", name, names);
  }
  return "";
}

// Table or JSON of a whole section, or of one entry.
std::string section_text(const std::string& section, const std::string& name, bool as_json,
                         PriceChoice choice = {}) {
  if (section == "models") {
    const ModelCatalogue models = ModelCatalogue::load(data_root());
    if (name.empty()) {
      return as_json ? json::dump(names_json(models.names()), 2) + "\n" : model_table(models);
    }
    const Model* model = models.model(name);
    if (model == nullptr) {
      unknown(section, name, models.names());
    }
    return as_json ? json::dump(model->raw, 2) + "\n" : model_text(*model);
  }
  const Catalogue catalogue = Catalogue::load(data_root());
  const auto entry = [&](const auto* found, const std::vector<std::string>& names) {
    if (found == nullptr) {
      unknown(section, name, names);
    }
    return as_json ? json::dump(found->raw, 2) + "\n" : entry_text(found->name, found->raw, found->sources);
  };
  if (section == "gpus") {
    return name.empty()
               ? (as_json ? json::dump(names_json(catalogue.gpu_names()), 2) + "\n" : gpu_table(catalogue))
               : entry(catalogue.gpu(name), catalogue.gpu_names());
  }
  if (section == "nodes") {
    return name.empty()
               ? (as_json ? json::dump(names_json(catalogue.node_names()), 2) + "\n" : node_table(catalogue))
               : entry(catalogue.node(name), catalogue.node_names());
  }
  if (section == "fabrics") {
    return name.empty() ? (as_json ? json::dump(names_json(catalogue.fabric_names()), 2) + "\n"
                                   : fabric_table(catalogue))
                        : entry(catalogue.fabric(name), catalogue.fabric_names());
  }
  choice.gpu = priced_name(catalogue, name);
  return as_json ? json::dump(price_json(catalogue, choice), 2) + "\n" : price_text(catalogue, choice);
}

}  // namespace

std::vector<std::string> catalog_options() { return long_options(described()); }

int catalog_command(const std::vector<std::string>& arguments) {
  po::variables_map options;
  if (!parse_options(arguments, command_named("catalog"), described(), "words", options)) {
    return kDone;
  }
  const auto words = texts_of(options, "words");
  const bool as_json = options.count("json") > 0;
  if (words.empty()) {
    std::string text;
    for (const std::string& section : kSections) {
      if (section != "prices") {
        text += section_text(section, "", false) + "\n";
      }
    }
    print(text +
          "gpuplan catalog SECTION NAME shows one entry with the source of each value;\nsections: gpus nodes "
          "fabrics models prices\n");
    return kDone;
  }
  if (std::find(kSections.begin(), kSections.end(), words[0]) == kSections.end() || words.size() > 2) {
    const std::string hint = did_you_mean(words[0], kSections);
    throw UsageError{
        fmt::format("catalog takes a section (gpus, nodes, fabrics, models, prices) and a name{}{}",
                    hint.empty() ? "" : "; ", hint)};
  }
  PriceChoice choice;
  for (const auto& [option, text] : {std::pair{"date", &choice.as_of}, {"vendor", &choice.vendor}}) {
    if (options.count(option) > 0) {
      *text = options[option].as<std::string>();
      if (words[0] != "prices") {
        throw UsageError{fmt::format("--{}: of prices only", option)};
      }
    }
  }
  if (!choice.as_of.empty() && !is_date(choice.as_of)) {
    throw InputError(Problem{"--date", "\"" + choice.as_of.substr(0, 40) + "\"", "a day as 2025-03-17", ""});
  }
  print(section_text(words[0], words.size() > 1 ? words[1] : "", as_json, choice));
  return kDone;
}

}  // namespace gpuplan::cli
