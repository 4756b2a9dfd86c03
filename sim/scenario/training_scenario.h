// A training scenario: one step of training a model on a machine, split as it says.
//
//   {"schema": 1, "kind": "training", "name": "13B", "machine": {"gpu": "H100-SXM5-80GB", "nodes": 8},
//    "model": "llama-2-13b", "parallelism": {"sharding": "fsdp"},
//    "batch": {"global_batch": 512, "micro_batch": 2, "seq_len": 4096}}
#pragma once

#include "sim/cost/cost_model.h"
#include "sim/scenario/collective_scenario.h"
#include "sim/scenario/plan_spec.h"
#include "sim/scenario/serving_spec.h"
#include "sim/scenario/training_run_spec.h"
#include "sim/scenario/vary_spec.h"
#include "sim/training/placement.h"
#include "workloads/training/job.h"

namespace gpuplan::sim {

struct TrainingSpec {
  int schema = 1;
  std::string kind = "training";
  std::string name = "unnamed", description;
  CollectiveMachineSpec machine;
  json::Value model = json::Value("llama-2-13b");
  TrainingParallelism parallelism;
  TrainingBatch batch;
  Recompute recompute = Recompute::none;
  int recompute_layers = 0;
  TrainingPrecision precision;
  Optimizer optimizer = Optimizer::adamw;
  Offload offload = Offload::none;
  std::optional<OffloadTo> offload_to;
  std::optional<HostSpec> host;
  std::optional<InputSpec> input;
  std::optional<CheckpointSpec> checkpoint;
  std::optional<ReliabilitySpec> reliability;
  std::optional<RunSpec> run;
  std::vector<LinkFault> faults;
  FineTuneSpec fine_tune;
  TrainingSoftware software;
  double expert_imbalance = 1.0, expert_capacity = 0.0;
  CostSpec cost;
  PlanSpec plan;
  std::vector<json::Value> variants;
  std::vector<VarySpec> vary;
  std::int64_t seed = 1;
};
template <class V>
void describe(V& v, TrainingSpec& s) {
  v.field("schema", s.schema, "version of this format", json::Range{.min = 1, .max = 1}, json::required);
  v.field("kind", s.kind, "what is simulated", json::required);
  v.field("name", s.name, "shown in reports");
  v.field("description", s.description, "what the scenario is for");
  v.field("machine", s.machine, "what runs it", json::required);
  v.field(
      "model", s.model,
      "catalogue name, {\"base\": name, and fields to override} or {\"hf_config\": path of a Hugging Face "
      "config.json}",
      json::required);
  v.field("parallelism", s.parallelism, "how the model is spread over the GPUs");
  v.field("batch", s.batch, "what a step processes", json::required);
  v.field("recompute", s.recompute, "activations that the backward pass computes again");
  v.field("recompute_layers", s.recompute_layers, "of a stage, that do so; 0: all",
          json::Range{.min = 0, .max = 100000});
  v.field("precision", s.precision, "number formats");
  v.field("optimizer", s.optimizer, "the optimiser, which decides the state kept for each weight");
  v.field("offload", s.offload, "what lies outside the GPU: with the optimiser state its pass, on the CPUs");
  v.field("offload_to", s.offload_to, "where to: the node's memory (default) or its NVMe drives");
  v.field("host", s.host, "memory and drives of a node, where they differ from the catalogue's");
  v.field("input", s.input, "how samples are loaded; default: not known, part of what a step costs the host");
  v.field("checkpoint", s.checkpoint, "what is saved, how fast and how often");
  v.field("reliability", s.reliability, "what fails, and how the job comes back; default: nothing fails");
  v.field("run", s.run, "length of the whole run");
  v.field("faults", s.faults,
          "switches, NICs and links that are down, narrower or slower to answer: what a step loses by them");
  v.field("fine_tune", s.fine_tune, "what is trained");
  v.field("software", s.software, "what runs the step");
  v.field("expert_imbalance", s.expert_imbalance, "tokens of the most loaded rank's experts over the mean",
          json::Range{.min = 1, .max = 1000});
  v.field("expert_capacity", s.expert_capacity,
          "tokens an expert takes at most, over the mean; those beyond are dropped; 0: none are",
          json::Range{.min = 0, .max = 1000});
  v.field("cost", s.cost, "money");
  v.field("plan", s.plan,
          "what `gpuplan plan` varies; a variant that has a `plan` runs the best split within it");
  v.field(
      "variants", s.variants,
      "what else could run, set beside each other: name, and fields laid over this document (null removes "
      "one)");
  v.field("vary", s.vary,
          "fields to sweep, one at a time, with the winner at each value and where it changes");
  v.field("seed", s.seed, "of everything random: nodes that are slow, failures", json::not_negative());
}

struct TrainingScenario {
  TrainingSpec spec;   // resolved: optional fields hold the values used
  TrainingSpec given;  // as the document has it
  TrainingMachine machine;
  TrainingJob job;
  GpuRates rates;
  std::vector<std::string> notes;
  std::vector<std::string> fault_notes;  // what faults leave of which links
  [[nodiscard]] bool faulty() const { return !spec.faults.empty(); }
};

// open: a split that breaks a rule is let pass, for `plan` chooses another.
enum class SplitCheck { required, open };

// Validates and resolves. Throws InputError with all problems of the document at once.
TrainingScenario resolve_training(const json::Value& document, const std::string& name,
                                  const std::string& base_dir, const Library& library,
                                  SplitCheck check = SplitCheck::required);

// The same below a path of the document, such as "S.json: $.variants[1]".
TrainingScenario resolve_training_at(const json::Value& document, const std::string& at,
                                     const std::string& base_dir, const Library& library, SplitCheck check);

json::Value resolved_json(const TrainingScenario& scenario);
json::Value training_schema();

}  // namespace gpuplan::sim
