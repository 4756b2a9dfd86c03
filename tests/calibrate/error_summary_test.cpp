#include "calibrate/validate/error_summary.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <sstream>

using namespace gpuplan;
using namespace gpuplan::calibrate;

namespace {

ValidationRow row(std::string id, std::string op, double measured, double predicted, double spread = 0.1) {
  return {std::move(id), {{"op", std::move(op)}},  measured,
          predicted,     predicted * (1 - spread), predicted * (1 + spread)};
}

}  // namespace

TEST_CASE("Error statistics follow from the rows by hand") {
  ValidationRows rows;
  // Signed errors: -0.5, -0.1, 0, +0.2, +1.0; absolute and sorted: 0, 0.1, 0.2, 0.5, 1.0.
  rows.rows = {row("a", "x", 1.0, 0.5), row("b", "x", 1.0, 0.9, 0.2), row("c", "x", 1.0, 1.0),
               row("d", "y", 1.0, 1.2), row("e", "y", 1.0, 2.0)};
  const ErrorSummary s = summarise(rows);
  CHECK(s.overall.count == 5);
  CHECK(s.overall.median == Approx(0.2));
  CHECK(s.overall.mean == Approx((0.5 + 0.1 + 0.0 + 0.2 + 1.0) / 5.0));
  CHECK(s.overall.p90 ==
        Approx(0.5 + 0.6 * (1.0 - 0.5)));  // position 0.9 x 4 = 3.6 between the 4th and the 5th
  CHECK(s.overall.max == Approx(1.0));
  CHECK(s.overall.bias == Approx(0.0).margin(1e-12));
  // Inside: b (0.72 .. 1.08 has 1) and c; d says 1.08 .. 1.32.
  CHECK(s.overall.coverage80 == Approx(2.0 / 5.0));
  REQUIRE(s.groups.size() == 2);
  CHECK(s.groups[0].key.at("op") == "x");
  CHECK(s.groups[0].errors.count == 3);
  CHECK(s.groups[1].errors.bias == Approx(0.6));
}

TEST_CASE("The worst rows come first, ties by id") {
  ValidationRows rows;
  rows.rows = {row("b", "x", 1.0, 2.0), row("a", "x", 1.0, 2.0), row("c", "x", 1.0, 4.0),
               row("d", "x", 1.0, 1.0)};
  const ErrorSummary s = summarise(rows, {.group_by = {}, .worst = 3});
  REQUIRE(s.worst.size() == 3);
  CHECK(s.worst[0].row.id == "c");
  CHECK(s.worst[0].error == Approx(3.0));
  CHECK(s.worst[1].row.id == "a");
  CHECK(s.worst[2].row.id == "b");
}

TEST_CASE("Rows without a relative error are counted, not dropped") {
  ValidationRows rows;
  rows.skip("dtype is not modelled", 3);
  rows.rows = {row("a", "x", 0.0, 1.0), row("b", "x", 1.0, std::numeric_limits<double>::infinity()),
               row("c", "x", 2.0, 2.0)};
  const ErrorSummary s = summarise(rows);
  CHECK(s.overall.count == 1);
  CHECK(s.skipped.at("dtype is not modelled") == 3);
  CHECK(s.skipped.at("measured value is not above zero") == 1);
  CHECK(s.skipped.at("prediction is not finite") == 1);
}

TEST_CASE("Nothing to summarise is zero, not an error") {
  const ErrorSummary s = summarise({});
  CHECK(s.overall.count == 0);
  CHECK(s.groups.empty());
  CHECK(to_json(s).find("overall")->find("count")->integer() == 0);
}

TEST_CASE("The JSON has the contract's members, and errors as fractions") {
  ValidationRows rows;
  rows.rows = {row("a", "x", 2.0, 3.0)};
  const json::Value v = to_json(summarise(rows));
  for (const char* member : {"count", "median", "mean", "p90", "max", "bias", "coverage80"}) {
    CHECK(v.find("overall")->find(member) != nullptr);
    CHECK(v.find("groups")->array().at(0).find(member) != nullptr);
  }
  CHECK(v.find("overall")->find("median")->number() == Approx(0.5));
  CHECK(v.find("groups")->array()[0].find("key")->find("op")->string() == "x");
  CHECK(v.find("worst")->array()[0].find("id")->string() == "a");
  CHECK(v.find("skipped")->is_object());
}

TEST_CASE("The text fits 80 columns, whatever the names") {
  ValidationRows rows;
  rows.skip(std::string(200, 'r'), 12);
  rows.rows = {row(std::string(150, 'i'), std::string(120, 'k'), 1e-9, 12345.0),
               row("b", "short", 1.0, 1.01)};
  std::istringstream text(to_text(summarise(rows)));
  std::string line;
  std::size_t lines = 0;
  while (std::getline(text, line)) {
    CHECK(line.size() <= 80);
    ++lines;
  }
  CHECK(lines > 5);
}

TEST_CASE("Groups can be coarser than the key") {
  ValidationRows rows;
  rows.rows = {row("a", "x", 1.0, 1.0), row("b", "y", 1.0, 1.0)};
  rows.rows[0].key["gpu"] = rows.rows[1].key["gpu"] = "H100";
  CHECK(summarise(rows).groups.size() == 2);
  CHECK(summarise(rows, {.group_by = {"gpu"}, .worst = 1}).groups.size() == 1);
}
