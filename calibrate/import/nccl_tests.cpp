// Text of nccl-tests (all_reduce_perf and its sisters). A run is a header of comments (#), a line that names
// the columns, and rows; logs hold several runs and lines of other programs between them. Which columns there
// are has changed over the years, so the line that names them decides: those before the first time are the
// shape (size, count, type, with or without redop and root), then come groups that start with a time, the
// first out of place, the second in place.
//
// Older versions do not print which collective ran: then its bus bandwidth over its algorithm bandwidth, and
// whether it reduces, tell (all-reduce: 2 (n-1)/n).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "calibrate/import/readers.h"
#include "calibrate/import/text.h"

namespace gpuplan::calibrate {

namespace {

// Names of the programs without "_perf", and ours.
constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kCollectives = {
    {{"all_reduce", "all_reduce"},
     {"all_gather", "all_gather"},
     {"reduce_scatter", "reduce_scatter"},
     {"alltoall", "all_to_all"},
     {"broadcast", "broadcast"},
     {"reduce", "reduce"},
     {"sendrecv", "send_receive"},
     {"gather", "gather"},
     {"scatter", "scatter"},
     {"hypercube", "hypercube"}}};

// The collective whose program `line` names; empty where none.
std::string_view collective_named(std::string_view line) {
  const std::size_t at = line.find("_perf");
  if (at == std::string_view::npos) {
    return {};
  }
  const std::string_view before = line.substr(0, at);
  std::string_view best;
  std::size_t length = 0;
  for (const auto& [program, name] : kCollectives) {
    if (before.ends_with(program) && program.size() > length) {
      best = name;
      length = program.size();
    }
  }
  return best;
}

// mpirun --tag-output puts "[1,0]<stdout>:" before each line.
std::string_view without_tag(std::string_view line) {
  constexpr std::string_view kTag = "<stdout>:";
  const std::size_t at = line.find(kTag);
  return line.starts_with('[') && at != std::string_view::npos && at < 24 ? line.substr(at + kTag.size())
                                                                          : line;
}

struct Columns {
  std::vector<std::string> names;
  std::vector<std::size_t> times;  // where groups start
  bool cpu_time = false;
  [[nodiscard]] std::optional<std::size_t> find(std::string_view name) const {
    const auto found = std::find(names.begin(), names.end(), name);
    return found == names.end() ? std::nullopt
                                : std::optional(static_cast<std::size_t>(found - names.begin()));
  }
};

struct Row {
  std::int64_t line = 0, bytes = 0;
  std::string type, redop;  // redop empty: no such column
  std::int64_t root = -1;
  double us = 0.0, algorithm_bandwidth = 0.0, bus_bandwidth = 0.0;
  bool in_place = false;
};

struct Run {
  std::string_view collective;
  std::int64_t ranks_of_process = 0;  // threads x GPUs
  std::int64_t devices = 0;           // lines that list one
  std::set<std::string> hosts;
  std::string gpu;
  Columns columns;
  std::vector<Row> rows;
  bool began = false;  // a row was seen
};

class Reader {
 public:
  Reader(std::string_view text, ImportedFile& file) : lines_(text), file_(file) {}

  void read() {
    while (lines_.next()) {
      const std::string_view line = trimmed(without_tag(lines_.text()));
      if (line.starts_with('#')) {
        comment(trimmed(line.substr(1)));
      } else if (is_row(line)) {
        row(words_of(line));
      } else if (const std::string_view name = collective_named(line); !name.empty()) {
        finish();  // a command line: of the run that follows
        run_.collective = name;
      }
    }
    finish();
  }

 private:
  [[noreturn]] void fail(const std::string& found, const std::string& expected) const {
    throw InputError({fmt::format("{}:{}", file_.path, lines_.number()), found, expected, ""});
  }

  void comment(std::string_view text) {
    const std::vector<std::string_view> words = words_of(text);
    if (words.empty()) {
      return;
    }
    if (text.find("test starting:") != std::string_view::npos) {
      finish();
      run_.collective = collective_named(text);
    } else if (words[0] == "nThread" || words[0] == "nThreads") {
      const std::string_view named = run_.began ? std::string_view{} : run_.collective;
      finish();
      run_.collective = named;
      threads(words);
    } else if (words[0] == "Rank") {
      device(text, words);
    } else if (words[0] == "size") {
      columns(words);
    }
  }

  void threads(const std::vector<std::string_view>& words) {
    std::int64_t product = 1;
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
      if (words[i] == "nThread" || words[i] == "nThreads" || words[i] == "nGpus") {
        const auto count = whole_number_in(words[i + 1]);
        if (!count || *count < 1 || *count > 1'000'000) {
          fail(quoted(words[i + 1]) + " as " + std::string(words[i]), "a whole number from 1 to 1,000,000");
        }
        product *= *count;
      }
    }
    run_.ranks_of_process = product;
  }

  // "Rank  0 Group  0 Pid  7 on  host device  0 [0x07] NVIDIA H100 80GB HBM3"
  void device(std::string_view text, const std::vector<std::string_view>& words) {
    if (run_.began) {
      finish();
    }
    ++run_.devices;
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
      if (words[i] == "on") {
        run_.hosts.emplace(words[i + 1]);
        break;
      }
    }
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos) {
      return;
    }
    const std::string name = printable(trimmed(text.substr(bracket + 1)));
    if (run_.gpu.empty()) {
      run_.gpu = name;
    } else if (run_.gpu != name && !name.empty()) {
      mixed_ = true;
    }
  }

  void columns(const std::vector<std::string_view>& words) {
    Columns found;
    for (const std::string_view word : words) {
      if (word == "time" || word == "cputime") {
        found.times.push_back(found.names.size());
        found.cpu_time = found.cpu_time || word == "cputime";
      }
      if (word != "timestamp") {
        found.names.emplace_back(word);
      }
    }
    if (found.times.empty() || found.times[0] < 2 || !found.find("type")) {
      fail(quoted(lines_.text()), "columns: size, count, type, ..., time, algbw, busbw");
    }
    for (const std::size_t at : found.times) {
      if (at + 2 >= found.names.size() || found.names[at + 1] != "algbw" || found.names[at + 2] != "busbw") {
        fail(quoted(lines_.text()), "algbw and busbw after each time");
      }
    }
    run_.columns = std::move(found);
  }

  // Two whole numbers, size and count, after a line that names the columns.
  [[nodiscard]] bool is_row(std::string_view line) const {
    if (run_.columns.names.empty() || line.empty() || line[0] < '0' || line[0] > '9') {
      return false;
    }
    const std::vector<std::string_view> words = words_of(line);
    return whole_number_in(words[0]) && (words.size() == 1 || whole_number_in(words[1]));
  }

  double number(std::string_view word, const std::string& name) const {
    const auto value = number_in(word);
    if (!value || *value < 0.0) {
      fail(quoted(word) + " as " + name, "a number >= 0");
    }
    return *value;
  }

  void row(const std::vector<std::string_view>& words) {
    const Columns& columns = run_.columns;
    if (words.size() < columns.names.size()) {
      fail(fmt::format("{} columns", words.size()),
           fmt::format("{}, as the line above the rows names them (is the file cut off?)",
                       columns.names.size()));
    }
    run_.began = true;
    Row row;
    row.line = lines_.number();
    row.bytes = *whole_number_in(words[0]);
    row.type = printable(words[*columns.find("type")], 20);
    if (const auto redop = columns.find("redop")) {
      row.redop = printable(words[*redop], 20);
    }
    if (const auto root = columns.find("root")) {
      row.root = whole_number_in(words[*root]).value_or(-1);
    }
    for (std::size_t group = 0; group < columns.times.size(); ++group) {
      const std::size_t at = columns.times[group];
      row.us = number(words[at], "time");
      row.algorithm_bandwidth = number(words[at + 1], "algbw");
      row.bus_bandwidth = number(words[at + 2], "busbw");
      row.in_place = group > 0;
      const bool counted = at + 3 < columns.names.size() && columns.names[at + 3] == "#wrong";
      const double wrong = counted ? number_in(words[at + 3]).value_or(0.0) : 0.0;  // "N/A": not checked
      if (row.bytes == 0) {
        file_.skip("a collective of 0 bytes");
      } else if (columns.cpu_time) {
        file_.skip("CPU time of the call, not the collective's");
      } else if (wrong > 0.0) {
        file_.skip("the collective's results were wrong");
      } else if (row.us == 0.0) {
        file_.skip("a time of 0.00 us");
      } else {
        run_.rows.push_back(row);
      }
    }
  }

  // The collective by its arithmetic, where the run does not say.
  [[nodiscard]] std::string_view inferred(std::int64_t ranks) const {
    const Row* fastest = nullptr;
    for (const Row& row : run_.rows) {
      if (fastest == nullptr || row.algorithm_bandwidth > fastest->algorithm_bandwidth) {
        fastest = &row;
      }
    }
    if (fastest == nullptr || fastest->algorithm_bandwidth < 0.5) {
      return "unnamed";
    }
    const double factor = fastest->bus_bandwidth / fastest->algorithm_bandwidth;
    const double n = static_cast<double>(ranks);
    const auto is = [&](double expected) { return std::abs(factor - expected) < 0.02 * expected + 0.01; };
    const bool reduces = !fastest->redop.empty() && fastest->redop != "none";
    if (fastest->root >= 0) {
      return !is(1.0) ? "unnamed" : reduces ? "reduce" : "broadcast";
    }
    if (reduces) {
      return is(2.0 * (n - 1.0) / n) ? "all_reduce" : is((n - 1.0) / n) ? "reduce_scatter" : "unnamed";
    }
    return "unnamed";  // all-gather and all-to-all look the same
  }

  // Ends a run: its rows become measurements.
  void finish() {
    take_gpu_of_run_before();
    const std::int64_t ranks = run_.devices > 0 ? run_.devices : run_.ranks_of_process;
    if (!run_.rows.empty() && ranks == 0) {
      file_.skip("number of ranks not known", static_cast<std::int64_t>(run_.rows.size()));
    } else {
      const std::string_view op = !run_.collective.empty() ? run_.collective : inferred(ranks);
      for (const Row& row : run_.rows) {
        add(row, op, ranks);
      }
    }
    if (mixed_) {
      file_.notes.push_back("ranks on GPUs of different kinds; taken as " + run_.gpu);
    }
    mixed_ = false;
    run_ = Run{};
  }

  // A run that lists no GPUs was on those of the run before.
  void take_gpu_of_run_before() {
    if (run_.gpu.empty() && !gpu_before_.empty() && !run_.rows.empty()) {
      run_.gpu = gpu_before_;
      file_.notes.push_back("a run lists no GPUs; taken as " + gpu_before_ + ", like the run before");
    }
    gpu_before_ = run_.gpu.empty() ? gpu_before_ : run_.gpu;
  }

  void add(const Row& row, std::string_view op, std::int64_t ranks) {
    json::Object shape{{"op", op}, {"ranks", ranks}, {"bytes", row.bytes}};
    if (run_.hosts.size() > 1) {
      shape.emplace_back("nodes", run_.hosts.size());
    }
    if (row.type != "float") {
      shape.emplace_back("dtype", row.type);
    }
    if (row.in_place) {
      shape.emplace_back("in_place", true);
    }
    const std::string where = fmt::format("{}:{}", file_.path, row.line);
    file_.rows.push_back(
        {.id = fmt::format("{}:{}{}", file_name(file_.path), row.line, row.in_place ? ":in_place" : ""),
         .where = where,
         .source = "nccl-tests",
         .gpu = run_.gpu,
         .family = "collective",
         .shape = std::move(shape),
         .unit = "s",
         .value = row.us / 1e6,
         .spread = std::nullopt});
  }

  Lines lines_;
  ImportedFile& file_;
  Run run_;
  std::string gpu_before_;
  bool mixed_ = false;  // GPUs of different kinds in one run
};

}  // namespace

bool is_nccl_tests(std::string_view text) {
  Lines lines(text);
  while (lines.next()) {
    const std::string_view line = trimmed(without_tag(lines.text()));
    if (!line.starts_with('#')) {
      continue;
    }
    const std::vector<std::string_view> words = words_of(line.substr(1));
    const bool columns =
        !words.empty() && words[0] == "size" && std::find(words.begin(), words.end(), "algbw") != words.end();
    const bool header = words.size() > 2 && words[0].starts_with("nThread") && words[2] == "nGpus";
    if (columns || header) {
      return true;
    }
  }
  return false;
}

void read_nccl_tests(std::string_view text, ImportedFile& file) { Reader(text, file).read(); }

}  // namespace gpuplan::calibrate
