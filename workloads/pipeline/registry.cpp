#include <array>
#include <stdexcept>

#include "workloads/pipeline/schedules.h"

namespace gpuplan::pipeline {

namespace {

constexpr std::array<std::string_view, 5> kNames = {"gpipe", "1f1b", "interleaved", "zero_bubble",
                                                    "dualpipe"};
constexpr std::array kSchedules = {gpipe, one_f_one_b, interleaved, zero_bubble, dualpipe};

}  // namespace

std::span<const std::string_view> enum_names(ScheduleKind /*tag*/) { return kNames; }

std::string_view broken_rule(ScheduleKind kind, const PipelineShape& shape) {
  if (shape.stages < 1 || shape.chunks < 1 || shape.micro_batches < 1) {
    return "stages, chunks and micro-batches of at least 1";
  }
  if (kind != ScheduleKind::interleaved) {
    if (shape.chunks > 1) {
      return "several chunks a stage with the interleaved schedule only";
    }
    const bool both_ends = kind == ScheduleKind::dualpipe;
    return both_ends && (shape.stages % 2 != 0 || shape.micro_batches % 2 != 0)
               ? "an even number of stages and of micro-batches, half from each end"
           : both_ends && shape.micro_batches < 2 * shape.stages
               ? "at least twice as many micro-batches as stages"
               : "";
  }
  if (shape.chunks < 2) {
    return "at least 2 chunks a stage";
  }
  return shape.micro_batches % shape.stages != 0 ? "micro-batches in multiples of the stages" : "";
}

PipelineSchedule make_schedule(ScheduleKind kind, const PipelineShape& shape) {
  if (!broken_rule(kind, shape).empty()) {
    throw std::logic_error("pipeline schedule: " + std::string(broken_rule(kind, shape)));
  }
  return kSchedules[static_cast<std::size_t>(kind)](shape);
}

PipelineSchedule in_a_row(const PipelineShape& shape) {
  PipelineSchedule out;
  out.shape = shape;
  out.chains.emplace_back();
  for (int q = 0; q < shape.stages * shape.chunks; ++q) {
    out.chains[0].push_back(q % shape.stages);
  }
  out.order.resize(static_cast<std::size_t>(shape.stages));
  return out;
}

}  // namespace gpuplan::pipeline
