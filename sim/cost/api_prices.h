// Prices of public APIs of language models: hwmodels/catalogue/data/api_prices.json, each with its day and
// source.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hwmodels/catalogue/catalogue.h"

namespace gpuplan::sim {

// USD per million tokens.
struct ApiPrice {
  std::string date, seller, model, name;  // model: of our catalogue, empty where it has none of that shape
  double input = 0.0, output = 0.0;
  std::optional<double> cached_input;  // of prompts that the seller still holds
  std::string source;
  Standing standing = Standing::assumed;

  // Of output tokens, each with `prompt` prompt tokens that nobody holds.
  [[nodiscard]] double per_million_output(double prompt) const { return output + prompt * input; }
};

// Oldest first. Throws InputError.
std::vector<ApiPrice> load_api_prices(const std::string& data_dir);

// The newest price of each seller for a model of our catalogue, known on `as_of` (empty: now).
std::vector<ApiPrice> api_prices_of(const std::vector<ApiPrice>& all, const std::string& model,
                                    const std::string& as_of = "");

// "0.5/1.5": USD per million input and output tokens; else a seller's or a model's name of the table, its
// newest price. InputError names `where`.
std::vector<ApiPrice> asked_api_prices(const std::vector<ApiPrice>& all, const std::string& text,
                                       const std::string& where);

}  // namespace gpuplan::sim
