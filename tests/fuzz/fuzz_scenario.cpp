// Any bytes as a scenario: either it resolves or InputError says why; nothing else may happen.
#include <cstddef>
#include <cstdint>
#include <string>

#include "hwmodels/json/problem.h"
#include "sim/scenario/serving_scenario.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpuplan;
  static const sim::Library library = sim::Library::load(data_root());
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    json::Value document = json::parse(text, "fuzz");
    sim::set_path(document, "traffic.warmup_requests=1");
    (void)sim::resolve_serving(document, "fuzz", ".", library);
  } catch (const InputError&) {
    return 0;
  }
  return 0;
}
