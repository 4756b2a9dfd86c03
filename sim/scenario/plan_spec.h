// What `gpuplan plan` varies, the `plan` object of a training scenario. A list holds the values that are
// tried; an empty one all that could be of use.
#pragma once

#include <vector>

#include "workloads/training/job.h"

namespace gpuplan::sim {

struct PlanSpec {
  std::vector<int> nodes;
  std::vector<int> tensor, pipeline, context, expert, virtual_stages, micro_batch;
  std::vector<Sharding> sharding;
  std::vector<Recompute> recompute;
  std::vector<PipelineSchedule> schedule;
  std::vector<Offload> offload;
  bool exhaustive = false, placements = false;
  double memory_margin = 0.03;
  double tie = 0.01;
  int keep = 10;
};
template <class V>
void describe(V& v, PlanSpec& s) {
  v.field("nodes", s.nodes, "nodes tried; default: the machine's");
  v.field("tensor", s.tensor, "tensor-parallel degrees tried; default: all that divide the heads");
  v.field("pipeline", s.pipeline, "pipeline stages tried; default: all that divide the GPUs");
  v.field("context", s.context,
          "context-parallel degrees tried; default: those that leave 4096 tokens a rank");
  v.field("expert", s.expert, "expert-parallel degrees tried; default: all divisors of the experts");
  v.field("virtual_stages", s.virtual_stages,
          "chunks of layers a rank tried; default: divisors of a stage's layers up to 8");
  v.field("micro_batch", s.micro_batch, "tried; default: powers of two that divide a rank's sequences");
  v.field("sharding", s.sharding, "tried; default: ddp, zero1, zero2, fsdp");
  v.field("recompute", s.recompute, "tried; default: none, full and what the framework offers between");
  v.field("schedule", s.schedule, "tried; default: 1f1b, or interleaved with virtual stages");
  v.field("offload", s.offload, "tried; default: as the scenario has it");
  v.field(
      "exhaustive", s.exhaustive,
      "every micro-batch, every count of recomputed layers, every overlap, schedule and placement besides");
  v.field(
      "placements", s.placements,
      "every order of tensor, context, data and pipeline groups over the GPUs, not the usual one alone; an "
      "exhaustive search tries them anyway");
  v.field("memory_margin", s.memory_margin,
          "share of the usable memory that a plan must leave free, beyond context, NCCL buffers and "
          "fragmentation, which are counted",
          json::Range{.min = 0, .max = 0.9});
  v.field("tie", s.tie, "plans within this share of the fastest are as good: the simplest of them wins",
          json::Range{.min = 0, .max = 1});
  v.field("keep", s.keep, "best plans shown", json::Range{.min = 1, .max = 1000});
}

}  // namespace gpuplan::sim
