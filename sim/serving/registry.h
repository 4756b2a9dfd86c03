// Every scheduler and router by name: to add one, write its file and add its line in registry.cpp.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sim/serving/router.h"
#include "sim/serving/scheduler.h"

namespace gpuplan::sim {

std::unique_ptr<Scheduler> make_vllm_v0();
std::unique_ptr<Scheduler> make_vllm_v1();
std::unique_ptr<Router> make_least_outstanding();
std::unique_ptr<Router> make_round_robin();

std::vector<std::string> scheduler_names();
std::vector<std::string> router_names();
bool is_scheduler(const std::string& name);
bool is_router(const std::string& name);
// `name` must be known.
std::unique_ptr<Scheduler> make_scheduler(const std::string& name);
std::unique_ptr<Router> make_router(const std::string& name);

}  // namespace gpuplan::sim
