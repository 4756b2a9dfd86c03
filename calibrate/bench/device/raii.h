// Owners of streams, events, graphs and memory. Destructors cannot report errors and do not try.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "cuda_check.h"

namespace gpubench {

class Stream {
 public:
  explicit Stream(int priority = 0) {
    CUDA_CHECK(cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking, priority));
  }
  ~Stream() { cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  operator cudaStream_t() const { return stream_; }
  void wait() const { CUDA_CHECK(cudaStreamSynchronize(stream_)); }

 private:
  cudaStream_t stream_ = nullptr;
};

class Event {
 public:
  Event() { CUDA_CHECK(cudaEventCreate(&event_)); }
  ~Event() {
    if (event_) cudaEventDestroy(event_);
  }
  Event(Event&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}
  Event& operator=(Event&&) = delete;
  operator cudaEvent_t() const { return event_; }
  void record(cudaStream_t stream) const { CUDA_CHECK(cudaEventRecord(event_, stream)); }
  void wait() const { CUDA_CHECK(cudaEventSynchronize(event_)); }
  bool reached() const {
    const cudaError_t status = cudaEventQuery(event_);
    if (status == cudaErrorNotReady) return false;
    CUDA_CHECK(status);
    return true;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

inline double seconds_between(const Event& from, const Event& to) {
  float milliseconds = 0;
  CUDA_CHECK(cudaEventElapsedTime(&milliseconds, from, to));
  return static_cast<double>(milliseconds) * 1e-3;
}

// What `enqueue(stream)` does, captured as a graph.
class Graph {
 public:
  template <class Enqueue>
  Graph(cudaStream_t stream, Enqueue enqueue) {
    CUDA_CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    cudaGraph_t graph = nullptr;
    try {
      enqueue(stream);
    } catch (...) {
      cudaStreamEndCapture(stream, &graph);
      if (graph) cudaGraphDestroy(graph);
      throw;
    }
    CUDA_CHECK(cudaStreamEndCapture(stream, &graph));
    const cudaError_t status = cudaGraphInstantiateWithFlags(&executable_, graph, 0);
    cudaGraphDestroy(graph);
    CUDA_CHECK(status);
  }
  ~Graph() { cudaGraphExecDestroy(executable_); }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  void launch(cudaStream_t stream) const { CUDA_CHECK(cudaGraphLaunch(executable_, stream)); }

 private:
  cudaGraphExec_t executable_ = nullptr;
};

// Host memory that the GPU can reach directly.
class PinnedBytes {
 public:
  explicit PinnedBytes(std::size_t size) { CUDA_CHECK(cudaMallocHost(&data_, size)); }
  ~PinnedBytes() { cudaFreeHost(data_); }
  PinnedBytes(const PinnedBytes&) = delete;
  PinnedBytes& operator=(const PinnedBytes&) = delete;
  char* data() const { return static_cast<char*>(data_); }

 private:
  void* data_ = nullptr;
};

// A region of device memory, taken from front to back in pieces aligned to 256 bytes.
class Region {
 public:
  Region(char* data, std::size_t size) : data_(data), left_(size) {}

  template <class T>
  T* take(std::size_t count) {
    const std::size_t bytes = (count * sizeof(T) + 255) / 256 * 256;
    if (bytes > left_) throw GpuError("the device memory set aside does not suffice");
    T* piece = reinterpret_cast<T*>(data_);
    data_ += bytes;
    left_ -= bytes;
    return piece;
  }
  // `values`, copied to the device.
  template <class T>
  T* put(const std::vector<T>& values) {
    T* piece = take<T>(values.size());
    CUDA_CHECK(cudaMemcpy(piece, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice));
    CUDA_CHECK(cudaDeviceSynchronize());  // our streams do not wait for this copy by themselves
    return piece;
  }
  std::size_t left() const { return left_; }

 private:
  char* data_;
  std::size_t left_;
};

// Copied from the device when all its work is done.
template <class T>
std::vector<T> fetched(const T* device, std::size_t count) {
  std::vector<T> values(count);
  CUDA_CHECK(cudaDeviceSynchronize());
  CUDA_CHECK(cudaMemcpy(values.data(), device, count * sizeof(T), cudaMemcpyDeviceToHost));
  return values;
}

}  // namespace gpubench
