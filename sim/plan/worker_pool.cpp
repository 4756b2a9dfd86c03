#include "sim/plan/worker_pool.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <iostream>
#include <stdexcept>

namespace gpuplan::sim {

namespace {

constexpr char kTick = 'T', kResult = 'R';

void write_all(int out, const char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t n = write(out, data, size);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      _exit(1);
    }
    data += n;
    size -= static_cast<std::size_t>(n);
  }
}

[[noreturn]] void run_child(int out, int worker,
                            const std::function<std::string(int, const std::function<void()>&)>& work) {
  try {
    const std::string result = work(worker, [out] { write_all(out, &kTick, 1); });
    write_all(out, &kResult, 1);
    write_all(out, result.data(), result.size());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gpuplan: %s\n", error.what());
    _exit(1);
  }
  _exit(0);
}

struct Child {
  int in = -1;
  pid_t process = -1;
  bool answering = false;
  std::string text;
};

// Reads what a child has sent; false at the end.
bool read_some(Child& child, const std::function<void()>& on_tick) {
  std::array<char, 65536> buffer{};
  const ssize_t n = read(child.in, buffer.data(), buffer.size());
  if (n < 0) {
    return errno == EINTR;
  }
  for (ssize_t i = 0; i < n; ++i) {
    if (child.answering) {
      child.text.append(buffer.data() + i, static_cast<std::size_t>(n - i));
      break;
    }
    if (buffer.at(static_cast<std::size_t>(i)) == kResult) {
      child.answering = true;
    } else {
      on_tick();
    }
  }
  return n > 0;
}

std::vector<Child> start(int jobs,
                         const std::function<std::string(int, const std::function<void()>&)>& work) {
  std::vector<Child> children;
  std::cout.flush();  // what is buffered would be written by each child too
  std::fflush(nullptr);
  for (int worker = 0; worker < jobs; ++worker) {
    std::array<int, 2> ends{};
    if (pipe(ends.data()) != 0) {
      throw std::runtime_error("no pipe to a worker process");
    }
    const pid_t process = fork();
    if (process < 0) {
      throw std::runtime_error("no worker process could be started");
    }
    if (process == 0) {
      close(ends[0]);
      for (const Child& other : children) {
        close(other.in);
      }
      run_child(ends[1], worker, work);
    }
    close(ends[1]);
    children.push_back({ends[0], process, false, {}});
  }
  return children;
}

}  // namespace

std::vector<std::string> run_workers(
    int jobs, const std::function<std::string(int, const std::function<void()>&)>& work,
    const std::function<void()>& on_tick, const volatile std::sig_atomic_t* stop) {
  if (jobs <= 1) {
    return {work(0, on_tick)};
  }
  std::vector<Child> children = start(jobs, work);
  std::size_t open = children.size();
  bool told = false;
  while (open > 0) {
    std::vector<pollfd> waiting;
    waiting.reserve(children.size());
    for (const Child& child : children) {
      waiting.push_back({child.in, POLLIN, 0});  // negative once closed: ignored
    }
    poll(waiting.data(), waiting.size(), 200);
    if (stop != nullptr && *stop != 0 && !told) {
      told = true;
      for (const Child& child : children) {
        kill(child.process, SIGINT);
      }
    }
    for (std::size_t i = 0; i < children.size(); ++i) {
      if (waiting[i].revents != 0 && !read_some(children[i], on_tick)) {
        close(children[i].in);
        children[i].in = -1;
        --open;
      }
    }
  }
  std::vector<std::string> out;
  bool died = false;
  for (Child& child : children) {
    int status = 0;
    while (waitpid(child.process, &status, 0) < 0 && errno == EINTR) {
    }
    died = died || !WIFEXITED(status) || WEXITSTATUS(status) != 0 || !child.answering;
    out.push_back(std::move(child.text));
  }
  if (died) {
    throw std::runtime_error("a worker process died");
  }
  return out;
}

}  // namespace gpuplan::sim
