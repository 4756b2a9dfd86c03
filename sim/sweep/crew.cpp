#include "sim/sweep/crew.h"

#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace gpuplan::sweep {

namespace {

[[noreturn]] void refuse(const std::string& found, const std::string& expected) {
  throw InputError(Problem{"worker process", found, expected, ""});
}

bool send_all(int socket, const std::string& text) {
  std::size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t n = send(socket, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      return false;
    }
    sent += static_cast<std::size_t>(n);
  }
  return true;
}

std::string death_of(pid_t process) {
  int status = 0;
  while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) {
    return fmt::format("killed by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
  }
  return fmt::format("ended with exit code {}", WEXITSTATUS(status));
}

// Starts `command` with `socket` as its standard input and output; the errno of a failure.
int spawn(const std::vector<std::string>& command, int socket, pid_t& process) {
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& word : command) {
    arguments.push_back(const_cast<char*>(word.c_str()));
  }
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, socket, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, socket, STDOUT_FILENO);
  const int error = posix_spawn(&process, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

}  // namespace

Crew::Crew(std::vector<std::string> command, std::size_t jobs, const Opening& opening,
           std::optional<Build> expected)
    : command_(std::move(command)), jobs_(jobs), opening_(line_of(opening)), build_(std::move(expected)) {}

Crew::~Crew() {
  for (const Worker& worker : workers_) {
    kill(worker.process, SIGKILL);
    close(worker.socket);
    while (waitpid(worker.process, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
}

Crew::Worker& Crew::start() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    refuse(std::strerror(errno), "a socket to a worker process");
  }
  Worker worker;
  worker.socket = ends[0];
  const int error = spawn(command_, ends[1], worker.process);
  close(ends[1]);
  if (error != 0) {
    close(ends[0]);
    refuse(command_[0] + ": " + std::strerror(error), "the gpuplan program");
  }
  workers_.push_back(std::move(worker));
  send_all(ends[0], opening_);  // a worker that is gone by now is seen when its answer is read
  return workers_.back();
}

const Build& Crew::build() {
  if (!build_) {
    start();
    while (!build_) {
      wait(std::chrono::seconds(1));
    }
  }
  return *build_;
}

std::size_t Crew::idle() const {
  return jobs_ - static_cast<std::size_t>(std::count_if(workers_.begin(), workers_.end(),
                                                        [](const Worker& w) { return w.run.has_value(); }));
}

void Crew::hand(std::size_t run, const std::string& line) {
  const auto free = std::find_if(workers_.begin(), workers_.end(), [](const Worker& w) { return !w.run; });
  Worker& worker = free != workers_.end() ? *free : start();
  worker.run = run;
  send_all(worker.socket, line);
}

std::vector<Reply> Crew::wait(std::chrono::microseconds longest) {
  std::vector<pollfd> waiting;
  waiting.reserve(workers_.size());
  for (const Worker& worker : workers_) {
    waiting.push_back({worker.socket, POLLIN, 0});
  }
  std::vector<Reply> replies;
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(longest);
  const timespec limit{whole.count(), std::chrono::nanoseconds(longest - whole).count()};
  if (ppoll(waiting.data(), waiting.size(), &limit, nullptr) <= 0) {
    return replies;  // nothing yet, or a signal
  }
  for (std::size_t i = 0; i < waiting.size(); ++i) {
    if (waiting[i].revents != 0 && !receive(workers_[i], replies)) {
      bury(workers_[i], replies);
    }
  }
  std::erase_if(workers_, [](const Worker& worker) { return worker.process < 0; });
  return replies;
}

bool Crew::receive(Worker& worker, std::vector<Reply>& replies) {
  std::array<char, 65536> buffer{};
  const ssize_t n = recv(worker.socket, buffer.data(), buffer.size(), 0);
  if (n <= 0) {
    return n < 0 && errno == EINTR;
  }
  worker.received.append(buffer.data(), static_cast<std::size_t>(n));
  for (std::size_t end = worker.received.find('\n'); end != std::string::npos;
       end = worker.received.find('\n')) {
    std::string line = worker.received.substr(0, end);
    worker.received.erase(0, end + 1);
    if (!worker.ready) {
      greet(worker, line);
    } else if (worker.run) {
      replies.push_back({*worker.run, std::move(line), ""});
      worker.run.reset();
    }
  }
  return true;
}

void Crew::greet(Worker& worker, const std::string& line) {
  const json::Value said = json::parse(line, "worker process");
  if (const json::Value* broken = said.find("broken")) {
    throw InputError(problems_of(*broken));
  }
  const json::Value* ready = said.find("ready");
  const Build build = ready != nullptr ? build_of(*ready) : Build{};
  if (!build_) {
    build_ = build;
  }
  if (build != *build_) {
    refuse(json::dump(to_json(build)),
           "the same program and data everywhere: " + json::dump(to_json(*build_)));
  }
  worker.ready = true;
}

void Crew::bury(Worker& worker, std::vector<Reply>& replies) {
  kill(worker.process, SIGKILL);  // where it has closed its output and lives on
  const std::string death = death_of(worker.process);
  close(worker.socket);
  worker.process = -1;
  if (!worker.ready) {
    refuse("ended before it was ready: " + death, "a worker that starts");
  }
  if (worker.run) {
    replies.push_back({*worker.run, "", death});
  }
}

std::string ready_line(const Build& build) {
  json::Value out{json::Object{}};
  out["ready"] = to_json(build);
  return json::dump(out) + "\n";
}

std::string broken_line(const std::vector<Problem>& problems) {
  json::Value out{json::Object{}};
  out["broken"] = problems_json(problems);
  return json::dump(out) + "\n";
}

void end_with_parent() { prctl(PR_SET_PDEATHSIG, SIGKILL); }

}  // namespace gpuplan::sweep
