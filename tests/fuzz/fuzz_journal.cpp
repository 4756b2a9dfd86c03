// Any bytes as the journal of a sweep: either whole answers, which survive being written and read again, and
// a sweep that can be made of its definition or is refused, or InputError.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sim/sweep/definition.h"
#include "sim/sweep/journal.h"

namespace {

void require(bool holds) {
  if (!holds) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gpuplan;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // A line of its own too: the fingerprint of a header is hard to hit.
  try {
    if (const std::optional<sweep::Answer> answer = sweep::answer_of(json::parse(text, "fuzz"))) {
      const std::optional<sweep::Answer> again =
          sweep::answer_of(json::parse(json::dump(to_json(*answer)), "again"));
      require(again && again->run == answer->run);
    }
    sweep::spec_of(json::parse(text, "fuzz"), "fuzz");
  } catch (const InputError& error) {
    require(!error.problems().empty());
  }
  try {
    const sweep::JournalText journal = sweep::read_journal(text, "fuzz");
    require(journal.whole_bytes <= size);
    sweep::by_run(journal.answers, 1000, "fuzz");
    const sweep::Design design(sweep::spec_of(journal.definition, "fuzz"));
    require(design.runs() > 0);
  } catch (const InputError& error) {
    require(!error.problems().empty() && !error.problems().front().path.empty());
  }
  return 0;
}
