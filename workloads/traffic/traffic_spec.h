// Traffic of a serving scenario: when requests arrive and how long they are. Arrivals and lengths come from
// a trace, from distributions, or lengths from a trace under generated arrivals. Three random streams
// (arrivals, prompts, outputs) are derived from one seed, so that changing one leaves the others alone.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hwmodels/json/describe.h"
#include "hwmodels/units/units.h"
#include "workloads/traffic/request.h"

namespace gpuplan {

enum class ArrivalProcess {
  poisson,      // independent requests: exponential gaps
  gamma,        // gaps of coefficient of variation `cv` (1: Poisson, above: bursty)
  constant,     // equal gaps
  staged,       // Poisson whose rate changes from stage to stage
  closed_loop,  // `concurrency` users, each sends its next request when the last one is answered
  burst,        // all at time 0
};
std::span<const std::string_view> enum_names(ArrivalProcess process);

// A stretch of constant mean rate.
struct RateStage {
  Seconds duration{60};
  Hertz rate{1};
};
template <class V>
void describe(V& v, RateStage& s) {
  v.field("duration", s.duration, "length of the stage (s)", json::positive(), json::required);
  v.field("rate", s.rate, "mean arrivals during the stage (requests/s)", json::not_negative(),
          json::required);
}

struct ArrivalSpec {
  ArrivalProcess process = ArrivalProcess::poisson;
  Hertz rate{1};
  double cv = 1;
  std::int64_t concurrency = 1;
  std::vector<RateStage> stages = {};
};
template <class V>
void describe(V& v, ArrivalSpec& s) {
  v.field("process", s.process, "how requests arrive");
  v.field("rate", s.rate, "mean arrivals of poisson, gamma and constant (requests/s)", json::positive());
  v.field("cv", s.cv, "coefficient of variation of the gaps of gamma; 1 is Poisson, above is bursty",
          json::Range{.min = 0.01, .max = 100});
  v.field("concurrency", s.concurrency, "requests in flight of closed_loop",
          json::Range{.min = 1, .max = 1e7});
  v.field("stages", s.stages, "stages of staged, one after the other; the last one's end ends the traffic");
}

enum class LengthDistribution { fixed, uniform, lognormal, histogram };
std::span<const std::string_view> enum_names(LengthDistribution distribution);

// Tokens of a prompt or of an output. Whole numbers >= 1.
struct LengthSpec {
  LengthDistribution distribution = LengthDistribution::fixed;
  std::optional<double> mean = std::nullopt;  // fixed, lognormal
  std::optional<double> p50 = std::nullopt;   // lognormal: with mean
  std::optional<double> cv = std::nullopt;    // lognormal: with mean, instead of p50
  std::optional<std::int64_t> min = std::nullopt;
  std::optional<std::int64_t> max = std::nullopt;
  std::vector<std::vector<double>> values = {};  // histogram: [tokens, weight]
};
template <class V>
void describe(V& v, LengthSpec& s) {
  constexpr json::Range tokens{.min = 1, .max = 1e8};
  v.field("distribution", s.distribution, "family of the distribution");
  v.field("mean", s.mean, "tokens of fixed; mean of lognormal before clipping", tokens);
  v.field("p50", s.p50, "median of lognormal, less than its mean", tokens);
  v.field("cv", s.cv, "standard deviation over mean of lognormal, where p50 is not given",
          json::Range{.min = 0, .max = 100});
  v.field("min", s.min, "least tokens: end of uniform, clip of lognormal and histogram", tokens);
  v.field("max", s.max, "most tokens: end of uniform, clip of lognormal and histogram", tokens);
  v.field("values", s.values, "histogram as [tokens, weight] pairs; for joint lengths see \"lengths\"");
}

struct TrafficSpec {
  std::string trace;           // file; empty: generated
  bool trace_arrivals = true;  // false: only the trace's lengths
  double time_scale = 1;
  std::optional<ArrivalSpec> arrivals = std::nullopt;
  std::optional<LengthSpec> prompt = std::nullopt;
  std::optional<LengthSpec> output = std::nullopt;
  std::vector<std::vector<double>> lengths = {};
  std::optional<std::int64_t> requests = std::nullopt;
  std::optional<Seconds> duration = std::nullopt;
  std::int64_t warmup_requests = 0;
  std::optional<std::int64_t> max_prompt_tokens = std::nullopt;
  std::optional<std::int64_t> max_output_tokens = std::nullopt;
};
template <class V>
void describe(V& v, TrafficSpec& s) {
  constexpr json::Range count{.min = 1, .max = 1e9};
  constexpr json::Range tokens{.min = 1, .max = 1e8};
  v.field(
      "trace", s.trace,
      "trace file (Azure, BurstGPT, Mooncake or plain CSV, told apart by content), relative to the current "
      "directory or to the scenario");
  v.field("trace_arrivals", s.trace_arrivals,
          "whether to replay the trace's arrival times, not only its lengths");
  v.field("time_scale", s.time_scale, "factor on the trace's arrival times; 0.5 is twice the load",
          json::positive());
  v.field("arrivals", s.arrivals, "how requests arrive, where no trace is replayed");
  v.field("prompt", s.prompt, "prompt tokens; a trace replaces them");
  v.field("output", s.output, "output tokens; a trace replaces them");
  v.field("lengths", s.lengths,
          "joint histogram of [prompt tokens, output tokens, weight] triples instead of prompt and output");
  v.field("requests", s.requests, "requests to send; a trace used for its lengths only starts over", count);
  v.field("duration", s.duration, "time after which no request arrives any more (s)", json::positive());
  v.field("warmup_requests", s.warmup_requests, "first requests, served but left out of the metrics",
          json::Range{.min = 0, .max = 1e9});
  v.field("max_prompt_tokens", s.max_prompt_tokens, "longer prompts are cut to this", tokens);
  v.field("max_output_tokens", s.max_output_tokens, "longer outputs are cut to this", tokens);
}

// Rules that span fields; `path` is the JSON path of the traffic object.
void validate(const TrafficSpec& spec, const std::string& path, std::vector<Problem>& problems);

// What is known of a source before the first request.
struct TrafficFacts {
  bool closed_loop = false;
  std::int64_t concurrency = 0;              // closed loop: requests in flight
  std::optional<Hertz> rate = std::nullopt;  // mean arrivals; none for a trace, a burst, a closed loop
  std::int64_t warmup_requests = 0;
  std::string description;         // "Azure CSV trace azure_conv.csv", "poisson 4/s, prompt lognormal ..."
  std::vector<std::string> notes;  // what a reader of the result must know: clipping that moves a mean, ...
};

// The requests of a scenario in order of arrival.
class RequestSource {
 public:
  virtual ~RequestSource() = default;
  // The next request, or false at the end. Arrivals never decrease; 0 in a closed loop.
  virtual bool next(Request& request) = 0;
  // Ids of the prompt's blocks of `block_tokens()` tokens, for prefix reuse, of the last request; valid until
  // the next call. Empty where the traffic has none.
  [[nodiscard]] virtual std::span<const std::uint64_t> prefix_blocks() const { return {}; }
  [[nodiscard]] virtual int block_tokens() const { return 0; }
  // Requests of the trace that were left out (failed ones), clipped ones; so far.
  [[nodiscard]] virtual std::int64_t skipped() const { return 0; }
  [[nodiscard]] virtual std::int64_t clipped() const { return 0; }
  [[nodiscard]] virtual const TrafficFacts& facts() const = 0;
};

// The source of a valid spec. A relative trace path is tried in the current directory, then in `base_dir`.
// InputError where the trace cannot be read; next() throws it for the lines that it reaches.
std::unique_ptr<RequestSource> make_source(const TrafficSpec& spec, std::uint64_t seed,
                                           const std::string& base_dir);

}  // namespace gpuplan
