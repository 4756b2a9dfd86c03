#include "sim/serving/registry.h"

#include <array>
#include <cassert>

namespace gpuplan::sim {

namespace {

template <class T>
struct Entry {
  const char* name;
  std::unique_ptr<T> (*make)();
};

constexpr std::array kSchedulers = {
    Entry<Scheduler>{"vllm_v1", make_vllm_v1},
    Entry<Scheduler>{"vllm_v0", make_vllm_v0},
};
constexpr std::array kRouters = {
    Entry<Router>{"least_outstanding", make_least_outstanding},
    Entry<Router>{"round_robin", make_round_robin},
};

template <class Table>
std::vector<std::string> names_of(const Table& table) {
  std::vector<std::string> names;
  names.reserve(table.size());
  for (const auto& entry : table) {
    names.emplace_back(entry.name);
  }
  return names;
}

template <class Table>
auto find(const Table& table, const std::string& name) {
  for (const auto& entry : table) {
    if (name == entry.name) {
      return entry.make;
    }
  }
  return decltype(table[0].make){nullptr};
}

}  // namespace

std::vector<std::string> scheduler_names() { return names_of(kSchedulers); }
std::vector<std::string> router_names() { return names_of(kRouters); }
bool is_scheduler(const std::string& name) { return find(kSchedulers, name) != nullptr; }
bool is_router(const std::string& name) { return find(kRouters, name) != nullptr; }

std::unique_ptr<Scheduler> make_scheduler(const std::string& name) {
  const auto make = find(kSchedulers, name);
  assert(make != nullptr);
  return make();
}
std::unique_ptr<Router> make_router(const std::string& name) {
  const auto make = find(kRouters, name);
  assert(make != nullptr);
  return make();
}

}  // namespace gpuplan::sim
