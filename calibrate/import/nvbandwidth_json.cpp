// JSON of nvbandwidth: {"nvbandwidth": {"version", "testcases": [{"name", "status", "bandwidth_description",
// "bandwidth_matrix": [["N/A", "276.07"], ...]}]}}; values are strings or numbers. Only newer versions list
// the devices.
#include <fmt/format.h>

#include "calibrate/import/nvbandwidth.h"
#include "calibrate/import/readers.h"
#include "calibrate/import/text.h"

namespace gpuplan::calibrate {

namespace {

[[noreturn]] void fail(const std::string& path, const json::Value* found, const std::string& expected) {
  throw InputError({path, found == nullptr ? "nothing" : json::excerpt(*found), expected, ""});
}

// A list of texts "0: NVIDIA H100 (00000000:07:00)" under a key that speaks of devices.
std::vector<std::string> gpus_of(const json::Value& root) {
  std::vector<std::string> gpus;
  for (const auto& [key, value] : root.object()) {
    if (plain_name(key).find("device") == std::string::npos || !value.is_array()) {
      continue;
    }
    for (const json::Value& entry : value.array()) {
      if (entry.is_string()) {
        std::string_view name = entry.string();
        const std::size_t colon = name.find(": ");
        name.remove_prefix(colon == std::string_view::npos ? 0 : colon + 2);
        gpus.push_back(printable(trimmed(name.substr(0, std::min(name.rfind(" ("), name.size())))));
      }
    }
  }
  return gpus;
}

std::optional<double> entry_of(const json::Value& entry, const std::string& path) {
  std::optional<double> value;
  if (entry.is_number()) {
    value = entry.number();
  } else if (entry.is_string()) {
    if (entry.string() == "N/A") {
      return std::nullopt;
    }
    value = number_in(entry.string());
  }
  if (!value || *value < 0.0) {
    fail(path, &entry, "a number >= 0, or \"N/A\"");
  }
  return value;
}

BandwidthMatrix matrix_of(const json::Value& test, const json::Value& rows, const std::string& path) {
  BandwidthMatrix matrix;
  const json::Value* name = test.find("name");
  if (name == nullptr || !name->is_string()) {
    fail(path + ".name", name, "a string");
  }
  matrix.test = printable(name->string(), 60);
  const json::Value* description = test.find("bandwidth_description");
  if (description == nullptr || !description->is_string()) {
    fail(path + ".bandwidth_description", description, "a string");
  }
  matrix.description = printable(description->string());
  if (!rows.is_array()) {
    fail(path + ".bandwidth_matrix", &rows, "an array of rows");
  }
  for (std::size_t r = 0; r < rows.array().size(); ++r) {
    const json::Value& row = rows.array()[r];
    const std::string at = fmt::format("{}.bandwidth_matrix[{}]", path, r);
    if (!row.is_array()) {
      fail(at, &row, "an array");
    }
    std::vector<std::optional<double>> values;
    for (std::size_t c = 0; c < row.array().size(); ++c) {
      values.push_back(entry_of(row.array()[c], fmt::format("{}[{}]", at, c)));
    }
    matrix.values.push_back(std::move(values));
  }
  return matrix;
}

}  // namespace

bool is_nvbandwidth_json(std::string_view text) {
  const std::size_t start = text.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos || text[start] != '{') {
    return false;
  }
  const std::size_t key = text.find_first_not_of(" \t\r\n", start + 1);
  return key != std::string_view::npos && text.substr(key).starts_with("\"nvbandwidth\"");
}

void read_nvbandwidth_json(std::string_view text, ImportedFile& file) {
  const json::Value document = json::parse(text, file.path);
  const json::Value* root = document.find("nvbandwidth");
  if (root == nullptr || !root->is_object()) {
    fail(file.path + ": $.nvbandwidth", root, "an object");
  }
  const json::Value* tests = root->find("testcases");
  if (tests == nullptr || !tests->is_array()) {
    fail(file.path + ": $.nvbandwidth.testcases", tests, "an array");
  }
  const json::Value* version = root->find("version");
  const std::string source =
      "nvbandwidth" +
      (version != nullptr && version->is_string() ? " " + printable(version->string(), 20) : "");
  const std::vector<std::string> gpus = gpus_of(*root);
  for (std::size_t i = 0; i < tests->array().size(); ++i) {
    const json::Value& test = tests->array()[i];
    const std::string at = fmt::format("$.nvbandwidth.testcases[{}]", i), path = file.path + ": " + at;
    if (!test.is_object()) {
      fail(path, &test, "an object");
    }
    const json::Value* rows = test.find("bandwidth_matrix");
    if (rows == nullptr) {
      const json::Value* status = test.find("status");
      file.skip(status != nullptr && *status == json::Value("Waived") ? "a test that nvbandwidth waived"
                                                                      : "a test without a result");
      continue;
    }
    add_matrix(matrix_of(test, *rows, path), file_name(file.path) + ":" + at, path, source, gpus, file);
  }
}

}  // namespace gpuplan::calibrate
