// The requests of a scenario: arrivals, lengths and limits put together.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>

#include "workloads/traffic/arrivals.h"
#include "workloads/traffic/lengths.h"
#include "workloads/traffic/trace.h"
#include "workloads/traffic/traffic_spec.h"

namespace gpuplan {

namespace {

constexpr std::uint64_t kPromptStream = 2;
constexpr std::uint64_t kOutputStream = 3;

// Prompt and output tokens of one request after the other.
class LengthSource {
 public:
  virtual ~LengthSource() = default;
  virtual bool next(Request& request) = 0;
  [[nodiscard]] virtual std::span<const std::uint64_t> prefix_blocks() const { return {}; }
  [[nodiscard]] virtual int block_tokens() const { return 0; }
  [[nodiscard]] virtual std::int64_t skipped() const { return 0; }
};

class Independent final : public LengthSource {
 public:
  Independent(const LengthSpec& prompt, const LengthSpec& output, std::uint64_t seed)
      : prompt_random_(seed, kPromptStream),
        output_random_(seed, kOutputStream),
        prompt_(make_lengths(prompt)),
        output_(make_lengths(output)) {}
  bool next(Request& request) override {
    request.prompt_tokens = prompt_->next(prompt_random_);
    request.output_tokens = output_->next(output_random_);
    return true;
  }

 private:
  Random prompt_random_;
  Random output_random_;
  std::unique_ptr<Lengths> prompt_;
  std::unique_ptr<Lengths> output_;
};

class Joint final : public LengthSource {
 public:
  Joint(const std::vector<std::vector<double>>& rows, std::uint64_t seed)
      : rows_(rows), random_(seed, kPromptStream), choice_(weights(rows)) {}
  bool next(Request& request) override {
    const std::vector<double>& row = rows_[choice_(random_)];
    request.prompt_tokens = static_cast<std::int32_t>(row[0]);
    request.output_tokens = static_cast<std::int32_t>(row[1]);
    return true;
  }

 private:
  static std::vector<double> weights(const std::vector<std::vector<double>>& rows) {
    std::vector<double> out(rows.size());
    std::transform(rows.begin(), rows.end(), out.begin(), [](const auto& row) { return row[2]; });
    return out;
  }
  std::vector<std::vector<double>> rows_;
  Random random_;
  WeightedChoice choice_;
};

// A trace, once (with its arrivals) or over and over (lengths only). Blocks of a later round are other text.
class FromTrace final : public LengthSource {
 public:
  FromTrace(std::unique_ptr<TraceReader> reader, std::string path, bool repeat)
      : reader_(std::move(reader)), path_(std::move(path)), repeat_(repeat) {}
  bool next(Request& request) override {
    while (!reader_->next(request)) {
      if (!repeat_) {
        return false;
      }
      skipped_ += reader_->skipped();
      reader_ = open_trace(path_);
      ++round_;
    }
    blocks_.assign(reader_->prefix_blocks().begin(), reader_->prefix_blocks().end());
    for (std::uint64_t& block : blocks_) {
      block ^= round_ << 48U;
    }
    return true;
  }
  [[nodiscard]] std::span<const std::uint64_t> prefix_blocks() const override { return blocks_; }
  [[nodiscard]] int block_tokens() const override { return reader_->block_tokens(); }
  [[nodiscard]] std::int64_t skipped() const override { return skipped_ + reader_->skipped(); }

 private:
  std::unique_ptr<TraceReader> reader_;
  std::string path_;
  bool repeat_;
  std::uint64_t round_ = 0;
  std::int64_t skipped_ = 0;
  std::vector<std::uint64_t> blocks_;
};

class Source final : public RequestSource {
 public:
  // Without `arrivals` those of the trace are replayed.
  Source(const TrafficSpec& spec, std::unique_ptr<LengthSource> lengths, std::unique_ptr<Arrivals> arrivals,
         TrafficFacts facts)
      : lengths_(std::move(lengths)),
        arrivals_(std::move(arrivals)),
        facts_(std::move(facts)),
        time_scale_(spec.time_scale),
        left_(spec.requests.value_or(std::numeric_limits<std::int64_t>::max())),
        most_prompt_(clip(spec.max_prompt_tokens)),
        most_output_(clip(spec.max_output_tokens)) {
    if (spec.duration && !facts_.closed_loop) {
      end_ = *spec.duration;
    }
  }

  bool next(Request& request) override {
    request = Request{};
    if (left_ == 0 || !lengths_->next(request)) {
      return finish();
    }
    if (arrivals_ == nullptr) {
      request.arrival *= time_scale_;
    } else if (!arrivals_->next(request.arrival)) {
      return finish();
    }
    if (request.arrival >= end_) {
      return finish();
    }
    --left_;
    if (request.prompt_tokens > most_prompt_ || request.output_tokens > most_output_) {
      ++clipped_;
      request.prompt_tokens = std::min(request.prompt_tokens, most_prompt_);
      request.output_tokens = std::min(request.output_tokens, most_output_);
    }
    prompt_tokens_ = request.prompt_tokens;
    return true;
  }

  [[nodiscard]] std::span<const std::uint64_t> prefix_blocks() const override {
    const std::span<const std::uint64_t> blocks = lengths_->prefix_blocks();
    if (blocks.empty()) {
      return {};
    }
    const auto begun = static_cast<std::size_t>((prompt_tokens_ - 1) / std::max(block_tokens(), 1)) + 1;
    return blocks.first(std::min(blocks.size(), begun));
  }
  [[nodiscard]] int block_tokens() const override { return lengths_->block_tokens(); }
  [[nodiscard]] std::int64_t skipped() const override { return lengths_->skipped(); }
  [[nodiscard]] std::int64_t clipped() const override { return clipped_; }
  [[nodiscard]] const TrafficFacts& facts() const override { return facts_; }

 private:
  static std::int32_t clip(const std::optional<std::int64_t>& most) {
    return most ? static_cast<std::int32_t>(*most) : std::numeric_limits<std::int32_t>::max();
  }
  bool finish() {
    left_ = 0;
    return false;
  }

  std::unique_ptr<LengthSource> lengths_;
  std::unique_ptr<Arrivals> arrivals_;
  TrafficFacts facts_;
  double time_scale_;
  std::int64_t left_;
  std::int32_t most_prompt_;
  std::int32_t most_output_;
  Seconds end_{std::numeric_limits<double>::infinity()};
  std::int32_t prompt_tokens_ = 0;
  std::int64_t clipped_ = 0;
};

std::string find_trace(const std::string& path, const std::string& base_dir) {
  std::error_code error;
  const std::filesystem::path beside = std::filesystem::path(base_dir) / path;
  return !std::filesystem::exists(path, error) && std::filesystem::exists(beside, error) ? beside.string()
                                                                                         : path;
}

std::string describe_arrivals(const ArrivalSpec& spec) {
  const std::string name(json::name_of(spec.process));
  switch (spec.process) {
    case ArrivalProcess::poisson:
    case ArrivalProcess::constant:
      return fmt::format("{} {:g}/s", name, spec.rate.si());
    case ArrivalProcess::gamma:
      return fmt::format("{} {:g}/s, cv {:g}", name, spec.rate.si(), spec.cv);
    case ArrivalProcess::staged:
      return fmt::format("Poisson in {} stages", spec.stages.size());
    case ArrivalProcess::closed_loop:
      return fmt::format("closed loop of {}", spec.concurrency);
    case ArrivalProcess::burst:
      break;
  }
  return "all at once";
}

std::optional<Hertz> mean_rate(const ArrivalSpec& spec) {
  switch (spec.process) {
    case ArrivalProcess::poisson:
    case ArrivalProcess::constant:
    case ArrivalProcess::gamma:
      return spec.rate;
    case ArrivalProcess::staged: {
      double requests = 0;
      Seconds duration{0};
      for (const RateStage& stage : spec.stages) {
        requests += stage.rate * stage.duration;
        duration += stage.duration;
      }
      return requests / duration;
    }
    case ArrivalProcess::closed_loop:
    case ArrivalProcess::burst:
      break;
  }
  return std::nullopt;
}

}  // namespace

std::unique_ptr<RequestSource> make_source(const TrafficSpec& spec, std::uint64_t seed,
                                           const std::string& base_dir) {
  std::vector<Problem> problems;
  validate(spec, "traffic", problems);
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
  TrafficFacts facts;
  facts.warmup_requests = spec.warmup_requests;
  std::unique_ptr<LengthSource> lengths;
  bool replayed = false;
  if (!spec.trace.empty()) {
    const std::string path = find_trace(spec.trace, base_dir);
    std::unique_ptr<TraceReader> reader = open_trace(path);
    replayed = spec.trace_arrivals && reader->has_arrivals();
    if (!replayed && !spec.arrivals) {
      throw InputError(Problem{"traffic.arrivals", "nothing",
                               "how requests arrive: " + path + " has no arrival times", ""});
    }
    facts.description =
        fmt::format("{} trace {}", reader->format(), std::filesystem::path(path).filename().string());
    if (replayed && spec.time_scale != 1) {
      facts.description += fmt::format(", times x {:g}", spec.time_scale);
    }
    if (!replayed && spec.time_scale != 1) {
      facts.notes.push_back("time_scale has no effect: the trace has no arrival times");
    }
    lengths = std::make_unique<FromTrace>(std::move(reader), path, !replayed && spec.requests.has_value());
  } else if (!spec.lengths.empty()) {
    lengths = std::make_unique<Joint>(spec.lengths, seed);
    facts.description = "joint histogram of lengths";
  } else {
    lengths = std::make_unique<Independent>(*spec.prompt, *spec.output, seed);
    for (const auto& [length, name] : {std::pair{&spec.prompt, "prompt"}, {&spec.output, "output"}}) {
      const std::string text = std::string(name) + " " + describe_lengths(**length);
      facts.description += (facts.description.empty() ? "" : "; ") + text;
      if (text.find("clipping") != std::string::npos) {
        facts.notes.push_back(text);
      }
    }
  }
  std::unique_ptr<Arrivals> arrivals;
  if (!replayed) {
    arrivals = make_arrivals(*spec.arrivals, seed);
    facts.description = describe_arrivals(*spec.arrivals) + "; " + facts.description;
    facts.rate = mean_rate(*spec.arrivals);
    facts.closed_loop = spec.arrivals->process == ArrivalProcess::closed_loop;
    facts.concurrency = facts.closed_loop ? spec.arrivals->concurrency : 0;
  }
  return std::make_unique<Source>(spec, std::move(lengths), std::move(arrivals), std::move(facts));
}

}  // namespace gpuplan
