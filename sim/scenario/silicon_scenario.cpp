#include "sim/scenario/silicon_scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "hwmodels/json/path.h"

namespace gpuplan::sim {

namespace {

using Problems = std::vector<Problem>;

const std::vector<std::string>& workload_kinds() {
  static const std::vector<std::string> kinds = {"serving", "training", "kernel", "collective"};
  return kinds;
}

void lay(json::Value& document, const json::Value& set, const std::string& path, Problems& problems) {
  if (set.is_null()) {
    return;
  }
  if (!set.is_object()) {
    problems.push_back({path, json::excerpt(set), "an object {\"path\": value}", ""});
    return;
  }
  for (const json::Member& member : set.object()) {
    try {
      json::set_value(document, member.first, member.second, path);
    } catch (const InputError& error) {
      problems.insert(problems.end(), error.problems().begin(), error.problems().end());
    }
  }
}

// The document of a workload with its directory; null where it cannot be read.
json::Value read_workload(const json::Value& scenario, const std::string& path, const std::string& base_dir,
                          std::string& its_dir, Problems& problems) {
  its_dir = base_dir;
  if (scenario.is_object()) {
    return scenario;
  }
  if (!scenario.is_string()) {
    problems.push_back({path, json::excerpt(scenario), "a file name or a scenario", ""});
    return {};
  }
  const std::string& file = scenario.string();
  const std::string full = file.starts_with("/") ? file : base_dir + "/" + file;
  const std::size_t slash = full.rfind('/');
  its_dir = full.substr(0, slash);
  try {
    return json::parse_file(full, 16u << 20u);
  } catch (const InputError& error) {
    problems.insert(problems.end(), error.problems().begin(), error.problems().end());
    return {};
  }
}

class Resolver {
 public:
  Resolver(const std::string& at, const std::string& base_dir, const Library& library)
      : at_(at), library_(library) {
    out.base_dir = base_dir;
    out.model = silicon::SiliconModel::load(library.data_dir);
  }

  SiliconScenario run(const json::Value& document) {
    json::read(document, at_, out.spec, problems);
    const std::size_t before = problems.size();
    const Gpu sold = resolve_gpu(out.spec.machine.gpu, at_ + ".machine.gpu", library_, problems);
    out.node =
        resolve_node(out.spec.machine.node, sold, at_ + ".machine.node", library_, problems, out.notes);
    if (problems.size() == before) {
      guarded([&] { find_base(sold); });
    }
    check_prices();
    read_workloads();
    if (problems.empty()) {
      for (std::size_t i = 0; i < out.spec.changes.size(); ++i) {
        guarded([&] { add_change(i); });
      }
    }
    if (out.spec.changes.empty() && document.find("changes") != nullptr) {
      problems.push_back({at_ + ".changes", "[]", "at least one change", ""});
    }
    if (!problems.empty()) {
      throw InputError(std::move(problems));
    }
    return std::move(out);
  }

  SiliconScenario out;
  Problems problems;

 private:
  template <class Work>
  void guarded(const Work& work) {
    try {
      work();
    } catch (const InputError& error) {
      problems.insert(problems.end(), error.problems().begin(), error.problems().end());
    }
  }

  void find_base(const Gpu& sold) {
    const silicon::Design as_sold = out.model.design_of(sold.name, at_ + ".machine.gpu");
    out.base = out.model.apply(as_sold, out.spec.base, at_ + ".base");
    out.base_overrides = out.model.catalogue_overrides(sold, out.spec.base, at_ + ".base");
    out.gpu = with_overrides(sold, out.base_overrides, at_ + ".base");
  }

  void check_prices() {
    const std::optional<Acquisition> acquisition = out.spec.cost.acquisition;
    if (acquisition && *acquisition != Acquisition::owned) {
      problems.push_back({at_ + ".cost.acquisition", "\"" + std::string(json::name_of(*acquisition)) + "\"",
                          "\"owned\": a changed GPU cannot be rented", ""});
    }
    const std::vector<double>& p = out.spec.price_per_unit_cost;
    if (p.size() != 3 || p[0] > p[1] || p[1] > p[2]) {
      problems.push_back({at_ + ".price_per_unit_cost", fmt::format("{} numbers", p.size()),
                          "three numbers that do not fall: low, median, high", ""});
    }
  }

  void read_workloads() {
    double sum = 0.0;
    for (std::size_t i = 0; i < out.spec.workloads.size(); ++i) {
      const SiliconWorkloadSpec& spec = out.spec.workloads[i];
      const std::string path = fmt::format("{}.workloads[{}]", at_, i);
      SiliconWorkload workload;
      workload.document =
          read_workload(spec.scenario, path + ".scenario", out.base_dir, workload.base_dir, problems);
      if (!workload.document.is_object()) {
        continue;
      }
      lay(workload.document, spec.set, path + ".set", problems);
      const json::Value* kind = workload.document.find("kind");
      workload.kind = kind != nullptr && kind->is_string() ? kind->string() : "";
      const std::vector<std::string>& kinds = workload_kinds();
      if (std::find(kinds.begin(), kinds.end(), workload.kind) == kinds.end()) {
        problems.push_back({path + ".scenario.kind", "\"" + workload.kind.substr(0, 40) + "\"",
                            "a kind of work: serving, training, kernel or collective",
                            did_you_mean(workload.kind, workload_kinds())});
        continue;
      }
      workload.metric = spec.metric;
      const json::Value* name = workload.document.find("name");
      workload.name = !spec.name.empty()                     ? spec.name
                      : name != nullptr && name->is_string() ? name->string()
                                                             : fmt::format("workload {}", i + 1);
      workload.weight = spec.weight;
      workload.path = path + ".scenario";
      sum += spec.weight;
      out.workloads.push_back(std::move(workload));
    }
    for (SiliconWorkload& workload : out.workloads) {
      workload.weight /= sum;
    }
  }

  void add_change(std::size_t i) {
    const SiliconChangeSpec& spec = out.spec.changes[i];
    const std::string path = fmt::format("{}.changes[{}]", at_, i);
    if (spec.name.empty() || std::any_of(out.changes.begin(), out.changes.end(),
                                         [&](const auto& c) { return c.name == spec.name; })) {
      problems.push_back({path + ".name", "\"" + spec.name + "\"", "a name of its own", ""});
    }
    if (!spec.set.is_null() && !spec.set.is_object()) {
      problems.push_back({path + ".set", json::excerpt(spec.set), "fields by kind of workload", ""});
    } else if (spec.set.is_object()) {
      for (const json::Member& member : spec.set.object()) {
        const std::vector<std::string>& kinds = workload_kinds();
        const bool used = std::any_of(out.workloads.begin(), out.workloads.end(),
                                      [&](const SiliconWorkload& w) { return w.kind == member.first; });
        if (std::find(kinds.begin(), kinds.end(), member.first) != kinds.end() && !used) {
          problems.push_back(
              {path + ".set." + member.first, "a kind that no workload is of", "the kind of a workload", ""});
        } else if (!used) {
          problems.push_back({path + ".set." + member.first, "no kind of workload",
                              "serving, training, kernel or collective", did_you_mean(member.first, kinds)});
        }
      }
    }
    SiliconCase one;
    one.name = spec.name;
    one.set = spec.set;
    one.change = spec.silicon;
    if (!spec.fill.empty()) {
      fill(spec, path, one);
    }
    check_felt(one.change, path + ".silicon");
    one.design = out.model.apply(out.base, one.change, path + ".silicon");
    const double area = out.model.assess(one.design, out.spec.model).of(silicon::Metric::area_mm2).p50;
    if (area > 2.0 * silicon::kReticleMm2) {
      throw InputError(Problem{path + ".silicon", fmt::format("a die of {:.0f} mm2", area),
                               fmt::format("at most {:.0f}: what one exposure prints", silicon::kReticleMm2),
                               ""});
    }
    one.overrides = out.model.catalogue_overrides(out.gpu, one.change, path + ".silicon");
    one.gpu = with_overrides(out.gpu, one.overrides, path + ".silicon");
    out.changes.push_back(std::move(one));
  }

  // The kernel models do not feel these sizes: more gains nothing in them, and of less they cannot say what
  // it costs.
  void check_felt(const silicon::SiliconChange& change, const std::string& path) {
    const auto one = [&](double by, const char* field) {
      if (by < 0.0 && !out.workloads.empty()) {
        problems.push_back({path + "." + field, fmt::format("{:g}", by),
                            "not less than there is: what work loses by that is not modelled", ""});
      }
    };
    one(change.l2_mib, "l2_mib");
    one(change.shared_memory_kib_per_sm, "shared_memory_kib_per_sm");
    one(change.register_kib_per_sm, "register_kib_per_sm");
    const std::string note =
        "more shared memory or registers gain nothing here: kernels that would use them are not modelled";
    if ((change.shared_memory_kib_per_sm > 0.0 || change.register_kib_per_sm > 0.0) &&
        std::find(out.notes.begin(), out.notes.end(), note) == out.notes.end()) {
      out.notes.push_back(note);
    }
  }

  // Sizes one field so that the change takes the budget's area, at the medians.
  void fill(const SiliconChangeSpec& spec, const std::string& path, SiliconCase& one) {
    silicon::SiliconChange& change = one.change;
    double silicon::SiliconChange::*field =
        spec.fill == "l2_mib"                     ? &silicon::SiliconChange::l2_mib
        : spec.fill == "shared_memory_kib_per_sm" ? &silicon::SiliconChange::shared_memory_kib_per_sm
        : spec.fill == "register_kib_per_sm"      ? &silicon::SiliconChange::register_kib_per_sm
                                                  : nullptr;
    if (field == nullptr) {
      const std::vector<std::string> fields = {"l2_mib", "shared_memory_kib_per_sm", "register_kib_per_sm"};
      problems.push_back({path + ".fill", "\"" + spec.fill.substr(0, 40) + "\"",
                          fmt::format("a size: {}", fmt::join(fields, ", ")),
                          did_you_mean(spec.fill, fields)});
      return;
    }
    if (!out.spec.budget.area_mm2) {
      problems.push_back({at_ + ".budget.area_mm2", "nothing", "an area, since a change fills it", ""});
      return;
    }
    silicon::SiliconChange unit;
    unit.*field = 1.0;
    silicon::SiliconChange rest = change;
    rest.*field = 0.0;
    const double taken =
        out.model.compare(out.base, rest, out.spec.model).delta(silicon::Metric::area_mm2).p50;
    change.*field =
        out.model.amount_for_area(out.base, unit, *out.spec.budget.area_mm2 - taken, out.spec.model).p50;
    one.filled = fmt::format("{} = {:.3g}", spec.fill, change.*field);
  }

  std::string at_;
  const Library& library_;
};

}  // namespace

SiliconScenario resolve_silicon(const json::Value& document, const std::string& name,
                                const std::string& base_dir, const Library& library) {
  return Resolver(name + ": $", base_dir, library).run(document);
}

json::Value laid_over(const json::Value& base, const json::Value& over) {
  if (!base.is_object() || !over.is_object()) {
    return over;
  }
  json::Value out = base;
  for (const json::Member& member : over.object()) {
    const json::Value* under = base.find(member.first);
    out[member.first] = under == nullptr ? member.second : laid_over(*under, member.second);
  }
  return out;
}

json::Value resolved_json(const SiliconScenario& scenario) {
  SiliconScenarioSpec spec = scenario.spec;
  for (std::size_t i = 0; i < scenario.changes.size(); ++i) {
    spec.changes[i].silicon = scenario.changes[i].change;
  }
  json::Value out = json::write(spec);
  json::Value machine;
  machine["gpu"] = scenario.spec.machine.gpu;
  machine["node"] = scenario.node.name;
  out["machine"] = std::move(machine);
  return out;
}

json::Value silicon_schema() {
  json::Value schema = json::schema_of<SiliconScenarioSpec>();
  json::Value out;
  out["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  out["title"] = "gpuplan scenario, kind silicon";
  for (const json::Member& member : schema.object()) {
    out[member.first] = member.second;
  }
  json::Value& kind = *out.find("properties")->find("kind");
  kind["const"] = "silicon";
  return out;
}

}  // namespace gpuplan::sim
