#include "sim/run/evaluate_all.h"

#include "sim/plan/worker_pool.h"

namespace gpuplan::sim {

namespace {

json::Value line_of(const Asked& asked, const Library& library, const EvaluateOptions& options) {
  json::Value out;
  try {
    const Evaluation evaluation = evaluate(asked.document, asked.name, asked.base_dir, library, options);
    if (evaluation.fits) {
      out["result"] = evaluation.result.to_json();
    } else {
      out["misfit"] = evaluation.why_not;
    }
  } catch (const InputError& error) {
    json::Value problems{json::Array{}};
    for (const Problem& one : error.problems()) {
      problems.push_back(json::Value(json::Array{one.path, one.found, one.expected, one.suggestion}));
    }
    out["refused"] = std::move(problems);
  }
  return out;
}

Result result_of(const json::Value& value) {
  Result out;
  out.scenario = *value.find("scenario");
  const json::Value& intervals = *value.find("uncertainty");
  for (const json::Member& member : value.find("metrics")->object()) {
    Metric metric{member.first, member.second, std::nullopt};
    if (const json::Value* interval = intervals.find(member.first)) {
      metric.interval80 = {interval->array()[0].number(), interval->array()[1].number()};
    }
    out.metrics.push_back(std::move(metric));
  }
  for (const json::Value& entry : value.find("bottlenecks")->array()) {
    out.bottlenecks.push_back(
        {entry.find("resource")->string(), entry.find("share")->number(), entry.find("detail")->string()});
  }
  for (const json::Value& warning : value.find("warnings")->array()) {
    out.warnings.push_back(warning.string());
  }
  return out;
}

Answer answer_of(const json::Value& line) {
  Answer out;
  if (const json::Value* result = line.find("result")) {
    out.result = result_of(*result);
  } else if (const json::Value* misfit = line.find("misfit")) {
    out.kind = Answer::Kind::does_not_fit;
    out.why = misfit->string();
  } else {
    out.kind = Answer::Kind::refused;
    for (const json::Value& one : line.find("refused")->array()) {
      const json::Array& text = one.array();
      out.problems.push_back({text[0].string(), text[1].string(), text[2].string(), text[3].string()});
    }
    out.why = to_string(out.problems.front());
  }
  return out;
}

}  // namespace

std::vector<Answer> evaluate_all(const std::vector<Asked>& asked, const Library& library,
                                 const EvaluateAllOptions& options) {
  const std::size_t jobs =
      std::max<std::size_t>(1, std::min(asked.size(), static_cast<std::size_t>(std::max(1, options.jobs))));
  std::size_t done = 0;
  const auto tick = [&] {
    ++done;
    if (options.progress) {
      options.progress(static_cast<double>(done) / static_cast<double>(asked.size()));
    }
  };
  // A worker takes every jobs-th scenario, so that a sweep from light to heavy is spread evenly.
  const auto work = [&](int worker, const std::function<void()>& one_done) {
    json::Value lines{json::Array{}};
    for (std::size_t i = static_cast<std::size_t>(worker); i < asked.size(); i += jobs) {
      lines.push_back(line_of(asked[i], library, options.each));
      one_done();
    }
    return json::dump(lines);
  };
  const std::vector<std::string> texts = run_workers(static_cast<int>(jobs), work, tick, options.stop);
  std::vector<Answer> out(asked.size());
  for (std::size_t worker = 0; worker < jobs; ++worker) {
    const json::Value lines = json::parse(texts[worker], "answers");
    for (std::size_t k = 0; k < lines.array().size(); ++k) {
      out[worker + k * jobs] = answer_of(lines.array()[k]);
    }
  }
  return out;
}

}  // namespace gpuplan::sim
