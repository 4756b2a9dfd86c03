// gpubench: measures the GPU it finds and writes one JSON document. See README.md.
#include <chrono>
#include <cstdio>
#include <ctime>
#include <exception>
#include <fstream>
#include <iostream>

#include "device/bench.h"
#include "device/gemm.h"
#include "host/budget.h"
#include "host/options.h"

namespace {

using namespace gpubench;

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
  return text;
}

// Checks the section's kernels, then measures. An error ends this section only; after one that breaks the
// CUDA context the others fail as well, and say so.
void run_section(const Section& section, const Options& options, Bench& bench, Report& report,
                 Budget& budget) {
  SectionResult result;
  result.name = section.name;
  result.budget_s = budget.begin_section();
  report.sections.push_back(result);
  std::fprintf(stderr, "%-12s ", section.name);
  try {
    if (section.check) section.check(bench);
    if (!options.check_only) section.measure(bench);
    CUDA_CHECK(cudaDeviceSynchronize());
  } catch (const std::exception& error) {
    report.sections.back().error = error.what();
    cudaGetLastError();  // forget it, so that the next section does not trip over it
  }
  SectionResult& done = report.sections.back();
  done.used_s = budget.section_used_s();
  done.sensors = bench.sensors().now();
  std::fprintf(stderr, "%6.1f s of %6.1f, %d points, %zu cut%s%s%s%s\n", done.used_s, done.budget_s,
               done.points, done.cut.size(), done.skipped.empty() ? "" : ", skipped: ", done.skipped.c_str(),
               done.error.empty() ? "" : ", error: ", done.error.c_str());
}

int write(const Report& report, const std::string& path) {
  if (path.empty()) {
    write_report(std::cout, report);
    return 0;
  }
  std::ofstream file(path);
  write_report(file, report);
  file.close();
  if (file) return 0;
  std::fprintf(stderr, "gpubench: cannot write %s\n", path.c_str());
  return 1;
}

int run(const Options& options) {
  std::vector<Section> sections;
  std::vector<double> weights;
  for (const Section& section : all_sections())
    if (wants(options, section.name)) {
      sections.push_back(section);
      weights.push_back(section.weight);
    }
  Report report;
  report.mode = options.mode();
  report.date = utc_now();
  Budget budget(options.total_s(), weights, now_s);
  std::unique_ptr<Bench> bench;
  try {
    bench = std::make_unique<Bench>(options, report, budget);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gpubench: no usable GPU: %s\n", error.what());
    return 3;
  }
  report.software.add("architectures", GPUBENCH_ARCHITECTURES).add("cublaslt", Gemm::library_version());
#ifdef GPUBENCH_NCCL
  report.software.add("nccl", true);
#else
  report.software.add("nccl", false);
#endif
  for (const Section& section : sections) run_section(section, options, *bench, report, budget);

  for (const CheckResult& check : report.checks)
    if (!check.passed())
      std::fprintf(stderr, "CHECK FAILED: %s: error %g, limit %g\n", check.name.c_str(), check.error,
                   check.limit);
  std::fprintf(stderr, "%zu checks, %zu records: %s\n", report.checks.size(), report.records.size(),
               report.passed() ? "good" : "NOT good");
  const int unwritten = write(report, options.out);
  return unwritten || !report.passed() ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> names;
  for (const Section& section : all_sections()) names.push_back(section.name);
  const Options options = parse_options({argv + 1, argv + argc}, names);
  if (!options.error.empty()) {
    std::fprintf(stderr, "gpubench: %s\n%s", options.error.c_str(), usage());
    return 2;
  }
  if (options.help) {
    std::fputs(usage(), stdout);
    return 0;
  }
  if (options.list) {
    for (const Section& section : all_sections()) std::printf("%-12s %s\n", section.name, section.what);
    return 0;
  }
  return run(options);
}
