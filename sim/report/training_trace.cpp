#include "sim/report/training_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "hwmodels/json/describe.h"

namespace gpuplan::sim {

namespace {

constexpr std::array<const char*, kStepStreams> kLanes = {"compute",       "weights and gradients", "send",
                                                          "from the host", "to the host",           "loader"};

void add_names(std::size_t stage, json::Array& events) {
  const auto name = [&](const char* what, std::int64_t lane, const std::string& text) {
    events.push_back(json::Object{
        {"name", what}, {"ph", "M"}, {"pid", stage}, {"tid", lane}, {"args", json::Object{{"name", text}}}});
  };
  name("process_name", 0, fmt::format("stage {}", stage));
  for (std::size_t lane = 0; lane < kLanes.size(); ++lane) {
    name("thread_name", static_cast<std::int64_t>(lane), kLanes[lane]);
  }
}

}  // namespace

json::Value training_trace(const StepProgram& program, const PlayedStep& played) {
  std::set<std::pair<std::size_t, std::uint32_t>> critical;
  for (const CriticalOp& one : critical_path(played)) {
    critical.emplace(one.stage, one.op);
  }
  json::Array events;
  std::uint64_t arrows = 0;
  for (std::size_t stage = 0; stage < played.spans.size(); ++stage) {
    add_names(stage, events);
    const StageProgram& own = program.stages[stage];
    for (std::uint32_t id = 0; id < own.ops.size(); ++id) {
      const StepOp& op = own.ops[id];
      const StepWork& work = program.works[op.work];
      const StepSpan& span = played.spans[stage][id];
      const auto lane = static_cast<std::int64_t>(work.stream);
      json::Object about{{"critical", critical.count({stage, id}) > 0}, {"alone_us", work.alone.si() * 1e6}};
      if (op.micro_batch >= 0) {
        about.emplace_back("micro_batch", op.micro_batch);
      }
      events.push_back(json::Object{{"name", work.name},
                                    {"cat", std::string(json::name_of(work.part))},
                                    {"ph", "X"},
                                    {"pid", stage},
                                    {"tid", lane},
                                    {"ts", span.begin * 1e6},
                                    {"dur", (span.end - span.begin) * 1e6},
                                    {"args", std::move(about)}});
      if (op.to_stage >= 0) {
        const auto to = static_cast<std::size_t>(op.to_stage);
        const auto arrow = [&](const char* phase, std::size_t pid, std::int64_t tid, double at) {
          json::Object event{{"name", "send"}, {"cat", "send"}, {"ph", phase},   {"id", arrows},
                             {"pid", pid},     {"tid", tid},    {"ts", at * 1e6}};
          if (*phase == 'f') {
            event.emplace_back("bp", "e");
          }
          events.push_back(std::move(event));
        };
        arrow("s", stage, lane, span.begin);
        arrow("f", to, 0, played.spans[to][op.to_op].begin);
        ++arrows;
      }
    }
  }
  return json::Object{{"displayTimeUnit", "ms"}, {"traceEvents", std::move(events)}};
}

std::vector<CriticalShare> critical_shares(const StepProgram& program, const PlayedStep& played) {
  std::vector<CriticalShare> out;
  double before = 0.0;
  for (const CriticalOp& one : critical_path(played)) {
    const std::string& name = program.works[program.stages[one.stage].ops[one.op].work].name;
    auto found = std::find_if(out.begin(), out.end(), [&](const CriticalShare& s) { return s.name == name; });
    if (found == out.end()) {
      out.push_back({name});
      found = std::prev(out.end());
    }
    // Until it ends from when the one before did: nothing on the path stands still.
    const double end = played.spans[one.stage][one.op].end;
    found->seconds += end - before;
    ++found->operations;
    before = end;
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const CriticalShare& a, const CriticalShare& b) { return a.seconds > b.seconds; });
  return out;
}

}  // namespace gpuplan::sim
