#include "sim/collective/together.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "hwmodels/collectives/channels.h"
#include "hwmodels/json/describe.h"
#include "sim/collective/fabric_flows.h"
#include "sim/collective/gpu_demand.h"

namespace gpuplan::sim {

namespace {

using collectives::Algorithm;
using fabric::DeviceId;

// A part of an activity that runs by itself: a collective, or a kernel on one GPU.
struct Part {
  CollectiveWork work;
  Seconds start{0.0};
  std::vector<DeviceId> holds;  // GPUs of which it holds `sms` SMs while it runs
  double sms = 0.0;
};

struct Plan {
  std::string what;
  double spread80 = 0.0;
  std::vector<Part> parts;
};

// Resources of one engine: links, and HBM and SMs of each GPU.
class Resources {
 public:
  Resources(Engine& engine, const TogetherMachine& machine, BytesPerSecond hbm)
      : links_(engine, machine.topology), sms_(std::max(1, machine.gpu.sm_count)) {
    sm_.resize(machine.topology.device_count());
    hbm_.resize(machine.topology.device_count());
    for (const DeviceId gpu : machine.topology.gpus()) {
      const std::string name = name_of(machine.topology.device(gpu));
      const double clock = machine.stragglers[gpu].clock;
      sm_[gpu] = engine.add_resource(name + " SMs", sms_ * clock);
      hbm_[gpu] = engine.add_resource(name + " HBM", hbm.si());
    }
  }
  [[nodiscard]] const FabricFlows& links() const { return links_; }
  [[nodiscard]] ResourceId sm(DeviceId gpu) const { return sm_[gpu]; }
  [[nodiscard]] ResourceId hbm(DeviceId gpu) const { return hbm_[gpu]; }
  [[nodiscard]] double sms() const { return sms_; }  // of a GPU at full clock

 private:
  FabricFlows links_;
  std::vector<ResourceId> sm_, hbm_;  // by device
  double sms_;
};

class Planner {
 public:
  Planner(const TogetherMachine& machine, const collectives::CollectiveModel& collectives,
          const kernels::KernelModel& kernels, const std::vector<kernels::SmLimits>& sm)
      : machine_(machine), collectives_(collectives), kernels_(kernels), sm_(sm) {}

  Plan plan(const Activity& a, const Resources& resources) {
    return a.collective ? plan_collective(a, resources) : plan_kernel(a, resources);
  }

 private:
  // The communicator of a group: NICs in proportion to its GPUs of a node.
  collectives::Communicator communicator(const Activity& a) const {
    std::set<int> nodes;
    for (const DeviceId gpu : a.gpus) {
      nodes.insert(machine_.topology.device(gpu).node);
    }
    const int per_node = static_cast<int>(a.gpus.size() / nodes.size());
    Node node = machine_.node;
    node.nic_count = std::max(1, machine_.group.nics * per_node / std::max(1, node.gpu_count));
    node.nic_bandwidth = machine_.group.nic;
    auto group = collectives::communicator_on(machine_.gpu, node, static_cast<int>(nodes.size()), per_node);
    group.fabric = machine_.group.fabric;
    group.net_latency = machine_.group.net_latency;
    group.network_reduces = machine_.group.network_reduces;
    group.version = machine_.group.version;
    return group;
  }

  [[nodiscard]] CollectiveWork links_of(const Activity& a, Algorithm algorithm,
                                        const Resources& resources) const {
    const collectives::ChannelOptions options{.ecmp_seed = machine_.ecmp_seed};
    const FabricFlows& links = resources.links();
    switch (algorithm) {
      case Algorithm::point_to_point:
        return links.all_to_all(a.gpus, a.collective->bytes, machine_.ecmp_seed.value_or(0));
      case Algorithm::tree:
      case Algorithm::nvls_tree:
        return links.work(collectives::plan_trees(machine_.topology, a.gpus, options), *a.collective);
      case Algorithm::nvls:
        return in_switch(a, resources);
      case Algorithm::ring:
      case Algorithm::collnet_direct:
      case Algorithm::collnet_chain:
      case Algorithm::pat:
      case Algorithm::one_shot:
      case Algorithm::two_shot:
      case Algorithm::hierarchical:
      case Algorithm::torus:
        return links.work(collectives::plan_rings(machine_.topology, a.gpus, options), *a.collective);
    }
    return {};
  }

  // NVLS: every GPU sends and receives its buffer once, and 1/n of it more (timing.h).
  [[nodiscard]] CollectiveWork in_switch(const Activity& a, const Resources& resources) const {
    CollectiveWork out;
    const double n = static_cast<double>(a.gpus.size());
    const bool half = a.collective->collective != collectives::Collective::all_reduce;
    const double bytes = a.collective->bytes.si() * (half ? 1.0 : 1.0 + 1.0 / n);
    for (const DeviceId gpu : a.gpus) {
      std::vector<Demand> demands;
      for (const fabric::LinkId link : machine_.topology.links_from(gpu)) {
        const fabric::Link& out_link = machine_.topology.links()[link];
        const auto back = machine_.topology.link(out_link.to, gpu);
        if (out_link.spec.kind == fabric::LinkKind::nvlink && back) {
          demands.push_back({resources.links().resource(link), bytes});
          demands.push_back({resources.links().resource(*back), bytes});
        }
      }
      out.ranks.push_back(std::move(demands));
    }
    return out;
  }

  Plan plan_collective(const Activity& a, const Resources& resources) {
    const collectives::Communicator group = communicator(a);
    const collectives::CollectivePrice price = collectives_.price(group, *a.collective);
    Part part;
    part.work = links_of(a, price.choice.algorithm, resources);
    const int ranks = static_cast<int>(a.gpus.size());
    const double bytes = hbm_bytes(*a.collective, price.choice.algorithm, ranks).si();
    // Flows of pairs come by sender: its memory is read there, the receiver's as much.
    const bool pairs = price.choice.algorithm == Algorithm::point_to_point;
    for (std::size_t i = 0; i < part.work.ranks.size(); ++i) {
      const std::size_t others = a.gpus.size() - 1;
      const DeviceId gpu = a.gpus[pairs ? i / others : std::min(i, others)];
      part.work.ranks[i].push_back({resources.hbm(gpu), pairs ? bytes / static_cast<double>(others) : bytes});
    }
    const double transfer = price.parts.transfer * 1e-6;
    part.work.alone = Seconds(transfer);
    part.work.latency = Seconds(price.time.si() - transfer);
    part.holds = a.gpus;
    part.sms = std::min<double>(price.choice.channels, machine_.gpu.sm_count - 1.0);
    double slowest = 1.0;
    for (const DeviceId gpu : a.gpus) {
      part.start = max(part.start, machine_.stragglers[gpu].late);  // the last to come starts it
      slowest = std::min(slowest, machine_.stragglers[gpu].clock);
    }
    // Steps take a slow SM longer where they pass it: one step of n.
    part.work.latency *= 1.0 + (1.0 / slowest - 1.0) / ranks;
    return {fmt::format("{}, {} channels: holds {:.0f} SMs", json::name_of(price.choice.algorithm),
                        price.choice.channels, part.sms),
            price.spread80,
            {std::move(part)}};
  }

  Plan plan_kernel(const Activity& a, const Resources& resources) {
    const KernelOutcome outcome = a.kernel->price({kernels_, sm_, machine_.node}, nullptr);
    const kernels::Price& price = outcome.price;
    const double hbm = std::min(price.hbm_bytes.si(), kernels_.achievable_bandwidth().si() * price.time.si());
    Plan plan{fmt::format("limited by {}", json::name_of(price.limiter)), price.spread80, {}};
    for (const DeviceId gpu : a.gpus) {
      const Straggler& straggler = machine_.stragglers[gpu];
      Part part;
      part.start = straggler.late;
      std::vector<Demand> demands = {{resources.hbm(gpu), hbm}};
      if (a.host_copy) {
        for (const fabric::LinkId link : host_route(gpu, a.to_host)) {
          demands.push_back({resources.links().resource(link), price.link_bytes.si()});
        }
      } else {
        demands.push_back({resources.sm(gpu), sm_seconds(price, machine_.gpu.sm_count)});
      }
      const double slower = a.host_copy ? 0.0 : price.compute.si() * (1.0 / straggler.clock - 1.0);
      part.work.alone = price.time + Seconds(slower);
      part.work.ranks = {std::move(demands)};
      plan.parts.push_back(std::move(part));
    }
    return plan;
  }

  // From a GPU to the nearest socket, or back.
  [[nodiscard]] fabric::Route host_route(DeviceId gpu, bool to_host) const {
    fabric::Route best;
    for (const DeviceId socket :
         machine_.topology.of_node(machine_.topology.device(gpu).node, fabric::DeviceKind::socket)) {
      fabric::Route route =
          to_host ? machine_.topology.route(gpu, socket) : machine_.topology.route(socket, gpu);
      if (!route.empty() && (best.empty() || route.size() < best.size())) {
        best = std::move(route);
      }
    }
    return best;
  }

  const TogetherMachine& machine_;
  const collectives::CollectiveModel& collectives_;
  const kernels::KernelModel& kernels_;
  const std::vector<kernels::SmLimits>& sm_;
};

// Plays plans to their end. Not to be moved.
class Play {
 public:
  Play(Engine& engine, const Resources& resources, const std::vector<Plan>& plans,
       const std::vector<Activity>& activities)
      : engine_(engine), flows_(engine), resources_(resources) {
    for (std::size_t i = 0; i < plans.size(); ++i) {
      begins_.push_back(std::numeric_limits<double>::infinity());
      ends_.push_back(0.0);
      for (const Part& part : plans[i].parts) {
        const auto lane = static_cast<std::size_t>(&part - plans[i].parts.data());
        running_.push_back({&part, i, lane, activities[i].count, {}});
        const Seconds start = part.start + activities[i].start;
        begins_[i] = std::min(begins_[i], start.si());
        engine_.at(start, Callback::of<&Play::begin>(this, running_.size() - 1));
      }
    }
  }
  Play(const Play&) = delete;
  Play& operator=(const Play&) = delete;

  void run() { engine_.run(); }
  [[nodiscard]] Seconds begin_of(std::size_t activity) const { return Seconds(begins_[activity]); }
  [[nodiscard]] Seconds end_of(std::size_t activity) const { return Seconds(ends_[activity]); }
  [[nodiscard]] const std::vector<ActivitySpan>& spans() const { return spans_; }

 private:
  static constexpr std::size_t kMostSpans = 1'000'000;
  struct Running {
    const Part* part;
    std::size_t activity, lane;
    std::int64_t left;
    std::vector<FlowHandle> held;
    Seconds since{0.0};
  };

  void begin(std::uint64_t index) {
    Running& r = running_[index];
    for (const DeviceId gpu : r.part->holds) {
      // A flow without end that takes its SMs before all others, until it is cancelled.
      constexpr double kLong = 1e9, kFirst = 1e6;
      const double sms = r.part->sms * engine_.capacity(resources_.sm(gpu)) / resources_.sms();
      const Demand demand{resources_.sm(gpu), sms * kLong};
      r.held.push_back(engine_.start(
          {.demands = {&demand, 1}, .alone = Seconds(kLong), .latency = Seconds(0.0), .weight = kFirst}, {}));
    }
    r.since = engine_.now();
    flows_.start(r.part->work, Callback::of<&Play::done>(this, index));
  }

  void done(std::uint64_t index) {
    Running& r = running_[index];
    if (spans_.size() < kMostSpans) {
      spans_.push_back({r.activity, r.lane, r.since, engine_.now()});
    }
    r.since = engine_.now();
    if (--r.left > 0) {
      flows_.start(r.part->work, Callback::of<&Play::done>(this, index));
      return;
    }
    for (const FlowHandle& flow : r.held) {
      engine_.cancel(flow);
    }
    ends_[r.activity] = std::max(ends_[r.activity], engine_.now().si());
  }

  Engine& engine_;
  CollectiveFlows flows_;
  const Resources& resources_;
  std::vector<Running> running_;
  std::vector<double> begins_, ends_;
  std::vector<ActivitySpan> spans_;
};

// Amounts of each resource that an activity takes in all.
std::map<ResourceId, double> amounts_of(const Plan& plan, const Activity& activity,
                                        const Resources& resources, Seconds time) {
  std::map<ResourceId, double> out;
  for (const Part& part : plan.parts) {
    for (const std::vector<Demand>& rank : part.work.ranks) {
      for (const Demand& demand : rank) {
        out[demand.resource] += demand.amount * static_cast<double>(activity.count);
      }
    }
    for (const DeviceId gpu : part.holds) {
      out[resources.sm(gpu)] += part.sms * time.si();
    }
  }
  return out;
}

bool overlap(const ActivityResult& a, const ActivityResult& b) { return a.begin < b.end && b.begin < a.end; }

std::string unit_of(const Resources& resources, ResourceId id, const TogetherMachine& machine) {
  const auto gpus = machine.topology.gpus();
  return std::any_of(gpus.begin(), gpus.end(), [&](DeviceId gpu) { return resources.sm(gpu) == id; }) ? "SM s"
                                                                                                      : "B";
}

// For each activity the resource that it shares with another and that all together need longest.
void share_out(TogetherResult& result, const Engine& engine, const Resources& resources,
               const TogetherMachine& machine, const std::vector<Plan>& plans,
               const std::vector<Activity>& activities) {
  std::map<ResourceId, std::vector<std::pair<std::size_t, double>>> users;
  for (std::size_t i = 0; i < activities.size(); ++i) {
    for (const auto& [id, amount] :
         amounts_of(plans[i], activities[i], resources, result.activities[i].time())) {
      users[id].emplace_back(i, amount);
    }
  }
  for (std::size_t i = 0; i < activities.size(); ++i) {
    ActivityResult& own = result.activities[i];
    double longest = 0.0;
    for (const auto& [id, amounts] : users) {
      double sum = 0.0;
      bool uses = false, shares = false;
      for (const auto& [other, amount] : amounts) {
        const bool meets = overlap(own, result.activities[other]);
        sum += meets ? amount : 0.0;
        uses = uses || other == i;
        shares = shares || (other != i && meets);
      }
      if (!uses || !shares || sum / engine.capacity(id) <= longest * (1.0 + 1e-9)) {
        continue;
      }
      longest = sum / engine.capacity(id);
      own.shared = SharedResource{engine.name(id), engine.capacity(id), unit_of(resources, id, machine), {}};
      for (const auto& [other, amount] : amounts) {
        if (overlap(own, result.activities[other])) {
          own.shared->amounts.emplace_back(result.activities[other].name, amount);
        }
      }
    }
  }
}

TogetherUse use_of(const Engine& engine, const TogetherMachine& machine, const Resources& resources,
                   Seconds end) {
  struct Mean {
    double sum = 0.0;
    int count = 0;
    [[nodiscard]] double value() const { return count > 0 ? sum / count : 0.0; }
  };
  Mean sm, hbm, nvlink, pcie, network;
  const auto add = [&](Mean& mean, ResourceId id) {
    const double used = engine.used(id);
    if (used > 0.0) {
      mean.sum += used / (engine.capacity(id) * end.si());
      ++mean.count;
    }
  };
  for (const DeviceId gpu : machine.topology.gpus()) {
    add(sm, resources.sm(gpu));
    add(hbm, resources.hbm(gpu));
  }
  const auto links = machine.topology.links();
  for (fabric::LinkId id = 0; id < links.size(); ++id) {
    if (links[id].spec.usable().si() > 0.0) {
      const fabric::LinkKind kind = links[id].spec.kind;
      add(kind == fabric::LinkKind::network                                    ? network
          : kind == fabric::LinkKind::nvlink || kind == fabric::LinkKind::xgmi ? nvlink
                                                                               : pcie,
          resources.links().resource(id));
    }
  }
  return {sm.value(), hbm.value(), nvlink.value(), pcie.value(), network.value()};
}

}  // namespace

TogetherResult play_together(const TogetherMachine& machine, const std::vector<Activity>& activities,
                             const collectives::CollectiveModel& collectives,
                             const kernels::KernelModel& kernels, const std::vector<kernels::SmLimits>& sm) {
  Planner planner(machine, collectives, kernels, sm);
  TogetherResult result;
  Engine engine;
  const Resources resources(engine, machine, kernels.achievable_bandwidth());
  std::vector<Plan> plans;
  for (const Activity& a : activities) {
    plans.push_back(planner.plan(a, resources));
    // The same by itself, on an engine of its own: resources have the same numbers there.
    Engine own;
    const Resources own_resources(own, machine, kernels.achievable_bandwidth());
    const std::vector<Plan> one = {plans.back()};
    Play alone(own, own_resources, one, {a});
    alone.run();
    ActivityResult r;
    r.name = a.name;
    r.what = plans.back().what;
    r.spread80 = plans.back().spread80;
    r.alone = alone.end_of(0) - alone.begin_of(0);
    result.activities.push_back(std::move(r));
  }
  Play play(engine, resources, plans, activities);
  play.run();
  for (std::size_t i = 0; i < activities.size(); ++i) {
    result.activities[i].begin = play.begin_of(i);
    result.activities[i].end = play.end_of(i);
    result.end = max(result.end, play.end_of(i));
  }
  share_out(result, engine, resources, machine, plans, activities);
  result.use = use_of(engine, machine, resources, result.end);
  result.spans = play.spans();
  result.events = engine.events();
  return result;
}

}  // namespace gpuplan::sim
