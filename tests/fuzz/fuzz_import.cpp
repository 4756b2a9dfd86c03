// Any bytes as measurements of a tool: either rows with the promised properties, which survive being written
// and read again, or InputError.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "calibrate/import/formats.h"

namespace {

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpuplan;
  try {
    const calibrate::ImportedFile file =
        calibrate::read_measurements(std::string(reinterpret_cast<const char*>(data), size), "fuzz");
    require(!file.format.empty());
    for (const calibrate::Measurement& m : file.rows) {
      require(std::isfinite(m.value) && m.value > 0.0);
      require(!m.id.empty() && !m.family.empty() && m.shape.is_object());
      require(!m.spread || m.spread->p10 <= m.spread->p90);
      require(!calibrate::shape_text(m).empty());
    }
  } catch (const InputError& error) {
    require(!error.problems().empty() && !error.problems().front().path.empty());
  }
  return 0;
}
