// Pending events in order of (time, sequence number). Each event belongs to a slot of the owner, who is told
// where it lies, so that an event can be moved or removed in place: no stale entries, no allocation beyond
// the high-water mark. Four children a node: half the depth of a binary heap, siblings share cache lines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace gpuplan::sim {

struct Event {
  double time;
  std::uint64_t sequence;
  std::uint32_t slot;

  [[nodiscard]] bool before(const Event& other) const {
    return time < other.time || (time == other.time && sequence < other.sequence);
  }
};

// `Placed(slot, position)` is called whenever a slot's event moves.
template <class Placed>
class EventHeap {
 public:
  explicit EventHeap(Placed placed) : placed_(placed) {}

  [[nodiscard]] bool empty() const { return events_.empty(); }
  [[nodiscard]] std::size_t size() const { return events_.size(); }
  [[nodiscard]] const Event& top() const { return events_.front(); }

  void push(Event event) {
    events_.push_back(event);
    rise(events_.size() - 1, event);
  }
  void pop() { erase(0); }
  // Gives the event at `position` a new time.
  void move(std::size_t position, double time) {
    Event event = events_[position];
    event.time = time;
    settle(position, event);
  }
  void erase(std::size_t position) {
    const Event last = events_.back();
    events_.pop_back();
    if (position < events_.size()) {
      settle(position, last);
    }
  }

 private:
  static constexpr std::size_t kChildren = 4;

  void place(std::size_t position, const Event& event) {
    events_[position] = event;
    placed_(event.slot, static_cast<std::uint32_t>(position));
  }
  void settle(std::size_t position, const Event& event) {
    if (position > 0 && event.before(events_[(position - 1) / kChildren])) {
      rise(position, event);
    } else {
      sink(position, event);
    }
  }
  void rise(std::size_t position, const Event& event) {
    while (position > 0) {
      const std::size_t parent = (position - 1) / kChildren;
      if (!event.before(events_[parent])) {
        break;
      }
      place(position, events_[parent]);
      position = parent;
    }
    place(position, event);
  }
  void sink(std::size_t position, const Event& event) {
    const std::size_t size = events_.size();
    for (;;) {
      const std::size_t first = position * kChildren + 1;
      if (first >= size) {
        break;
      }
      const std::size_t last = first + kChildren < size ? first + kChildren : size;
      std::size_t least = first;
      for (std::size_t child = first + 1; child < last; ++child) {
        if (events_[child].before(events_[least])) {
          least = child;
        }
      }
      if (!events_[least].before(event)) {
        break;
      }
      place(position, events_[least]);
      position = least;
    }
    place(position, event);
  }

  std::vector<Event> events_;
  Placed placed_;
};

}  // namespace gpuplan::sim
