#include "sim/scenario/kernel_scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace gpuplan::sim {

namespace {

using Problems = std::vector<Problem>;

constexpr std::size_t kMostCases = 20000;

// Whether `kind` takes an array in `field` by itself.
bool takes_array(const OperationKind& kind, std::string_view field) {
  const json::Value schema = kind.schema();
  const json::Value* property = schema.find("properties")->find(field);
  const json::Value* type = property != nullptr ? property->find("type") : nullptr;
  return type != nullptr && type->is_string() && type->string() == "array";
}

// The values a field is swept over; nothing where it has one value.
const json::Array* swept(const OperationKind& kind, const json::Member& field) {
  if (!field.second.is_array()) {
    return nullptr;
  }
  const json::Array& values = field.second.array();
  const bool nested = !values.empty() && values.front().is_array();
  return takes_array(kind, field.first) && !nested ? nullptr : &values;
}

struct Entry {
  std::string name;
  double count = 1.0;
  const OperationKind* kind = nullptr;
  json::Value fields{json::Object{}};
};

struct EntryHead {
  std::string op, name;
  double count = 1.0;
};
template <class V>
void describe(V& v, EntryHead& s) {
  v.field("op", s.op, "which operation", json::required);
  v.field("name", s.name, "what the report calls it; default: op");
  v.field("count", s.count, "calls", json::positive());
}

std::optional<Entry> read_entry(const json::Value& document, const std::string& path, Problems& problems) {
  if (!document.is_object()) {
    problems.push_back({path, json::excerpt(document), "an object with an \"op\"", ""});
    return std::nullopt;
  }
  json::Value head_fields(json::Object{});
  Entry entry;
  for (const json::Member& member : document.object()) {
    const bool head = member.first == "op" || member.first == "name" || member.first == "count";
    (head ? head_fields : entry.fields).object().push_back(member);
  }
  EntryHead head;
  const std::size_t before = problems.size();
  json::read(head_fields, path, head, problems);
  if (problems.size() != before) {
    return std::nullopt;
  }
  entry.kind = operation_kind(head.op);
  if (entry.kind == nullptr) {
    unknown_name(problems, path + ".op", head.op, "an operation (gpuplan schema kernel)", operation_names());
    return std::nullopt;
  }
  entry.name = head.name.empty() ? head.op : head.name;
  entry.count = head.count;
  return entry;
}

// Every combination of an entry's swept values, on one machine.
void expand(const Entry& entry, std::size_t machine, const std::string& path, KernelScenario& scenario,
            const Library& library, Problems& problems) {
  std::vector<std::pair<std::string, const json::Array*>> axes;
  std::size_t combinations = 1;
  for (const json::Member& field : entry.fields.object()) {
    if (const json::Array* values = swept(*entry.kind, field)) {
      if (values->empty()) {
        problems.push_back({path + "." + field.first, "[]", "at least one value", ""});
        return;
      }
      axes.emplace_back(field.first, values);
      combinations *= std::min(values->size(), kMostCases + 1);
      if (combinations + scenario.cases.size() > kMostCases) {
        problems.push_back({path + "." + field.first, "more than 20000 cases in all", "fewer values", ""});
        return;
      }
    }
  }
  for (std::size_t index = 0; index < combinations; ++index) {
    KernelCase one{.entry = entry.name,
                   .at = {},
                   .gpu = machine,
                   .count = entry.count,
                   .kind = entry.kind,
                   .fields = entry.fields,
                   .path = path,
                   .operation = nullptr};
    if (scenario.machines.size() > 1) {
      one.at.push_back({"gpu", json::Value(scenario.machines[machine].gpu.name)});
    }
    std::size_t rest = combinations, at = index;
    for (const auto& [field, values] : axes) {  // the first axis varies slowest
      rest /= values->size();
      const json::Value& value = (*values)[at / rest];
      at %= rest;
      *one.fields.find(field) = value;
      if (values->size() > 1) {
        one.at.push_back({field, value});
      }
    }
    const std::size_t before = problems.size();
    one.operation = entry.kind->read(
        {one.fields, path, scenario.base_dir, library, static_cast<std::uint64_t>(scenario.spec.seed)},
        problems);
    if (problems.size() != before) {
      return;  // the other combinations would mostly repeat it
    }
    scenario.cases.push_back(std::move(one));
  }
}

struct Baseline {
  std::string entry;
  std::vector<std::pair<std::string, std::string>> fixed;  // field, value as text
};
Baseline parse_baseline(const std::string& text) {
  Baseline result;
  const std::size_t open = text.find('[');
  result.entry = text.substr(0, open);
  if (open == std::string::npos) {
    return result;
  }
  std::string inside = text.substr(open + 1);
  inside = inside.substr(0, inside.find(']'));
  std::size_t from = 0;
  while (from < inside.size()) {
    const std::size_t comma = std::min(inside.find(',', from), inside.size());
    const std::string pair = inside.substr(from, comma - from);
    const std::size_t equals = pair.find('=');
    result.fixed.emplace_back(pair.substr(0, equals),
                              equals == std::string::npos ? "" : pair.substr(equals + 1));
    from = comma + 1;
  }
  return result;
}

std::string value_text(const json::Value& value) {
  return value.is_string() ? value.string() : json::dump(value);
}

bool is_baseline(const KernelCase& one, const Baseline& baseline) {
  return (baseline.entry.empty() || one.entry == baseline.entry) &&
         std::all_of(baseline.fixed.begin(), baseline.fixed.end(), [&](const auto& fixed) {
           const json::Value* value = one.coordinate(fixed.first);
           return value != nullptr && value_text(*value) == fixed.second;
         });
}

}  // namespace

std::string Coordinate::text() const { return field + "=" + value_text(value); }

std::string KernelCase::name() const {
  std::string text = entry;
  for (const Coordinate& c : at) {
    text += (&c == &at.front() ? "[" : ",") + c.text();
  }
  return text + (at.empty() ? "" : "]");
}

std::string KernelCase::label() const {
  std::string text = entry;
  for (const Coordinate& c : at) {
    text += c.field == "gpu" ? "" : " " + c.text();
  }
  return text;
}

const json::Value* KernelCase::coordinate(std::string_view field) const {
  const auto found =
      std::find_if(at.begin(), at.end(), [&](const Coordinate& c) { return c.field == field; });
  return found != at.end() ? &found->value : nullptr;
}

KernelScenario resolve_kernels(const json::Value& document, const std::string& name,
                               const std::string& base_dir, const Library& library) {
  KernelScenario out;
  out.base_dir = base_dir;
  Problems problems;
  const std::string at = name + ": $";
  json::read(document, at, out.spec, problems);
  if (out.spec.kind != "kernel") {
    problems.push_back({at + ".kind", "\"" + out.spec.kind.substr(0, 60) + "\"", "\"kernel\"",
                        did_you_mean(out.spec.kind, {"kernel"})});
  }

  const json::Value& gpus = out.spec.machine.gpu;
  const std::size_t count = gpus.is_array() ? gpus.array().size() : 1;
  if (count == 0) {
    problems.push_back({at + ".machine.gpu", "[]", "at least one GPU", ""});
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::string path = at + ".machine.gpu" + (gpus.is_array() ? "[" + std::to_string(i) + "]" : "");
    KernelMachine machine;
    machine.gpu = resolve_gpu(gpus.is_array() ? gpus.array()[i] : gpus, path, library, problems);
    machine.node =
        resolve_node(out.spec.machine.node, machine.gpu, at + ".machine.node", library, problems, out.notes);
    out.machines.push_back(std::move(machine));
  }

  std::vector<Entry> entries;
  std::vector<std::string> paths;
  std::set<std::string> names;
  for (std::size_t i = 0; i < out.spec.kernels.size(); ++i) {
    const std::string path = at + ".kernels[" + std::to_string(i) + "]";
    if (std::optional<Entry> entry = read_entry(out.spec.kernels[i], path, problems)) {
      if (!names.insert(entry->name).second) {
        problems.push_back({path + ".name", "\"" + entry->name + "\", a second time",
                            "a name for each kernel of the list", ""});
      }
      entries.push_back(std::move(*entry));
      paths.push_back(path);
    }
  }
  if (out.spec.kernels.empty() && document.find("kernels") != nullptr) {
    problems.push_back({at + ".kernels", "[]", "at least one kernel", ""});
  }
  for (std::size_t machine = 0; machine < out.machines.size(); ++machine) {
    for (std::size_t i = 0; i < entries.size(); ++i) {
      // On the second machine every problem would be said again.
      if (machine == 0 || problems.empty()) {
        expand(entries[i], machine, paths[i], out, library, problems);
      }
    }
  }
  if (!out.spec.baseline.empty() && problems.empty()) {
    const Baseline baseline = parse_baseline(out.spec.baseline);
    if (std::none_of(out.cases.begin(), out.cases.end(),
                     [&](const KernelCase& one) { return is_baseline(one, baseline); })) {
      unknown_name(problems, at + ".baseline", out.spec.baseline, "the name of a kernel of this scenario",
                   {names.begin(), names.end()});
    }
  }
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  return out;
}

KernelCase moved(const KernelCase& like, const std::string& field, const json::Value& value,
                 const KernelScenario& scenario, const Library& library) {
  KernelCase one = like;
  *one.fields.find(field) = value;
  for (Coordinate& c : one.at) {
    if (c.field == field) {
      c.value = value;
    }
  }
  Problems problems;
  one.operation = one.kind->read(
      {one.fields, one.path, scenario.base_dir, library, static_cast<std::uint64_t>(scenario.spec.seed)},
      problems);
  return one;
}

std::optional<std::size_t> baseline_of(const KernelCase& of, const KernelScenario& scenario) {
  if (scenario.spec.baseline.empty()) {
    return std::nullopt;
  }
  const Baseline baseline = parse_baseline(scenario.spec.baseline);
  if (is_baseline(of, baseline)) {
    return std::nullopt;
  }
  const auto fixed = [&](const std::string& field) {
    return std::any_of(baseline.fixed.begin(), baseline.fixed.end(),
                       [&](const auto& one) { return one.first == field; });
  };
  for (std::size_t i = 0; i < scenario.cases.size(); ++i) {
    const KernelCase& candidate = scenario.cases[i];
    if (is_baseline(candidate, baseline) && (!baseline.entry.empty() || candidate.entry == of.entry) &&
        std::all_of(candidate.at.begin(), candidate.at.end(), [&](const Coordinate& c) {
          const json::Value* mine = of.coordinate(c.field);
          return fixed(c.field) || (mine != nullptr && *mine == c.value);
        })) {
      return i;
    }
  }
  return std::nullopt;
}

json::Value resolved_json(const KernelScenario& scenario) {
  json::Value out = json::write(scenario.spec);
  json::Array gpus;
  const json::Value& given = scenario.spec.machine.gpu;
  for (std::size_t i = 0; i < scenario.machines.size(); ++i) {
    gpus.push_back(shown_gpu(given.is_array() ? given.array()[i] : given, scenario.machines[i].gpu));
  }
  out["machine"]["gpu"] = gpus.size() == 1 ? gpus.front() : json::Value(std::move(gpus));
  out["machine"]["node"] = scenario.machines.front().node.name;
  return out;
}

json::Value kernel_schema() {
  json::Value schema = json::schema_of<KernelScenarioSpec>();
  json::Value out;
  out["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  out["title"] = "gpuplan scenario, kind kernel";
  for (const json::Member& member : schema.object()) {
    out[member.first] = member.second;
  }
  json::Value& properties = *out.find("properties");
  (*properties.find("kind"))["const"] = "kernel";
  json::Value head = json::schema_of<EntryHead>();
  json::Array kinds;
  for (const OperationKind& kind : operation_kinds()) {
    json::Value one = kind.schema();
    json::Value fields{json::Object{}};
    for (const json::Member& member : head.find("properties")->object()) {
      fields[member.first] = member.second;
    }
    fields["op"] = json::Value(json::Object{{"const", json::Value(kind.name)}});
    for (const json::Member& member : one.find("properties")->object()) {
      json::Value list;  // a value, or a list of them
      list["type"] = "array";
      list["minItems"] = 1;
      list["items"] = member.second;
      json::Value either;
      either["anyOf"] = json::Value(json::Array{member.second, list});
      fields[member.first] = std::move(either);
    }
    *one.find("properties") = std::move(fields);
    one["description"] = kind.doc;
    json::Array required{json::Value("op")};
    if (const json::Value* names = one.find("required"); names != nullptr && names->is_array()) {
      required.insert(required.end(), names->array().begin(), names->array().end());
    }
    one["required"] = json::Value(std::move(required));
    kinds.push_back(std::move(one));
  }
  json::Value& items = (*properties.find("kernels"))["items"];
  items = json::Value(json::Object{{"oneOf", json::Value(std::move(kinds))}});
  return out;
}

}  // namespace gpuplan::sim
