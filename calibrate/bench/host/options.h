// The command line.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace gpubench {

struct Options {
  bool quick = true;              // otherwise full
  bool check_only = false;        // compare every kernel with its CPU reference, measure nothing
  bool list = false;              // print the sections and end
  bool help = false;              // print the usage and end
  int device = 0;                 // CUDA device number
  std::vector<std::string> only;  // sections to run; all when empty
  std::string out;                // file the JSON goes to; standard output when empty
  std::string error;              // what is wrong with the command line, empty when nothing is

  double total_s() const { return quick ? 170 : 465; }  // 3 and 8 minutes, less start-up and the last point
  const char* mode() const { return check_only ? "check" : quick ? "quick" : "full"; }
};

inline const char* usage() {
  return "usage: gpubench [--quick | --full | --check] [--only NAME]... [--device N] [--out FILE] [--list]\n"
         "  --quick      ends within 3 minutes (the default)\n"
         "  --full       ends within 8 minutes\n"
         "  --check      only compare every kernel with its CPU reference; a run does that first anyway\n"
         "  --only NAME  only this section; may be given again\n"
         "  --device N   CUDA device to measure (0)\n"
         "  --out FILE   write the JSON there instead of to standard output\n"
         "  --list       print the names of the sections\n"
         "exit: 0 good, 1 a check failed or a section broke off, 2 bad command line, 3 no usable GPU\n";
}

// `sections`: the names --only accepts. Stops at the first mistake and says it in `error`.
inline Options parse_options(const std::vector<std::string>& arguments,
                             const std::vector<std::string>& sections) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    const bool takes_value = argument == "--only" || argument == "--device" || argument == "--out";
    if (takes_value && i + 1 == arguments.size()) {
      options.error = argument + " needs a value";
      return options;
    }
    if (argument == "--quick") {
      options.quick = true;
    } else if (argument == "--full") {
      options.quick = false;
    } else if (argument == "--check") {
      options.check_only = true;
    } else if (argument == "--list") {
      options.list = true;
    } else if (argument == "--help" || argument == "-h") {
      options.help = true;
    } else if (argument == "--out") {
      options.out = arguments[++i];
    } else if (argument == "--only") {
      const std::string& name = arguments[++i];
      if (std::find(sections.begin(), sections.end(), name) == sections.end()) {
        options.error = "--only: there is no section '" + name + "' (--list names them)";
        return options;
      }
      options.only.push_back(name);
    } else if (argument == "--device") {
      const std::string& number = arguments[++i];
      if (number.empty() || number.size() > 3 ||
          number.find_first_not_of("0123456789") != std::string::npos) {
        options.error = "--device: '" + number + "' is not a device number";
        return options;
      }
      options.device = std::stoi(number);
    } else {
      options.error = "unknown argument '" + argument + "'";
      return options;
    }
  }
  return options;
}

inline bool wants(const Options& options, const std::string& section) {
  return options.only.empty() ||
         std::find(options.only.begin(), options.only.end(), section) != options.only.end();
}

}  // namespace gpubench
