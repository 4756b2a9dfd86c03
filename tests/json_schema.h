// Documents against JSON Schemas, by a validator that is not ours.
#pragma once

#include <memory>
#include <string>

class JsonSchema {
 public:
  // From the text of a schema.
  explicit JsonSchema(const std::string& text);
  ~JsonSchema();
  JsonSchema(const JsonSchema&) = delete;
  JsonSchema& operator=(const JsonSchema&) = delete;

  // What is wrong with the document of this text; "" where it is valid.
  [[nodiscard]] std::string complaint(const std::string& document) const;
  [[nodiscard]] bool valid(const std::string& document) const { return complaint(document).empty(); }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};
