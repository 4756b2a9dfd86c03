// Places in a document by path: "traffic.rate", "traffic.stages[0].rate", "$.machine.gpu".
#pragma once

#include <string>

#include "hwmodels/json/value.h"

namespace gpuplan::json {

// The place that `path` names, created where missing (null); nullptr with the reason in `why` where the path
// is malformed or an index outside of its array. A name in the way ("gpu": "X" for gpu.memory_gb) becomes
// {"base": "X"}, anything else an empty object.
Value* place_at(Value& document, const std::string& path, std::string& why);
// The same without creating anything; nullptr where there is none.
const Value* find_at(const Value& document, const std::string& path);

// What a text of the command line stands for: JSON where it parses as JSON, else a string.
Value value_of(const std::string& text);
// Applies "traffic.rate=10", "engine.policy=priority", "traffic.stages[0].rate=3". InputError for a malformed
// path.
void set_path(Value& document, const std::string& assignment);
// The same with a path and a value; problems carry `where`, the place that names the path.
void set_value(Value& document, const std::string& path, const Value& value, const std::string& where);

}  // namespace gpuplan::json
