#include "hwmodels/json/problem.h"

#include <algorithm>
#include <cctype>

namespace gpuplan {

std::string to_string(const Problem& problem) {
  std::string line = problem.path + ": ";
  if (!problem.found.empty()) {
    line += "found " + problem.found;
  }
  if (!problem.expected.empty()) {
    line += (problem.found.empty() ? "expected " : "; expected ") + problem.expected;
  }
  if (!problem.suggestion.empty()) {
    line += "; " + problem.suggestion;
  }
  // One line whatever a user's key or value holds.
  std::replace_if(
      line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; },
      ' ');
  return line;
}

InputError::InputError(std::vector<Problem> problems) : problems_(std::move(problems)) {
  for (const Problem& problem : problems_) {
    if (!text_.empty()) {
      text_ += '\n';
    }
    text_ += to_string(problem);
  }
}

std::string plain_name(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

namespace {

// Edit distance with adjacent transpositions counted as one edit (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> row(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    row[i][0] = i;
  }
  for (std::size_t j = 0; j <= b.size(); ++j) {
    row[0][j] = j;
  }
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitute = row[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[i][j] = std::min({row[i - 1][j] + 1, row[i][j - 1] + 1, substitute});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[i][j] = std::min(row[i][j], row[i - 2][j - 2] + 1);
      }
    }
  }
  return row[a.size()][b.size()];
}

// Smaller is nearer; values >= 1 mean "not near".
double dissimilarity(std::string_view wanted, std::string_view choice) {
  const auto longest = static_cast<double>(std::max<std::size_t>(1, std::max(wanted.size(), choice.size())));
  double score = static_cast<double>(edit_distance(wanted, choice)) / (0.5 * longest);
  const bool contained =
      wanted.size() >= 2 && (choice.find(wanted) != std::string_view::npos ||
                             (choice.size() >= 2 && wanted.find(choice) != std::string_view::npos));
  if (contained) {
    const auto shortest = static_cast<double>(std::min(wanted.size(), choice.size()));
    score = std::min(score, 0.2 + 0.3 * (1.0 - shortest / longest));
  }
  // A short name mistyped: "H10O" for "H100-SXM5-80GB".
  if (wanted.size() >= 3 && choice.size() > wanted.size()) {
    const auto edits = static_cast<double>(edit_distance(wanted, choice.substr(0, wanted.size())));
    score = std::min(score, 0.3 + edits / (0.5 * static_cast<double>(wanted.size())));
  }
  return score;
}

}  // namespace

std::vector<std::string> nearest(std::string_view name, const std::vector<std::string>& choices,
                                 std::size_t limit) {
  const std::string wanted = plain_name(name.substr(0, 64));
  std::vector<std::pair<double, std::string>> scored;
  for (const std::string& choice : choices) {
    const double score = dissimilarity(wanted, plain_name(choice));
    if (score < 1.0) {
      scored.emplace_back(score, choice);
    }
  }
  std::stable_sort(scored.begin(), scored.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> out;
  for (const auto& [score, choice] : scored) {
    if (out.size() < limit) {
      out.push_back(choice);
    }
  }
  return out;
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& choices) {
  const std::vector<std::string> near = nearest(name, choices);
  if (near.empty()) {
    return "";
  }
  std::string text = "did you mean " + near[0];
  for (std::size_t i = 1; i < near.size(); ++i) {
    text += (i + 1 == near.size() ? " or " : ", ") + near[i];
  }
  return text + "?";
}

}  // namespace gpuplan
