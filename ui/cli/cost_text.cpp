#include "ui/cli/cost_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ui/cli/terminal.h"

namespace gpuplan::cli {

namespace {

using sim::CostReport;
using sim::WayCost;

std::string words(std::string_view name) {
  std::string out(name);
  std::replace(out.begin(), out.end(), '_', ' ');
  return out;
}

std::string way_name(sim::Acquisition way) { return words(json::name_of(way)); }

// Three digits: "0.193", "46.5k", "1.13M".
std::string digits(double value) {
  const auto [scale, letter] = value >= 1e9   ? std::pair(1e9, "G")
                               : value >= 1e6 ? std::pair(1e6, "M")
                               : value >= 1e4 ? std::pair(1e3, "k")
                                              : std::pair(1.0, "");
  const double shown = value / scale;
  const int decimals = shown >= 100.0 ? 0 : shown >= 10.0 ? 1 : shown >= 1.0 ? 2 : 3;
  return value == 0.0 ? "0" : fmt::format("{:.{}f}{}", shown, decimals, letter);
}

std::string usd(double value) { return "$" + digits(value); }
std::string between(const Spread& s) { return digits(s.p10) + "-" + digits(s.p90); }

std::string line(std::string_view label, const std::string& text) {
  return fmt::format("{:<11}{}\n", label, wrap(text, 69, 11));
}

std::string heading(const std::string& text) { return "\n" + styled(text, Style::heading) + "\n"; }

// What the ways are compared by: a run where there is one, else output tokens, else tokens or samples.
const std::optional<Spread>& measure(const WayCost& cost) {
  return cost.per_run ? cost.per_run : cost.per_million_output ? cost.per_million_output : cost.per_million;
}

std::string measure_name(const CostReport& r) {
  const bool run = r.subject.work.run_hours.has_value();
  return run                                 ? "USD/run"
         : r.subject.work.output_per_s > 0.0 ? "USD/M output"
                                             : "USD/M " + r.subject.work.unit;
}

std::string ways_table(const CostReport& r) {
  const bool both = r.subject.work.output_per_s > 0.0 || r.subject.work.run_hours;
  std::vector<std::string> header = {"GPUs", "USD/GPU-h", "80 %", "USD/h", measure_name(r), "80 %"};
  if (both) {
    header.push_back("all " + r.subject.work.unit);
  }
  Table table(header);
  for (const WayCost& cost : r.ways) {
    std::vector<std::string> cells = {way_name(cost.way.way), digits(cost.usd_per_gpu_hour.p50),
                                      between(cost.usd_per_gpu_hour), digits(cost.usd_per_hour)};
    const auto& value = measure(cost);
    cells.push_back(value ? digits(value->p50) : "-");
    cells.push_back(value ? between(*value) : "-");
    if (both) {
      cells.push_back(cost.per_million ? digits(cost.per_million->p50) : "-");
    }
    table.row(std::move(cells));
  }
  const auto held = std::find_if(r.ways.begin(), r.ways.end(), [](const WayCost& cost) {
    return cost.way.way != sim::Acquisition::on_demand && cost.way.way != sim::Acquisition::spot;
  });
  if (held == r.ways.end()) {
    return table.text();
  }
  const double share = held->way[sim::CostInput::utilisation].mid;
  const std::string note = fmt::format(
      "of hours that work: reserved and owned ones are paid whether they do or not, and {:.0f} % of them do",
      100.0 * share);
  return table.text() + styled(wrap(note, 80, 2), Style::dim) + "\n";
}

std::string parts_text(const WayCost& owned) {
  const sim::CostParts& p = owned.parts;
  const double total = p.total();
  std::string text = heading(fmt::format("what an owned GPU-hour of {} is made of", usd(total)));
  for (const auto& [name, value] : {std::pair{"capital", p.capital},
                                    {"hosting", p.hosting},
                                    {"electricity", p.energy},
                                    {"maintenance", p.maintenance},
                                    {"staff", p.staff}}) {
    if (value > 0.0) {
      text += fmt::format("  {:<14}{:>9}{:>9}  {}\n", name, usd(value), percent(value / total),
                          bar(value / total, 40));
    }
  }
  return text;
}

std::string swings_text(const WayCost& cost) {
  std::string text =
      heading(fmt::format("what moves the cost of work, {}: {} most", way_name(cost.way.way),
                          words(json::name_of(static_cast<sim::CostInput>(cost.swings.front().input)))));
  const double widest = cost.swings.front().width();
  for (std::size_t i = 0; i < std::min<std::size_t>(6, cost.swings.size()); ++i) {
    const Swing& swing = cost.swings[i];
    const Uncertain& input = cost.way.inputs[swing.input];
    text += fmt::format("  {:<25}{:>7} .. {:<7}{:>+6.0f} % .. {:>+4.0f} %  {}\n",
                        words(json::name_of(static_cast<sim::CostInput>(swing.input))), digits(input.low),
                        digits(input.high), 100.0 * (swing.at_low - 1.0), 100.0 * (swing.at_high - 1.0),
                        bar(swing.width() / widest, 15));
  }
  return text;
}

std::string months(const std::optional<double>& value) {
  return value ? fmt::format("{:.0f} months", *value) : "never";
}
std::string payback(const std::optional<double>& value) {
  return value ? "outlay back after " + months(value) : "the outlay never comes back";
}

std::string rent_or_buy_text(const CostReport& r) {
  std::string text = heading(
      fmt::format("rent or buy, at {:.0f} % of the hours", 100.0 * r.rent_or_buy.front().utilisation));
  for (const sim::RentOrBuy& one : r.rent_or_buy) {
    std::string words =
        fmt::format("{} is cheaper; {}", one.owning_is_cheaper ? "owning" : "renting", payback(one.months));
    if (one.months_falling || (one.months && r.trend && r.trend->per_year < 0.0)) {
      words += fmt::format(" ({} if rents fall on)", months(one.months_falling));
    }
    if (one.break_even) {
      words += *one.break_even > 1.0
                   ? "; no utilisation makes owning pay"
                   : fmt::format("; owning pays above {:.0f} % of the hours", 100.0 * *one.break_even);
      const Spread& s = *one.break_even_spread;
      const auto share = [](double value) {
        return value > 1.0 ? std::string("never") : fmt::format("{:.0f} %", 100.0 * value);
      };
      words += fmt::format(" (80 %: {} .. {})", share(s.p10), share(s.p90));
    }
    text += fmt::format("  {:<13}{}\n", way_name(one.rent), wrap(words, 65, 15));
  }
  return text;
}

std::string api_text(const CostReport& r) {
  std::string text = heading("own serving or an API");
  text += fmt::format("  at this load {} output tokens a day, {:.2f} prompt tokens with each\n",
                      si(r.subject.work.output_per_s * 86400.0, ""), r.subject.work.prompt_per_output());
  for (const sim::ApiBreakEven& api : r.apis) {
    text += "  " +
            wrap(fmt::format("{} {}{}: {} / {} per M input / output, {} per M output with its prompt [{}]",
                             api.price.seller, api.price.name,
                             api.price.date.empty() ? "" : ", " + api.price.date, usd(api.price.input),
                             usd(api.price.output), usd(api.api_per_million_output),
                             json::name_of(api.price.standing)),
                 78, 4) +
            "\n";
    for (const sim::ApiBreakEven::Way& way : api.ways) {
      text += fmt::format(
          "    {:<13}{}\n", way_name(way.way),
          way.pays
              ? fmt::format("cheaper than the API above {} output tokens a day", si(way.tokens_per_day, ""))
              : fmt::format("never: it would take {} a day, more than it makes", si(way.tokens_per_day, "")));
    }
  }
  return text;
}

std::string sources_text(const WayCost& cost) {
  std::string text = heading("inputs, " + way_name(cost.way.way));
  for (std::size_t i = 0; i < sim::kCostInputs; ++i) {
    const Uncertain& input = cost.way.inputs[i];
    if (!input.source.text.empty()) {
      text += "  " +
              wrap(fmt::format("{}: {:.4g} ({:.4g} .. {:.4g}), {}: {}",
                               words(json::name_of(static_cast<sim::CostInput>(i))), input.mid, input.low,
                               input.high, json::name_of(input.source.standing), input.source.text),
                   78, 4) +
              "\n";
    }
  }
  return text;
}

}  // namespace

std::string cost_text(const CostReport& r, bool sources) {
  const sim::CostSubject& s = r.subject;
  std::string text = styled(s.name, Style::heading) + "\n";
  text += line("machine", fmt::format("{} x {} ({}), {:.0f} W a GPU with its share of the node", s.gpus,
                                      s.machine.gpu, s.node, s.work.busy_watts));
  std::string work = s.work.output_per_s > 0.0
                         ? fmt::format("{}: {} output tokens/s, {} with prompts", s.model,
                                       grouped(s.work.output_per_s), grouped(s.work.units_per_s))
                         : fmt::format("{}: {} {}/s", s.model, grouped(s.work.units_per_s), s.work.unit);
  if (s.work.run_hours) {
    work += fmt::format(", {:.4g} days a run", *s.work.run_hours / 24.0);
  }
  text += line("work", work) + "\n";
  if (r.ways.empty()) {
    text += styled("no price is known", Style::bad) + "\n";
  } else {
    text += ways_table(r);
  }
  for (const std::string& why : r.missing) {
    text += line("", why);
  }
  if (const WayCost* owned = r.way(sim::Acquisition::owned)) {
    text += parts_text(*owned);
    text += fmt::format("  outlay {} (80 %: {}); {} a year, {} over {:.3g} years\n", usd(r.capex),
                        between(r.capex_spread), usd(owned->usd_per_year), usd(r.life_usd),
                        owned->way[sim::CostInput::years].mid);
  }
  text += fmt::format("  {}Wh a year at the meter\n", si(r.energy_kwh_per_year * 1000.0, ""));
  if (!r.rent_or_buy.empty()) {
    text += rent_or_buy_text(r);
  }
  if (!r.apis.empty()) {
    text += api_text(r);
  }
  for (const WayCost& cost : r.ways) {
    const bool shown = cost.way.way == sim::Acquisition::owned || cost.way.way == s.spec.chosen();
    if (shown && !cost.swings.empty()) {
      text += swings_text(cost);
    }
    if (sources) {
      text += sources_text(cost);
    }
  }
  text += "\n";
  for (const std::string& note : r.notes) {
    text += styled("note     ", Style::dim) + wrap(note, 71, 9) + "\n";
  }
  return text;
}

std::string cost_comparison_text(const std::vector<CostReport>& reports) {
  const CostReport& base = reports.front();
  std::string text = styled("side by side, USD per million " + base.subject.work.unit, Style::heading) + "\n";
  const auto letter = [&](const CostReport& r) {
    return std::string(1, static_cast<char>('A' + (&r - reports.data()) % 26));
  };
  for (const CostReport& r : reports) {
    text +=
        fmt::format("  {}  {}, {} x {}\n", letter(r), r.subject.name, r.subject.gpus, r.subject.machine.gpu);
  }
  std::vector<std::string> header = {"", base.subject.work.unit + "/s"};
  for (std::size_t i = 0; i < sim::kAcquisitions; ++i) {
    header.push_back(way_name(static_cast<sim::Acquisition>(i)));
  }
  Table table(header);
  for (const CostReport& r : reports) {
    std::vector<std::string> cells = {letter(r), grouped(r.subject.work.units_per_s)};
    for (std::size_t i = 0; i < sim::kAcquisitions; ++i) {
      const WayCost* cost = r.way(static_cast<sim::Acquisition>(i));
      cells.push_back(cost != nullptr && cost->per_million ? digits(cost->per_million->p50) : "-");
    }
    table.row(std::move(cells));
  }
  text += table.text();
  const WayCost* chosen = base.way(base.subject.spec.chosen());
  for (std::size_t i = 1; chosen != nullptr && i < reports.size(); ++i) {
    const double rent = chosen->usd_per_gpu_hour.p50;
    text += wrap(fmt::format("{} gives as much for the money as A at {} a GPU-hour if it costs {}",
                             letter(reports[i]), usd(rent),
                             usd(sim::equal_rent(base.subject, rent, reports[i].subject))),
                 80, 2) +
            "\n";
  }
  return text;
}

}  // namespace gpuplan::cli
