// The workers of a sweep over the ranks of an MPI job: rank 0 hands runs out, each rank drives worker
// processes of its own (rank 0 too). A worker that dies is told of and replaced; a rank that dies ends the
// job, as MPI does, and the journal keeps what was answered.
#pragma once

#include <boost/mpi/communicator.hpp>

#include "sim/sweep/crew.h"

namespace gpuplan::mpi {

// Rank 0's view of all workers.
class Ranks final : public sweep::Workforce {
 public:
  // Tells the other ranks what to open. `jobs`: workers a rank.
  Ranks(const boost::mpi::communicator& world, const std::vector<std::string>& command, std::size_t jobs,
        const sweep::Opening& opening);
  ~Ranks() override;  // sends the others home
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;

  const sweep::Build& build() override { return own_.build(); }
  [[nodiscard]] std::size_t idle() const override;
  void hand(std::size_t run, const std::string& line) override;
  std::vector<sweep::Reply> wait(std::chrono::microseconds longest) override;

 private:
  boost::mpi::communicator world_;
  std::size_t jobs_;
  sweep::Crew own_;
  std::vector<std::size_t> going_;  // by rank
};

// What every other rank does until rank 0 is done.
void serve(const boost::mpi::communicator& world, const std::vector<std::string>& command);
// Rank 0 has nothing to do: the others go home.
void dismiss(const boost::mpi::communicator& world);

}  // namespace gpuplan::mpi
