#include "ui/mpi/ranks.h"

#include <algorithm>
#include <boost/mpi/collectives.hpp>
#include <boost/serialization/string.hpp>
#include <boost/serialization/vector.hpp>

namespace gpuplan::mpi {

namespace {

// MPI has no descriptor that could be waited for beside the workers': each is looked at in turn. Long enough
// to cost two per cent of a core, short enough beside runs of milliseconds.
constexpr std::chrono::microseconds kTurn{300};

enum Tag { kRun = 1, kReply = 2, kEnd = 3 };

// Between 0 and others: a run and its line; back, the answer or how its worker died.
struct Message {
  std::uint64_t run = 0;
  std::string line, death;
  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    archive& run& line& death;
  }
};

// What all ranks open; an empty line: nothing.
struct Plan {
  std::string opening, build;
  std::uint64_t jobs = 0;
  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    archive& opening& build& jobs;
  }
};

}  // namespace

Ranks::Ranks(const boost::mpi::communicator& world, const std::vector<std::string>& command, std::size_t jobs,
             const sweep::Opening& opening)
    : world_(world), jobs_(jobs), own_(command, jobs, opening), going_(std::size_t(world.size()), 0) {
  Plan plan{line_of(opening), json::dump(to_json(own_.build())), jobs};
  boost::mpi::broadcast(world_, plan, 0);
}

Ranks::~Ranks() {
  for (int rank = 1; rank < world_.size(); ++rank) {
    world_.send(rank, kEnd);
  }
}

std::size_t Ranks::idle() const {
  std::size_t idle = own_.idle();
  for (int rank = 1; rank < world_.size(); ++rank) {
    idle += jobs_ - going_[std::size_t(rank)];
  }
  return idle;
}

void Ranks::hand(std::size_t run, const std::string& line) {
  // The others first: they have no table to write.
  for (int rank = 1; rank < world_.size(); ++rank) {
    if (going_[std::size_t(rank)] < jobs_) {
      ++going_[std::size_t(rank)];
      world_.send(rank, kRun, Message{run, line, ""});
      return;
    }
  }
  own_.hand(run, line);
}

std::vector<sweep::Reply> Ranks::wait(std::chrono::microseconds longest) {
  if (world_.size() == 1) {
    return own_.wait(longest);
  }
  std::vector<sweep::Reply> replies;
  for (std::chrono::microseconds waited{0}; waited <= longest && replies.empty(); waited += kTurn) {
    replies = own_.wait(kTurn);
    while (world_.iprobe(boost::mpi::any_source, kReply)) {
      Message message;
      const boost::mpi::status status = world_.recv(boost::mpi::any_source, kReply, message);
      --going_[std::size_t(status.source())];
      replies.push_back({message.run, std::move(message.line), std::move(message.death)});
    }
  }
  return replies;
}

void serve(const boost::mpi::communicator& world, const std::vector<std::string>& command) {
  Plan plan;
  boost::mpi::broadcast(world, plan, 0);
  if (plan.opening.empty()) {
    return;
  }
  const sweep::Opening opening = *sweep::opening_of(json::parse(plan.opening, "rank 0"));
  sweep::Crew crew(command, plan.jobs, opening, sweep::build_of(json::parse(plan.build, "rank 0")));
  while (!world.iprobe(0, kEnd)) {
    while (world.iprobe(0, kRun)) {
      Message message;
      world.recv(0, kRun, message);
      crew.hand(message.run, message.line);
    }
    for (sweep::Reply& reply : crew.wait(kTurn)) {
      world.send(0, kReply, Message{reply.run, std::move(reply.line), std::move(reply.death)});
    }
  }
  world.recv(0, kEnd);
}

void dismiss(const boost::mpi::communicator& world) {
  Plan nothing;
  boost::mpi::broadcast(world, nothing, 0);
}

}  // namespace gpuplan::mpi
