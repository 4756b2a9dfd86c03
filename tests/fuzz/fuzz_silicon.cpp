// Any bytes as a silicon scenario: either it resolves or InputError says why; nothing else may happen. Its
// workloads are left out, since they name files.
#include <cstddef>
#include <cstdint>
#include <string>

#include "hwmodels/json/path.h"
#include "hwmodels/json/problem.h"
#include "sim/scenario/silicon_scenario.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpuplan;
  static const sim::Library library = sim::Library::load(data_root());
  const std::string text(reinterpret_cast<const char*>(data), size);
  try {
    json::Value document = json::parse(text, "fuzz");
    json::set_path(document, "workloads=[]");
    json::set_path(document, "model.samples=10");
    (void)sim::resolve_silicon(document, "fuzz", ".", library);
  } catch (const InputError&) {
    return 0;
  }
  return 0;
}
