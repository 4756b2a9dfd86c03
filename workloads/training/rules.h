// Rules of a job that a check goes through.
#pragma once

#include <string>
#include <vector>

#include "hwmodels/json/problem.h"

namespace gpuplan {

class Rules {
 public:
  Rules(const std::string& path, std::vector<Problem>& problems) : path_(path), problems_(problems) {}
  // `found` and `expected` make their text only where the rule is broken: searches check millions of jobs.
  template <class Found, class Expected>
  void require(bool holds, const char* field, const Found& found, const Expected& expected) {
    if (!holds) {
      problems_.push_back({path_ + "." + field, found(), expected(), ""});
    }
  }

 private:
  const std::string& path_;
  std::vector<Problem>& problems_;
};

}  // namespace gpuplan
