#include "ui/cli/kernel_text.h"

#include <fmt/format.h>

#include "ui/cli/terminal.h"

namespace gpuplan::cli {

namespace {

// A percentage in at most four columns, its sign in the header: "0", "0.4", "12.3", "87.5", "100".
std::string share(double fraction) {
  const double value = 100.0 * fraction;
  return value < 0.05 ? "0" : value < 99.95 ? fmt::format("{:.1f}", value) : fmt::format("{:.0f}", value);
}

std::string share(const std::optional<double>& fraction) { return fraction ? share(*fraction) : "-"; }

std::string calls(double count) {
  if (count < 999999.5) {
    return grouped(count);
  }
  return si(count, "");  // "4.67 M"
}

std::string_view limiter_word(kernels::Limiter limiter) {
  switch (limiter) {
    case kernels::Limiter::compute:
      return "compute";
    case kernels::Limiter::hbm_bandwidth:
      return "HBM";
    case kernels::Limiter::l2_bandwidth:
      return "L2";
    case kernels::Limiter::latency:
      return "latency";
    case kernels::Limiter::launch:
      return "launch";
    case kernels::Limiter::link_bandwidth:
      return "link";
  }
  return "";
}

std::vector<std::string> cells(const sim::KernelUse& use, double total, BytesPerSecond hbm) {
  return {use.name,
          calls(use.calls),
          si(use.seconds, "s"),
          share(total > 0.0 ? use.seconds / total : 0.0),
          share(use.compute_share()),
          share(use.hbm_share(hbm)),
          share(use.l2_share()),
          share(use.occupancy()),
          std::string(limiter_word(use.limiter()))};
}

}  // namespace

std::string kernel_table_text(const sim::KernelTable& table, BytesPerSecond hbm) {
  using Align = Table::Align;
  Table text({"kernel", "calls", "time", "time%", "SM%", "HBM%", "L2%", "occ.%", "limiter"},
             {Align::left, Align::right, Align::right, Align::right, Align::right, Align::right, Align::right,
              Align::right, Align::left});
  const double total = table.seconds();
  for (const sim::KernelUse& use : table.by_time()) {
    text.row(cells(use, total, hbm));
  }
  text.row(cells(table.total(), total, hbm));
  return text.text();
}

}  // namespace gpuplan::cli
