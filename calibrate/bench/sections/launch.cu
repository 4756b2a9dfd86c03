// What a kernel costs that does nothing: issued one by one, in a graph, many small ones, and waited for.
#include <chrono>

#include "../kernels/memory.cuh"
#include "sections.h"

namespace gpubench {

namespace {

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Seconds of host time for `work`, over `samples` runs after a first one.
template <class Work>
std::vector<double> host_seconds(int samples, Work work) {
  std::vector<double> seconds;
  for (int i = 0; i <= samples; ++i) {
    const double start = now_s();
    work();
    if (i > 0) seconds.push_back(now_s() - start);
  }
  return seconds;
}

std::vector<double> each(std::vector<double> seconds, double count) {
  for (double& s : seconds) s /= count;
  return seconds;
}

}  // namespace

void check_launch(Bench& bench) {
  Region memory = bench.memory();
  unsigned* counter = memory.put(std::vector<unsigned>{0});
  const auto count = [&](cudaStream_t stream) {
    count_up<<<2, 32, 0, stream>>>(counter);
    LAUNCH_CHECK();
  };
  count(bench.stream());  // loads the kernel: not while a stream is captured
  const Graph graph(bench.stream(), [&](cudaStream_t stream) {
    for (int i = 0; i < 10; ++i) count(stream);
  });
  for (int i = 0; i < 3; ++i) graph.launch(bench.stream());
  for (int i = 0; i < 7; ++i) count(bench.stream());
  bench.check("launch order", {static_cast<double>(fetched(counter, 1)[0])}, {38}, 0);
}

void measure_launch(Bench& bench) {
  const cudaStream_t stream = bench.stream();
  const auto grids = {1, bench.device.sm_count, 4 * bench.device.sm_count};
  const int kernels = 500;  // fewer than a stream queues before the host has to wait
  const int samples = bench.quick ? 15 : 31;
  for (int blocks : grids) {
    if (!bench.begin_point("launches of " + std::to_string(blocks) + " blocks")) continue;
    const Fields params = Fields().add("blocks", blocks).add("threads", 128).add("kernels", kernels);
    const auto launch = [&](cudaStream_t s, int) {
      empty<<<static_cast<unsigned>(blocks), 128, 0, s>>>();
      LAUNCH_CHECK();
    };
    const auto issue = [&] {
      for (int i = 0; i < kernels; ++i) launch(stream, i);
    };
    bench.emit("launch_stream", params, "s", bench.time_in_stream(launch, kernels));
    // Host time to issue them, with the queue empty before.
    std::vector<double> issued;
    for (int i = 0; i <= samples; ++i) {
      bench.stream().wait();
      const double start = now_s();
      issue();
      if (i > 0) issued.push_back((now_s() - start) / kernels);
    }
    bench.emit("launch_issue", params, "s", issued);
    bench.stream().wait();

    const Graph graph(stream, [&](cudaStream_t s) {
      for (int i = 0; i < kernels; ++i) launch(s, i);
    });
    const auto replay = [&](cudaStream_t s, int) { graph.launch(s); };
    bench.emit("launch_graph", params, "s", each(bench.time_in_stream(replay, 1), kernels));
  }

  if (bench.begin_point("graphs of few kernels"))
    for (int nodes : {1, 2, 5, 10, 20, 50, 100, 200}) {
      const Graph graph(stream, [&](cudaStream_t s) {
        for (int i = 0; i < nodes; ++i) {
          empty<<<1, 128, 0, s>>>();
          LAUNCH_CHECK();
        }
      });
      const Fields params = Fields().add("kernels", nodes);
      bench.emit("graph_replay", params, "s",
                 bench.time_in_stream([&](cudaStream_t s, int) { graph.launch(s); }, 50));
      bench.emit("graph_issue_and_wait", params, "s", host_seconds(samples, [&] {
                   graph.launch(stream);
                   bench.stream().wait();
                 }));
    }

  if (bench.begin_point("launch and wait"))
    bench.emit("launch_and_wait", {}, "s", host_seconds(5 * samples, [&] {
                 empty<<<1, 128, 0, stream>>>();
                 LAUNCH_CHECK();
                 bench.stream().wait();
               }));
}

}  // namespace gpubench
