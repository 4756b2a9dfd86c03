// Problems: mistakes in what a user wrote, as values. All problems of a file are collected and shown at
// once, one line each: JSON path, what was found, what was expected, the nearest valid choice.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace gpuplan {

struct Problem {
  std::string path;        // "scenario.json: $.traffic.rate", or "trace.csv:17"
  std::string found;       // what the file says ("-3", "\"H10O\"", "nothing")
  std::string expected;    // what would be valid ("a number > 0")
  std::string suggestion;  // nearest valid choice ("did you mean H100-SXM5-80GB?"); may be empty
};

// One line: "PATH: found X; expected Y; did you mean Z?"
std::string to_string(const Problem& problem);

// The input cannot be used. Thrown by loaders, caught at the edge (exit 3).
class InputError : public std::exception {
 public:
  explicit InputError(std::vector<Problem> problems);
  explicit InputError(Problem problem) : InputError(std::vector<Problem>{std::move(problem)}) {}
  [[nodiscard]] const std::vector<Problem>& problems() const { return problems_; }
  [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::vector<Problem> problems_;
  std::string text_;
};

// How names are compared: letters and digits only, in lower case ("H100 SXM5" and "h100-sxm5" are one name).
std::string plain_name(std::string_view text);

// Up to `limit` members of `choices` that resemble `name` (edit distance, prefix, containment; case and
// punctuation ignored), nearest first; empty when nothing is near.
std::vector<std::string> nearest(std::string_view name, const std::vector<std::string>& choices,
                                 std::size_t limit = 3);

// "did you mean A, B or C?", or "" when nothing is near.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& choices);

}  // namespace gpuplan
