// The one file that compiles the validator, which takes longer than most tests.
#include "tests/json_schema.h"

#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

using valijson::adapters::NlohmannJsonAdapter;

struct JsonSchema::Impl {
  nlohmann::json text;
  valijson::Schema schema;
};

JsonSchema::JsonSchema(const std::string& text) : impl_(std::make_unique<Impl>()) {
  impl_->text = nlohmann::json::parse(text);
  valijson::SchemaParser().populateSchema(NlohmannJsonAdapter(impl_->text), impl_->schema);
}

JsonSchema::~JsonSchema() = default;

std::string JsonSchema::complaint(const std::string& document) const {
  const auto value = nlohmann::json::parse(document);
  valijson::Validator validator;
  valijson::ValidationResults results;
  if (validator.validate(impl_->schema, NlohmannJsonAdapter(value), &results)) {
    return "";
  }
  std::string text = "invalid";
  valijson::ValidationResults::Error error;
  while (results.popError(error)) {
    for (const std::string& step : error.context) {
      text += step;
    }
    text += " " + error.description + "\n";
  }
  return text;
}
