// Numbers that are not known exactly. An Uncertain is what its source lets one say: a tenth percentile, a
// median and a ninetieth percentile, with the source and how it is known. Between and beyond them it is drawn
// from a split distribution: log-normal on either side of the median where the lowest value is above zero (a
// price or an area errs by a factor), normal and cut at zero otherwise. Tails stop at the 1st and 99th
// percentile: nobody knows them. The shape is an assumption; the three points are all that the data say.
#pragma once

#include <string>
#include <vector>

#include "hwmodels/catalogue/catalogue.h"
#include "hwmodels/json/describe.h"
#include "hwmodels/uncertainty/spread.h"

namespace gpuplan::silicon {

struct Uncertain {
  double low = 0.0;   // P10
  double mid = 0.0;   // P50
  double high = 0.0;  // P90
  std::string source;
  Standing standing = Standing::assumed;
  std::string note;

  // The value at a standard normal score: low, mid and high at -kNormal90, 0 and kNormal90.
  [[nodiscard]] double at(double score) const;
};
template <class V>
void describe(V& v, Uncertain& u) {
  v.field("low", u.low, "tenth percentile", json::required);
  v.field("mid", u.mid, "median", json::required);
  v.field("high", u.high, "ninetieth percentile", json::required);
  v.field("source", u.source, "where the values were read, or how they were derived", json::required);
  v.field("standing", u.standing, "how the median is known", json::required);
  v.field("note", u.note, "what it covers");
}

// A number that is taken as it is, with its source.
struct Sourced {
  double value = 0.0;
  std::string source;
  Standing standing = Standing::assumed;
  std::string note;

  operator double() const { return value; }  // NOLINT: a sourced number is a number
};
template <class V>
void describe(V& v, Sourced& s) {
  v.field("value", s.value, "the number", json::at_least(0.0), json::required);
  v.field("source", s.source, "where it was read", json::required);
  v.field("standing", s.standing, "how it is known", json::required);
  v.field("note", s.note, "what it covers");
}

}  // namespace gpuplan::silicon
