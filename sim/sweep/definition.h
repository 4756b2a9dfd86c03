// What identifies a sweep. Results are only ever put beside each other where all of it is alike: the scenario
// with its overrides, the axes, the sampling, the seeds, the program, its data and the files that the
// scenario names.
#pragma once

#include <string>
#include <vector>

#include "hwmodels/json/problem.h"
#include "sim/sweep/design.h"

namespace gpuplan::sweep {

// The program that answers runs. Fingerprints, as hexadecimal text.
struct Build {
  std::string version;     // "0.1.0"
  std::string executable;  // of the program file
  std::string data;        // of catalogue and profiles
  bool operator==(const Build&) const = default;
};
json::Value to_json(const Build& build);
Build build_of(const json::Value& value);

// FNV-1a of 64 bits (Fowler, Noll and Vo; offset basis and prime of draft-eastlake-fnv), as 16 digits. It
// tells apart what was changed by accident or on purpose; it is no defence against a forger.
std::string fingerprint(std::string_view text);
// Of all *.json files below `folders`, by name and content.
std::string fingerprint_of_folders(const std::vector<std::string>& folders);

json::Value definition_of(const SweepSpec& spec, const Build& build);
// The sweep that a definition describes; `name` is a scenario's "name". InputError where it is none, with
// `where` as the place.
SweepSpec spec_of(const json::Value& definition, const std::string& where);
std::string fingerprint_of(const json::Value& definition);

// Where two definitions differ, at most `limit` places: "document.traffic.rate: 10, and here 20".
std::vector<std::string> differences(const json::Value& theirs, const json::Value& ours,
                                     std::size_t limit = 4);

}  // namespace gpuplan::sweep
