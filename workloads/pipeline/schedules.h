// The schedules of registry.cpp, each in the file of its name.
#pragma once

#include "workloads/pipeline/schedule.h"

namespace gpuplan::pipeline {

PipelineSchedule gpipe(const PipelineShape& shape);
PipelineSchedule one_f_one_b(const PipelineShape& shape);
PipelineSchedule interleaved(const PipelineShape& shape);
PipelineSchedule zero_bubble(const PipelineShape& shape);
PipelineSchedule dualpipe(const PipelineShape& shape);

// One chain of chunks, chunk q on stage q modulo stages; no order yet.
PipelineSchedule in_a_row(const PipelineShape& shape);

// Fills in the order as stages would choose one step after another, all passes of the same length: a forward
// pass, while no more are under way than 1F1B has and fewer than `in_flight` micro-batches hold activations
// on the stage, then the input half of a backward pass, then a weight half.
void order_greedily(PipelineSchedule& schedule, int in_flight);

}  // namespace gpuplan::pipeline
