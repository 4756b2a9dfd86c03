// What the tests of the command line share: running the command in a folder of its own.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

#include "hwmodels/json/value.h"

namespace fs = std::filesystem;
using gpuplan::json::Value;

struct Answer {
  int code = -1;
  std::string out, err;
};

inline std::string slurp(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Sandbox {
  fs::path dir = fs::temp_directory_path() / ("gpuplan-cli-" + std::to_string(getpid()));
  Sandbox() { fs::create_directories(dir); }
  ~Sandbox() { fs::remove_all(dir); }
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(dir / name, std::ios::binary) << text;
    return (dir / name).string();
  }
};
inline const Sandbox& sandbox() {
  static const Sandbox made;
  return made;
}

inline Answer gpuplan_command(const std::string& arguments, const std::string& redirect = "") {
  const fs::path out = sandbox().dir / "out", err = sandbox().dir / "err";
  const std::string to = redirect.empty() ? out.string() : redirect;
  const std::string command = "cd '" + std::string(GPUPLAN_SOURCE_DIR) + "' && '" + GPUPLAN_COMMAND + "' " +
                              arguments + " > '" + to + "' 2> '" + err.string() + "'";
  Answer answer;
  answer.code = WEXITSTATUS(std::system(command.c_str()));
  answer.out = redirect.empty() ? slurp(out) : "";
  answer.err = slurp(err);
  return answer;
}

inline const std::string kScenario = "scenarios/serving/llama2-13b-4xh100.json";
inline const std::string kShort = kScenario + " --set traffic.duration=20 --set traffic.warmup_requests=0 ";

// The widest line in columns, and the line.
inline std::pair<std::size_t, std::string> widest_line(const std::string& text) {
  std::pair<std::size_t, std::string> widest{0, ""};
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto columns = static_cast<std::size_t>(std::count_if(
        line.begin(), line.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u; }));
    widest = std::max(widest, std::pair(columns, line));
  }
  return widest;
}
