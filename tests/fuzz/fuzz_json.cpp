// Any bytes as JSON: either InputError, or a value that prints to text which reads back as the same value.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "hwmodels/json/problem.h"
#include "hwmodels/json/value.h"

namespace {

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace json = gpuplan::json;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  json::Value value;
  try {
    value = json::parse(text, "fuzz");
  } catch (const gpuplan::InputError& error) {
    require(!error.problems().empty());
    return 0;
  }
  for (const int indent : {-1, 2}) {
    const std::string printed = json::dump(value, indent);
    const json::Value again = json::parse(printed, "printed");
    require(again == value);
    require(json::dump(again, indent) == printed);
  }
  require(json::excerpt(value).find('\n') == std::string::npos);
  return 0;
}
