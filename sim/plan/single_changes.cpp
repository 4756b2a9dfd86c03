#include "sim/plan/single_changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "hwmodels/json/path.h"
#include "sim/plan/parameters.h"
#include "sim/scenario/serving_scenario.h"
#include "sim/scenario/training_scenario.h"

namespace gpuplan::sim {

namespace {

// Parts of a scenario whose choices are somebody's to make; the work itself is given.
struct Part {
  std::string_view path;
  ChangeKind kind;
};
constexpr std::array kServing = {Part{"precision", ChangeKind::format}, Part{"engine", ChangeKind::setting}};
constexpr std::array kTraining = {
    Part{"recompute", ChangeKind::setting},   Part{"offload", ChangeKind::setting},
    Part{"parallelism", ChangeKind::setting}, Part{"software", ChangeKind::setting},
    Part{"precision", ChangeKind::format},    Part{"optimizer", ChangeKind::format}};
// Counts worth doubling and halving.
constexpr std::array kDoubled = {
    "engine.max_num_seqs",        "engine.max_num_batched_tokens", "engine.block_size", "batch.micro_batch",
    "parallelism.virtual_stages", "parallelism.prefetch",          "machine.nics"};
// Those that nobody would change to go faster, or that describe what is.
constexpr std::array kGiven = {"software.framework", "software.dropout", "software.launch_blocking",
                               "engine.profile",     "engine.policy",    "parallelism.expert"};

std::string text_of(const json::Value& value) {
  return value.is_string() ? value.string() : json::dump(value);
}

// "tensor_parallel" of parallelism.tensor_parallel; formats and machines keep their first part.
std::string short_path(const std::string& path) {
  return path.starts_with("precision.") || path.starts_with("machine.") ? path
                                                                        : path.substr(path.find('.') + 1);
}

class Builder {
 public:
  explicit Builder(const json::Value& resolved) : resolved_(resolved) {}

  void add(const std::vector<std::pair<std::string, json::Value>>& sets, ChangeKind kind,
           std::string text = "") {
    SingleChange move;
    move.kind = kind;
    for (const auto& [path, value] : sets) {
      move.sets.push_back(path + "=" + text_of(value));
      if (text.empty()) {
        move.text += (move.text.empty() ? "" : ", ") + short_path(path) + " = " + text_of(value);
      }
    }
    if (!text.empty()) {
      move.text = std::move(text);
    }
    moves.push_back(std::move(move));
  }

  // Every other choice of each enum and switch below `schema`.
  void choices(const json::Value& schema, const std::string& path, ChangeKind kind) {
    if (std::find(kGiven.begin(), kGiven.end(), path) != kGiven.end()) {
      return;
    }
    if (const json::Value* properties = schema.find("properties")) {
      for (const json::Member& member : properties->object()) {
        choices(member.second, path + "." + member.first, kind);
      }
      return;
    }
    const json::Value* now = json::find_at(resolved_, path);
    if (now == nullptr) {
      return;
    }
    if (const json::Value* names = schema.find("enum")) {
      for (const json::Value& name : names->array()) {
        if (!(name == *now)) {
          add({{path, name}}, kind);
        }
      }
    } else if (now->is_bool()) {
      add({{path, json::Value(!now->boolean())}}, kind);
    }
  }

  [[nodiscard]] double number(const std::string& path) const {
    const json::Value* value = json::find_at(resolved_, path);
    return value != nullptr && value->is_number() ? value->number() : 0.0;
  }
  [[nodiscard]] static json::Value whole(double value) {
    return json::Value(static_cast<std::int64_t>(value));
  }

  // `path` x 2 and / 2, and `other` the other way, so that their product stays.
  void trade(const std::string& path, const std::string& other, ChangeKind kind) {
    const double now = number(path), against = number(other);
    if (now < 1.0 || against < 1.0) {
      return;
    }
    if (std::fmod(against, 2.0) == 0.0) {
      add({{path, whole(2.0 * now)}, {other, whole(against / 2.0)}}, kind);
    }
    if (std::fmod(now, 2.0) == 0.0) {
      add({{path, whole(now / 2.0)}, {other, whole(2.0 * against)}}, kind);
    }
  }

  void doubled(const std::string& path) {
    const double now = number(path);
    if (now >= 1.0) {
      add({{path, whole(2.0 * now)}},
          path.starts_with("machine.") ? ChangeKind::machine : ChangeKind::setting);
      if (std::fmod(now, 2.0) == 0.0) {
        add({{path, whole(now / 2.0)}},
            path.starts_with("machine.") ? ChangeKind::machine : ChangeKind::setting);
      }
    }
  }

  std::vector<SingleChange> moves;

 private:
  const json::Value& resolved_;
};

// GPUs of data centres whose kernels are known, in the place of the scenario's.
void other_gpus(const json::Value& resolved, const Library& library, Builder& builder) {
  const std::optional<Gpu> now = gpu_of(resolved, library);
  if (!now) {
    return;
  }
  for (const char* name : {"A100-80GB-SXM4", "H100-SXM5-80GB", "H200-SXM-141GB", "B200-SXM-180GB", "L40S"}) {
    if (now->name == name || library.hardware.gpu(name) == nullptr) {
      continue;
    }
    std::vector<std::pair<std::string, json::Value>> sets = {{"machine.gpu", json::Value(name)}};
    const Node* node = library.hardware.default_node(name);
    const json::Value* named = json::find_at(resolved, "machine.node");
    if (named != nullptr && named->is_string() && !named->string().empty() && node != nullptr) {
      sets.emplace_back("machine.node", json::Value(node->name));
    }
    builder.add(sets, ChangeKind::machine);
  }
}

void serving_moves(Builder& b) {
  const json::Value schema = serving_schema();
  for (const Part& part : kServing) {
    b.choices(*schema.find("properties")->find(part.path), std::string(part.path), part.kind);
  }
  for (const char* format : {"fp8", "int4"}) {
    b.add({{"precision.weights", json::Value(format)}, {"precision.activations", json::Value()}},
          ChangeKind::format, fmt::format("precision.weights = {}", format));
  }
  b.add({{"precision.weights", json::Value("fp8")},
         {"precision.activations", json::Value()},
         {"precision.kv", json::Value("fp8")}},
        ChangeKind::format, "precision.weights = precision.kv = fp8");
  b.trade("parallelism.tensor_parallel", "parallelism.replicas", ChangeKind::setting);
  const double gpus = b.number("machine.gpus"), replicas = b.number("parallelism.replicas");
  b.add({{"machine.gpus", Builder::whole(2.0 * gpus)},
         {"parallelism.replicas", Builder::whole(2.0 * replicas)}},
        ChangeKind::machine);
}

void training_moves(Builder& b) {
  const json::Value schema = training_schema();
  for (const Part& part : kTraining) {
    b.choices(*schema.find("properties")->find(part.path), std::string(part.path), part.kind);
  }
  b.trade("parallelism.tensor", "parallelism.data", ChangeKind::setting);
  b.trade("parallelism.pipeline", "parallelism.data", ChangeKind::setting);
  b.trade("parallelism.context", "parallelism.data", ChangeKind::setting);
  b.trade("parallelism.tensor", "parallelism.pipeline", ChangeKind::setting);
  const double nodes = b.number("machine.nodes"), data = b.number("parallelism.data");
  b.add({{"machine.nodes", Builder::whole(2.0 * nodes)}, {"parallelism.data", Builder::whole(2.0 * data)}},
        ChangeKind::machine);
  const double nic = b.number("machine.nic_bandwidth");
  if (nic > 0.0) {
    b.add({{"machine.nic_bandwidth", json::Value(2.0 * nic)}}, ChangeKind::machine);
  }
}

}  // namespace

std::string_view name_of(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::setting:
      return "setting";
    case ChangeKind::format:
      return "format";
    case ChangeKind::machine:
      return "machine";
  }
  return "";
}

std::vector<SingleChange> single_changes_of(const json::Value& resolved, const Library& library) {
  Builder builder(resolved);
  const json::Value* kind = resolved.find("kind");
  const std::string name = kind != nullptr && kind->is_string() ? kind->string() : "";
  if (name == "serving") {
    serving_moves(builder);
  } else if (name == "training") {
    training_moves(builder);
  }
  for (const char* path : kDoubled) {
    builder.doubled(path);
  }
  other_gpus(resolved, library, builder);
  // A choice may be found twice: as the schema lists it and as a change that takes another along.
  std::vector<SingleChange> out;
  for (SingleChange& move : builder.moves) {
    const auto same = [&](const SingleChange& other) { return other.text == move.text; };
    const auto at = std::find_if(out.begin(), out.end(), same);
    if (at == out.end()) {
      out.push_back(std::move(move));
    } else {
      *at = std::move(move);
    }
  }
  return out;
}

}  // namespace gpuplan::sim
