// The price table as text and JSON: what GPUs cost on a day, how that moved, and the points it rests on.
#pragma once

#include <string>

#include "hwmodels/catalogue/catalogue.h"
#include "hwmodels/json/value.h"

namespace gpuplan::cli {

// Which points: of one GPU, known on a day, of some seller; empty: all.
struct PriceChoice {
  std::string gpu, as_of, vendor;
};

std::string price_text(const Catalogue& catalogue, const PriceChoice& choice);
json::Value price_json(const Catalogue& catalogue, const PriceChoice& choice);

}  // namespace gpuplan::cli
