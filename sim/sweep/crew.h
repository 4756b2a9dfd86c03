// Worker processes on this machine. Each is started when there is work for it, opens the scenario once, and
// then reads a request a line and answers a line a request over a pair of sockets that are its standard input
// and output. One that dies is replaced when the next run is handed out.
#pragma once

#include <sys/types.h>

#include "sim/sweep/answer.h"
#include "sim/sweep/workforce.h"

namespace gpuplan::sweep {

class Crew final : public Workforce {
 public:
  // `command`: program and arguments of a worker. At most `jobs` of them run. `expected`: the build that they
  // must be of; none: that of the first.
  Crew(std::vector<std::string> command, std::size_t jobs, const Opening& opening,
       std::optional<Build> expected = {});
  ~Crew() override;  // ends the workers, whatever they do
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  const Build& build() override;
  [[nodiscard]] std::size_t idle() const override;
  void hand(std::size_t run, const std::string& line) override;
  std::vector<Reply> wait(std::chrono::microseconds longest) override;

 private:
  struct Worker {
    pid_t process = -1;
    int socket = -1;
    std::string received;  // up to a line's end
    bool ready = false;    // has said which build it is
    std::optional<std::size_t> run;
  };
  Worker& start();
  // False where the other end is closed.
  bool receive(Worker& worker, std::vector<Reply>& replies);
  void greet(Worker& worker, const std::string& line);
  void bury(Worker& worker, std::vector<Reply>& replies);

  std::vector<std::string> command_;
  std::size_t jobs_;
  std::string opening_;
  std::optional<Build> build_;
  std::vector<Worker> workers_;
};

// Set in a worker: what a worker says first, and the end of it with whoever started it.
std::string ready_line(const Build& build);
std::string broken_line(const std::vector<Problem>& problems);
void end_with_parent();

}  // namespace gpuplan::sweep
