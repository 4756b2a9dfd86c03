// gpuplan diagnose: why a GPU is not busy, from what its counters show.
#include <fmt/format.h>

#include <cmath>

#include "sim/diagnose/diagnosis.h"
#include "sim/scenario/profile_scenario.h"
#include "ui/cli/command.h"
#include "ui/cli/terminal.h"

namespace gpuplan::cli {

namespace po = boost::program_options;

namespace {

constexpr double kMentioned = 0.02;  // explanations less likely are only counted

po::options_description described() {
  po::options_description options("options");
  options.add_options()("json", "print JSON instead of text")("help", "this text");
  return options;
}

json::Value json_of(const sim::Diagnosis& d) {
  json::Object phases;
  for (const sim::PhaseShare& phase : d.phases) {
    phases.emplace_back(phase.phase, phase.share);
  }
  json::Array evidence, moves;
  for (const sim::Evidence& e : d.evidence) {
    evidence.push_back(json::Object{{"counter", json::name_of(e.counter)},
                                    {"seen", e.seen},
                                    {"expected", e.expected},
                                    {"deviations", e.deviations}});
  }
  for (const sim::Move& move : d.moves) {
    moves.push_back(json::Object{{"what", move.what}, {"time", move.time}});
  }
  return json::Object{{"id", d.id},
                      {"verdict", d.verdict},
                      {"probability", d.probability},
                      {"phases", std::move(phases)},
                      {"evidence", std::move(evidence)},
                      {"moves", std::move(moves)}};
}

json::Value json_of(const sim::ProfileScenario& scenario, const sim::Diagnoses& found) {
  json::Object shares;
  for (std::size_t i = 0; i < sim::kCounters; ++i) {
    if (scenario.observation.shares[i]) {
      shares.emplace_back(sim::enum_names(sim::Counter{})[i], *scenario.observation.shares[i]);
    }
  }
  json::Array ranked;
  for (const sim::Diagnosis& d : found.ranked) {
    ranked.push_back(json_of(d));
  }
  json::Value out = json::Object{{"schema", 1},
                                 {"profile", json::write(scenario.spec)},
                                 {"shares", std::move(shares)},
                                 {"explanations", std::move(ranked)}};
  if (found.next) {
    out["next"] = json::Object{{"counter", json::name_of(found.next->counter)},
                               {"how", sim::how_to_measure(found.next->counter)},
                               {"instead", found.next->instead},
                               {"if_likeliest", found.next->if_likeliest},
                               {"if_instead", found.next->if_instead}};
  }
  return out;
}

std::string seen_table(const sim::ProfileScenario& scenario) {
  using enum Table::Align;
  Table table({"counter", "seen", "", "what it counts"}, {left, right, left, left});
  for (std::size_t i = 0; i < sim::kCounters; ++i) {
    const auto counter = static_cast<sim::Counter>(i);
    if (const auto& share = scenario.observation.shares[i]) {
      table.row(
          {std::string(json::name_of(counter)), percent(*share), bar(std::min(1.0, *share), 12),
           std::string(sim::meaning(counter)) + (scenario.observation.derived[i] ? " (from the step)" : "")});
    }
  }
  return table.text();
}

std::string diagnosis_text(const sim::Diagnosis& d) {
  std::string text = styled(fmt::format("{:>6}  {}", percent(d.probability), d.id), Style::heading) + "\n";
  text += "        " + wrap(d.verdict, 70, 8) + "\n";
  std::string phases;
  for (const sim::PhaseShare& phase : d.phases) {
    phases += fmt::format("{}{} {}", phases.empty() ? "" : ", ", percent(phase.share), phase.phase);
  }
  text += "        time: " + wrap(phases, 64, 14) + "\n";
  std::string fits, not_fits;
  for (const sim::Evidence& e : d.evidence) {
    std::string& part = std::abs(e.deviations) > 2.0 ? not_fits : fits;
    part += fmt::format("{}{} {} (expected {})", part.empty() ? "" : ", ", json::name_of(e.counter),
                        percent(e.seen), percent(e.expected));
  }
  text += fits.empty() ? "" : "        for: " + wrap(fits, 65, 13) + "\n";
  text += not_fits.empty() ? "" : "        against: " + wrap(not_fits, 61, 17) + "\n";
  return text;
}

std::string diagnoses_text(const sim::ProfileScenario& scenario, const sim::Diagnoses& found) {
  const sim::Capacities& c = scenario.capacities;
  std::string text = styled(scenario.spec.name, Style::heading) + "\n";
  text += scenario.spec.description.empty() ? "" : wrap(scenario.spec.description, 80, 0) + "\n";
  text += "\n" +
          wrap(fmt::format("{}: {}/s from pinned host memory ({}/s pageable), {}/s of HBM, {} limit",
                           scenario.gpu.name, si(c.pcie_pinned.si(), "B"), si(c.pcie_pageable.si(), "B"),
                           si(c.hbm.si(), "B"), si(c.power.si(), "W")),
               80, 2) +
          "\n\n" + seen_table(scenario) + "\n";
  std::size_t left = 0;
  double rest = 0.0;
  for (const sim::Diagnosis& d : found.ranked) {
    if (d.probability >= kMentioned) {
      text += diagnosis_text(d);
    } else {
      ++left;
      rest += d.probability;
    }
  }
  if (left > 0) {
    std::string names;
    for (std::size_t i = found.ranked.size() - left;
         i < found.ranked.size() && i < found.ranked.size() - left + 3; ++i) {
      names += fmt::format("{}{} {}", names.empty() ? "" : ", ", found.ranked[i].id,
                           percent(found.ranked[i].probability));
    }
    text += fmt::format("{:>6}  ", percent(rest)) +
            wrap(fmt::format("{} other explanations together, first {}", left, names), 72, 8) + "\n";
  }
  const sim::Diagnosis& first = found.ranked.front();
  if (!first.moves.empty()) {
    text += "\nwhat would help, if it is " + std::string(first.id) + "\n";
    for (const sim::Move& move : first.moves) {
      text += fmt::format("  {:>5.2f}x  {}\n", 1.0 / move.time, wrap(move.what, 70, 10));
    }
  }
  if (found.next) {
    text += "\n" +
            wrap(fmt::format("measure next: {} ({}). {} if it is {}, {} if it is {}.",
                             json::name_of(found.next->counter), sim::how_to_measure(found.next->counter),
                             percent(found.next->if_likeliest), first.id, percent(found.next->if_instead),
                             found.next->instead),
                 80, 2) +
            "\n";
  }
  return text + "\n" +
         wrap(
             "Shares of time are fitted; what phases show is physics for PCIe, NVLink and NCCL's SMs, and "
             "assumed for the rest. Probabilities are among these explanations, each as likely before.",
             80, 0) +
         "\n";
}

}  // namespace

std::vector<std::string> diagnose_options() { return long_options(described()); }

int diagnose_command(const std::vector<std::string>& arguments) {
  po::variables_map options;
  if (!parse_options(arguments, command_named("diagnose"), described(), "profile", options)) {
    return kDone;
  }
  const auto files = texts_of(options, "profile");
  if (files.size() != 1) {
    throw UsageError{"diagnose takes one profile (gpuplan schema profile tells its fields)"};
  }
  const sim::Library library = sim::Library::load(data_root());
  const auto scenario = sim::resolve_profile(json::parse_file(files[0]), files[0], library);
  const sim::Diagnoses found = sim::diagnose(scenario.observation, scenario.capacities);
  print(options.count("json") > 0 ? json::dump(json_of(scenario, found), 2) + "\n"
                                  : diagnoses_text(scenario, found));
  return kDone;
}

}  // namespace gpuplan::cli
