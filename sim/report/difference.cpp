#include "sim/report/difference.h"

#include <algorithm>
#include <cmath>

#include "hwmodels/json/path.h"
#include "sim/report/metric_sense.h"

namespace gpuplan::sim {

namespace {

Verdict verdict_of(const Difference& d) {
  if (std::abs(d.a - d.b) <= 1e-3 * std::abs(d.a)) {
    return Verdict::equal;
  }
  if (d.ratio80 && (*d.ratio80)[0] <= 1.0 && (*d.ratio80)[1] >= 1.0) {
    return Verdict::within_error;
  }
  const Sense sense = sense_of(d.metric);
  if (sense == Sense::neutral) {
    return d.b > d.a ? Verdict::more : Verdict::less;
  }
  return (d.b > d.a) == (sense == Sense::higher) ? Verdict::better : Verdict::worse;
}

void walk(const json::Value* a, const json::Value* b, const std::string& path,
          std::vector<FieldChange>& out) {
  if (a != nullptr && b != nullptr && *a == *b) {
    return;
  }
  const auto object = [](const json::Value* v) { return v != nullptr && v->is_object(); };
  // "X" and {"base": "X", fields of it}: a name stands for itself with nothing laid over.
  const auto named = [&](const json::Value* name, const json::Value* with) {
    return name != nullptr && name->is_string() && object(with) && with->find("base") != nullptr;
  };
  if (named(a, b) || named(b, a)) {
    json::Value base;
    base["base"] = named(a, b) ? *a : *b;
    return named(a, b) ? walk(&base, b, path, out) : walk(a, &base, path, out);
  }
  if (object(a) && object(b)) {
    for (const json::Member& member : a->object()) {
      walk(&member.second, b->find(member.first), path.empty() ? member.first : path + "." + member.first,
           out);
    }
    for (const json::Member& member : b->object()) {
      if (a->find(member.first) == nullptr) {
        walk(nullptr, &member.second, path.empty() ? member.first : path + "." + member.first, out);
      }
    }
    return;
  }
  const auto list = [](const json::Value* v) { return v != nullptr && v->is_array(); };
  if (list(a) && list(b) && a->array().size() == b->array().size()) {
    for (std::size_t i = 0; i < a->array().size(); ++i) {
      walk(&a->array()[i], &b->array()[i], path + "[" + std::to_string(i) + "]", out);
    }
    return;
  }
  const auto text = [](const json::Value* v) {
    return v == nullptr ? std::string("-") : v->is_string() ? v->string() : json::excerpt(*v);
  };
  out.push_back({path, text(a), text(b)});
}

}  // namespace

double error_correlation(const std::string& kind, bool alike) {
  if (kind == "training") {
    return alike ? 0.6 : 0.1;
  }
  if (kind == "serving") {
    return alike ? 0.75 : 0.5;
  }
  return alike ? 0.5 : 0.0;
}

bool errors_alike(const json::Value& a, const json::Value& b) {
  const json::Value* kind_a = a.find("kind");
  const json::Value* kind_b = b.find("kind");
  if (kind_a == nullptr || kind_b == nullptr || !(*kind_a == *kind_b)) {
    return false;
  }
  for (const char* path : {"model", "machine.gpu"}) {
    const json::Value* one = json::find_at(a, path);
    const json::Value* other = json::find_at(b, path);
    if (one != nullptr && other != nullptr) {
      return *one == *other;
    }
  }
  return false;
}

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::better:
      return "better";
    case Verdict::worse:
      return "worse";
    case Verdict::more:
      return "more";
    case Verdict::less:
      return "less";
    case Verdict::within_error:
      return "inside the error";
    case Verdict::equal:
      return "equal";
  }
  return "";
}

std::optional<double> half_width(const Metric& metric) {
  if (!metric.interval80 || (*metric.interval80)[0] <= 0.0 || (*metric.interval80)[1] <= 0.0) {
    return std::nullopt;
  }
  return 0.5 * std::log((*metric.interval80)[1] / (*metric.interval80)[0]);
}

std::vector<Difference> differences(const Result& a, const Result& b, double correlation) {
  std::vector<Difference> out;
  for (const Metric& one : a.metrics) {
    const Metric* other = b.find(one.name);
    if (!one.value.is_number() || other == nullptr || !other->value.is_number()) {
      continue;
    }
    Difference d;
    d.metric = one.name;
    d.a = one.value.number();
    d.b = other->value.number();
    d.interval_a = one.interval80;
    d.interval_b = other->interval80;
    if (d.a != 0.0) {
      d.ratio = d.b / d.a;
    }
    const std::optional<double> ha = half_width(one), hb = half_width(*other);
    if (ha && hb && d.ratio && *d.ratio > 0.0) {
      const double h = std::sqrt(std::max(0.0, *ha * *ha + *hb * *hb - 2.0 * correlation * *ha * *hb));
      d.ratio80 = {*d.ratio * std::exp(-h), *d.ratio * std::exp(h)};
    }
    d.verdict = verdict_of(d);
    out.push_back(std::move(d));
  }
  return out;
}

std::vector<FieldChange> changed_fields(const json::Value& a, const json::Value& b) {
  std::vector<FieldChange> out;
  walk(&a, &b, "", out);
  std::erase_if(
      out, [](const FieldChange& change) { return change.path == "name" || change.path == "description"; });
  return out;
}

}  // namespace gpuplan::sim
