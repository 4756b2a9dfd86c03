#include "sim/collective/ring_steps.h"

#include <stdexcept>
#include <utility>

namespace gpuplan::sim {

RingSteps::RingSteps(Engine& engine, RingSpec spec, Callback on_done)
    : engine_(&engine), spec_(std::move(spec)), on_done_(on_done) {
  for (const Ring& ring : spec_.channels) {
    ranks_ = spec_.channels.front().edges.size();
    if (ring.edges.size() != ranks_ || ring.chunks.size() != ranks_ || ranks_ == 0) {
      throw std::logic_error(
          "a ring needs an edge and a chunk for each rank, and all channels the same ranks");
    }
  }
  senders_.resize(spec_.channels.size() * ranks_);
  left_ = senders_.size() * static_cast<std::size_t>(spec_.steps);
}

std::size_t RingSteps::index(std::size_t channel, std::size_t rank) const { return channel * ranks_ + rank; }

void RingSteps::start() {
  if (left_ == 0) {
    engine_->start({}, on_done_);
    return;
  }
  for (std::size_t channel = 0; channel < spec_.channels.size(); ++channel) {
    for (std::size_t rank = 0; rank < ranks_; ++rank) {
      send_what_is_ready(channel, rank);
    }
  }
}

// A rank sends in step s what it received in step s - 1; its own chunk first.
void RingSteps::send_what_is_ready(std::size_t channel, std::size_t rank) {
  Sender& sender = senders_[index(channel, rank)];
  if (sender.busy || sender.step >= spec_.steps || sender.step > sender.received) {
    return;
  }
  const Ring& ring = spec_.channels[channel];
  const std::size_t chunk = (rank + ranks_ - static_cast<std::size_t>(sender.step) % ranks_) % ranks_;
  const double bytes = ring.chunks[chunk];
  scratch_.clear();
  for (const Demand& per_byte : ring.edges[rank]) {
    scratch_.push_back({per_byte.resource, per_byte.amount * bytes});
  }
  sender.busy = true;
  sender.begin = engine_->now();
  engine_->start({.demands = scratch_,
                  .alone = Seconds(spec_.bytes_per_second > 0.0 ? bytes / spec_.bytes_per_second : 0.0),
                  .latency = spec_.latency},
                 Callback::of<&RingSteps::sent>(this, index(channel, rank)));
}

void RingSteps::sent(std::uint64_t sender_index) {
  const std::size_t channel = sender_index / ranks_, rank = sender_index % ranks_, next = (rank + 1) % ranks_;
  Sender& sender = senders_[sender_index];
  if (spec_.record) {
    const std::size_t chunk = (rank + ranks_ - static_cast<std::size_t>(sender.step) % ranks_) % ranks_;
    record_.push_back({static_cast<int>(channel), static_cast<int>(rank), sender.step,
                       static_cast<int>(chunk), sender.begin, engine_->now()});
  }
  sender.busy = false;
  ++sender.step;
  ++senders_[index(channel, next)].received;
  if (--left_ == 0) {
    if (on_done_.fn != nullptr) {
      on_done_.fn(on_done_.object, on_done_.tag);
    }
    return;
  }
  send_what_is_ready(channel, next);
  send_what_is_ready(channel, rank);
}

}  // namespace gpuplan::sim
