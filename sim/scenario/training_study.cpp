#include "sim/scenario/training_study.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "sim/scenario/serving_scenario.h"

namespace gpuplan::sim {

namespace {

using Document = std::pair<json::Value, std::string>;  // and its path

class Resolver {
 public:
  Resolver(const std::string& base_dir, const Library& library) : base_dir_(base_dir), library_(library) {}

  // Split rules hold; problems are kept.
  TrainingCase variant(const Document& document) {
    TrainingCase out = named(document.first);
    try {
      out.scenario = resolve_training_at(document.first, document.second, base_dir_, library_,
                                         out.search ? SplitCheck::open : SplitCheck::required);
    } catch (const InputError& error) {
      keep(error);
    }
    return out;
  }

  // Nothing where the value cannot be set or leaves no valid document, whose problems are kept.
  std::optional<TrainingCase> at_value(const Document& document, const std::string& path,
                                       const json::Value& value, const std::string& where) {
    try {
      json::Value changed = document.first;
      set_value(changed, path, value, where + ".path");
      TrainingCase out = named(changed);
      TrainingScenario open = resolve_training_at(changed, where, base_dir_, library_, SplitCheck::open);
      if (!out.search) {
        try {
          open = resolve_training_at(changed, where, base_dir_, library_, SplitCheck::required);
        } catch (const InputError& error) {
          const Problem& first = error.problems().front();
          out.refusal =
              fmt::format("{}: {}, not {}", first.path.substr(where.size() + 1), first.found, first.expected);
          return out;
        }
      }
      out.scenario = std::move(open);
      return out;
    } catch (const InputError& error) {
      keep(error);
      return std::nullopt;
    }
  }

  // Each problem once: variants share most of theirs.
  void keep(const InputError& error) {
    for (const Problem& problem : error.problems()) {
      if (std::none_of(problems.begin(), problems.end(), [&](const Problem& other) {
            return other.path == problem.path && other.found == problem.found;
          })) {
        problems.push_back(problem);
      }
    }
  }

  std::vector<Problem> problems;

 private:
  static TrainingCase named(const json::Value& document) {
    TrainingCase out;
    const json::Value* name = document.find("name");
    out.name = name != nullptr && name->is_string() ? name->string() : "unnamed";
    const json::Value* plan = document.find("plan");
    out.search = plan != nullptr && plan->is_object();
    return out;
  }

  const std::string& base_dir_;
  const Library& library_;
};

TrainingSweep sweep_of(const VarySpec& spec, const std::vector<Document>& documents, const std::string& where,
                       Resolver& resolver) {
  TrainingSweep out;
  out.path = spec.path;
  out.values = spec.values;
  const std::vector<std::string>& allowed = training_variant_fields().names;
  const std::string field = spec.path.substr(0, spec.path.find_first_of(".["));
  if (field == "name" || field == "plan" ||
      std::find(allowed.begin(), allowed.end(), field) == allowed.end()) {
    resolver.problems.push_back({where + ".path", "\"" + spec.path.substr(0, 60) + "\"",
                                 "a field of the job or its machine, such as machine.nodes",
                                 did_you_mean(field, allowed)});
    return out;
  }
  if (spec.values.empty()) {
    resolver.problems.push_back({where + ".values", "[]", "at least one value", ""});
  }
  for (const json::Value& value : spec.values) {
    std::vector<TrainingCase>& row = out.cases.emplace_back();
    for (const Document& document : documents) {
      std::optional<TrainingCase> one = resolver.at_value(document, spec.path, value, where);
      row.push_back(one ? std::move(*one) : TrainingCase{});
    }
  }
  return out;
}

}  // namespace

const VariantFields& training_variant_fields() {
  static const VariantFields fields = {{"name", "machine", "model", "parallelism", "batch", "recompute",
                                        "recompute_layers", "precision", "optimizer", "offload", "fine_tune",
                                        "software", "expert_imbalance", "expert_capacity", "cost", "plan"},
                                       "the job, its machine and how it is split"};
  return fields;
}

bool compares_training(const json::Value& document) {
  const auto any = [&](const char* field) {
    const json::Value* list = document.find(field);
    return list != nullptr && list->is_array() && !list->array().empty();
  };
  return any("variants") || any("vary");
}

TrainingStudy resolve_training_study(const json::Value& document, const std::string& name,
                                     const std::string& base_dir, const Library& library) {
  const std::string at = name + ": $";
  TrainingStudy out;
  out.base = resolve_training_at(document, at, base_dir, library, SplitCheck::open);
  Resolver resolver(base_dir, library);
  std::vector<Document> documents = documents_of_variants(document, out.base.spec.variants, at,
                                                          training_variant_fields(), resolver.problems);
  // A variant that says nothing of a plan has none: the document's is for `gpuplan plan`.
  for (std::size_t i = 0, next = 0; i < out.base.spec.variants.size() && next < documents.size(); ++i) {
    const json::Value* own = out.base.spec.variants[i].find("name");
    if (own == nullptr || !own->is_string() || own->string().empty()) {
      continue;  // it has no document
    }
    if (out.base.spec.variants[i].find("plan") == nullptr) {
      std::erase_if(documents[next].first.object(),
                    [](const json::Member& member) { return member.first == "plan"; });
    }
    ++next;
  }
  if (out.base.spec.variants.empty()) {
    json::Value alone = document;
    std::erase_if(alone.object(), [](const json::Member& member) {
      return member.first == "variants" || member.first == "vary" || member.first == "plan";
    });
    documents.emplace_back(std::move(alone), at);
  }
  for (const Document& one : documents) {
    out.variants.push_back(resolver.variant(one));
  }
  if (!resolver.problems.empty()) {
    throw InputError(std::move(resolver.problems));  // each would come back at every value
  }
  for (std::size_t i = 0; i < out.base.spec.vary.size(); ++i) {
    out.sweeps.push_back(
        sweep_of(out.base.spec.vary[i], documents, fmt::format("{}.vary[{}]", at, i), resolver));
  }
  if (!resolver.problems.empty()) {
    throw InputError(std::move(resolver.problems));
  }
  return out;
}

}  // namespace gpuplan::sim
