// Text of nvbandwidth: devices, then tests, each a line that names it, one that describes what follows, the
// columns' numbers and the rows, of which the first word is the row's number.
#include <fmt/format.h>

#include "calibrate/import/nvbandwidth.h"
#include "calibrate/import/readers.h"
#include "calibrate/import/text.h"

namespace gpuplan::calibrate {

namespace {

constexpr std::string_view kRunning = "Running ";
constexpr std::string_view kVersion = "nvbandwidth Version:";

// "memcpy CE CPU(row) -> GPU(column) bandwidth (GB/s)", "... latency ... (ns)"
bool describes(std::string_view line) {
  return line.find("(column") != std::string_view::npos &&
         (line.ends_with("(GB/s)") || line.ends_with("(ns)") || line.ends_with("(us)"));
}

class Reader {
 public:
  Reader(std::string_view text, ImportedFile& file) : lines_(text), file_(file) {}

  void read() {
    while (lines_.next()) {
      line(trimmed(lines_.text()));
    }
    end_matrix();
    end_test();
  }

 private:
  enum class Expects { anything, columns, rows };

  [[nodiscard]] std::string where() const { return fmt::format("{}:{}", file_.path, lines_.number()); }
  [[noreturn]] void fail(const std::string& found, const std::string& expected) const {
    throw InputError({where(), found, expected, ""});
  }

  void line(std::string_view text) {
    if (expects_ == Expects::columns) {
      columns(text);
    } else if (expects_ == Expects::rows && row(text)) {
      return;
    } else if (text.starts_with(kVersion)) {
      source_ = "nvbandwidth " + printable(trimmed(text.substr(kVersion.size())), 20);
    } else if (text.starts_with("Device ") || text.starts_with("Process ")) {
      device(text);
    } else if (text.starts_with(kRunning)) {
      end_test();
      std::string_view name = trimmed(text.substr(kRunning.size()));
      name = name.starts_with("benchmark ") ? name.substr(10) : name;
      matrix_.test = printable(name.ends_with('.') ? name.substr(0, name.size() - 1) : name, 60);
    } else if (describes(text) && !matrix_.test.empty()) {
      matrix_.description = printable(text);
      described_at_ = lines_.number();
      expects_ = Expects::columns;
    } else if (text.starts_with("Waived")) {
      file_.skip("a test that nvbandwidth waived");
      matrix_ = {};
    }
  }

  // "Device 0: NVIDIA H100 (00000000:07:00)", "Process 0 (host): device 0: ..."
  void device(std::string_view text) {
    const std::size_t colon = text.rfind(": ");  // bus numbers have no blank behind their colons
    if (colon == std::string_view::npos) {
      return;
    }
    std::string_view name = text.substr(colon + 2);
    name = name.substr(0, std::min(name.rfind(" ("), name.size()));
    gpus_.push_back(printable(trimmed(name)));
  }

  void columns(std::string_view text) {
    const std::vector<std::string_view> words = words_of(text);
    columns_ = words.size();
    for (const std::string_view word : words) {
      if (!whole_number_in(word)) {
        fail(quoted(word), "the numbers of the matrix's columns");
      }
    }
    if (columns_ == 0) {
      fail("an empty line", "the numbers of the matrix's columns");
    }
    expects_ = Expects::rows;
  }

  // Whether `text` is a row of the matrix; the first other line ends it.
  bool row(std::string_view text) {
    const std::vector<std::string_view> words = words_of(text);
    if (words.empty() || !whole_number_in(words[0])) {
      end_matrix();
      return words.empty();
    }
    if (words.size() != columns_ + 1) {
      fail(fmt::format("{} values in a row of the matrix", words.size() - 1),
           fmt::format("{} (is the file cut off?)", columns_));
    }
    std::vector<std::optional<double>> values;
    for (std::size_t i = 1; i < words.size(); ++i) {
      if (words[i] == "N/A") {
        values.emplace_back();
        continue;
      }
      const auto value = number_in(words[i]);
      if (!value || *value < 0.0) {
        fail(quoted(words[i]), "a number >= 0, or N/A");
      }
      values.emplace_back(value);
    }
    matrix_.values.push_back(std::move(values));
    return true;
  }

  void end_matrix() {
    if (expects_ == Expects::anything) {
      return;
    }
    if (matrix_.values.empty()) {
      fail("no row", "the rows of the matrix (is the file cut off?)");
    }
    add_matrix(matrix_, fmt::format("{}:{}", file_name(file_.path), described_at_),
               fmt::format("{}:{}", file_.path, described_at_), source_, gpus_, file_);
    expects_ = Expects::anything;
    matrix_ = {};
  }

  void end_test() {
    if (!matrix_.test.empty()) {
      file_.skip("a test without a result");
    }
    matrix_ = {};
  }

  Lines lines_;
  ImportedFile& file_;
  std::string source_ = "nvbandwidth";
  std::vector<std::string> gpus_;
  BandwidthMatrix matrix_;  // the test that runs; no name: none does
  std::size_t columns_ = 0;
  std::int64_t described_at_ = 0;
  Expects expects_ = Expects::anything;
};

}  // namespace

bool is_nvbandwidth_text(std::string_view text) {
  Lines lines(text);
  while (lines.next()) {
    const std::string_view line = trimmed(lines.text());
    if (line.starts_with(kVersion) || describes(line)) {
      return true;
    }
  }
  return false;
}

void read_nvbandwidth_text(std::string_view text, ImportedFile& file) { Reader(text, file).read(); }

}  // namespace gpuplan::calibrate
