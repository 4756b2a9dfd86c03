// Work spread over forked processes that report progress and hand back one text each.
#pragma once

#include <csignal>
#include <functional>
#include <string>
#include <vector>

namespace gpuplan::sim {

// `work(worker, tick)` runs in each of `jobs` processes (here, when that is one) and calls `tick` for each
// piece done; `on_tick` is called here for each of them. Once *stop is set the children get SIGINT too, whose
// handler they share. Texts by worker; throws std::runtime_error where a process died.
std::vector<std::string> run_workers(
    int jobs, const std::function<std::string(int, const std::function<void()>&)>& work,
    const std::function<void()>& on_tick, const volatile std::sig_atomic_t* stop = nullptr);

}  // namespace gpuplan::sim
