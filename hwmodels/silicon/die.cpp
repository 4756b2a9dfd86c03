#include "hwmodels/silicon/die.h"

#include <array>

namespace gpuplan::silicon {

std::span<const std::string_view> enum_names(Hbm /*tag*/) {
  static constexpr std::array<std::string_view, 4> kNames = {"HBM2", "HBM2e", "HBM3", "HBM3e"};
  return kNames;
}

std::span<const std::string_view> enum_names(Datapath /*tag*/) {
  static constexpr std::array<std::string_view, 3> kNames = {"unknown", "shared", "duplicated"};
  return kNames;
}

namespace {

// A product cannot use more than the die has.
void check_product(const DieSpec& die, const ProductSpec& product, const std::string& path,
                   std::vector<Problem>& problems) {
  const auto at_most = [&](const char* name, int value, double limit) {
    if (value > limit) {
      problems.push_back({path + "." + name, std::to_string(value),
                          "at most the die's " + std::to_string(static_cast<int>(limit)), ""});
    }
  };
  at_most("sm_enabled", product.sm_enabled, die.sm_count);
  at_most("l2_groups_enabled", product.l2_groups_enabled, die.l2_groups);
  at_most("hbm_enabled", product.hbm_enabled, die.hbm_sites);
  at_most("links_enabled", product.links_enabled, die.links);
}

}  // namespace

DieSpec read_die(const std::string& file) {
  DieSpec die;
  std::vector<Problem> problems;
  json::read(json::parse_file(file), file + ": $", die, problems);
  const std::pair<const char*, double> counts[] = {
      {"area_mm2", die.area_mm2},  {"sm_count", die.sm_count},       {"sms_per_tpc", die.sms_per_tpc},
      {"gpcs", die.gpcs},          {"issue_lanes", die.issue_lanes}, {"register_files", die.register_files},
      {"l2_groups", die.l2_groups}};
  for (const auto& [name, value] : counts) {
    if (!(value >= 1.0)) {
      problems.push_back(
          {file + ": $." + name + ".value", json::excerpt(json::Value(value)), "at least 1", ""});
    }
  }
  if (problems.empty()) {
    for (std::size_t i = 0; i < die.products.size(); ++i) {
      check_product(die, die.products[i], file + ": $.products[" + std::to_string(i) + "]", problems);
    }
  }
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  return die;
}

}  // namespace gpuplan::silicon
