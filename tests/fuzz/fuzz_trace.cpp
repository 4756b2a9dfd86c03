// Any bytes as a trace: either requests with the promised properties, or InputError.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>

#include "hwmodels/json/problem.h"
#include "workloads/traffic/trace.h"

namespace {

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto reader = gpuplan::open_trace(
        std::make_unique<std::istringstream>(std::string(reinterpret_cast<const char*>(data), size)), "fuzz");
    gpuplan::Request request;
    gpuplan::Seconds last{0};
    while (reader->next(request)) {
      require(request.prompt_tokens >= 1 && request.output_tokens >= 1);
      require(request.arrival >= last);  // which NaN is not
      last = request.arrival;
      require(reader->prefix_blocks().empty() || reader->block_tokens() > 0);
    }
    require(!reader->next(request));
    require(reader->skipped() >= 0 && !reader->format().empty());
  } catch (const gpuplan::InputError& error) {
    require(!error.problems().empty() && !error.problems().front().path.empty());
  }
  return 0;
}
