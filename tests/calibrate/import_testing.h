// What the tests of imported measurements share.
#pragma once

#include <catch2/catch.hpp>
#include <string>

#include "calibrate/import/formats.h"

namespace gpuplan::calibrate {

// The only problem that reading `text` raises, on one line.
inline std::string problem_of(const std::string& text, const std::string& path = "f") {
  try {
    read_measurements(text, path);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no problem";
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

inline double number_of(const Measurement& m, const char* field) {
  const json::Value* found = m.find(field);
  REQUIRE(found != nullptr);
  return found->number();
}

}  // namespace gpuplan::calibrate
