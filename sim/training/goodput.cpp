#include "sim/training/goodput.h"

#include <cmath>

namespace gpuplan::sim {

double erlang_loss(int servers, double load) {
  double loss = 1.0;
  for (int n = 1; n <= servers; ++n) {
    loss = load * loss / (n + load * loss);
  }
  return loss;
}

double share_without_nodes(const FailureModel& m) {
  return m.spares && m.mean_between.si() > 0.0 ? erlang_loss(*m.spares + 1, m.repair / m.mean_between) : 0.0;
}

double failure_rate(const FailureModel& m) {
  return m.mean_between.si() > 0.0 ? (1.0 - share_without_nodes(m)) / m.mean_between.si() : 0.0;
}

double goodput(const FailureModel& m) {
  if (m.interval.si() <= 0.0) {
    return 1.0;
  }
  const double every = (m.interval + m.stop).si();
  if (m.mean_between.si() <= 0.0) {
    return m.interval.si() / every;
  }
  const double mean = m.mean_between.si();
  const double takes = mean * std::exp((m.restart + m.settles).si() / mean) * std::expm1(every / mean);
  return m.interval.si() / takes * (1.0 - share_without_nodes(m));
}

Seconds best_interval(Seconds stop, Seconds mean_between) {
  return Seconds(std::sqrt(2.0 * stop.si() * mean_between.si()));
}

}  // namespace gpuplan::sim
