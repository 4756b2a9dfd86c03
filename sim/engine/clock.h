// SimGrid's clock and event loop, lent to whoever has events. One per process, because SimGrid's engine is
// a singleton that neither restarts its clock nor lets go of a model: it is made once, and each run of an
// Engine takes the clock on from wherever it stands. Times below are the owner's own, in seconds; one second
// of SimGrid is one microsecond of ours, so that its fixed tolerances stay far below ours.
#pragma once

namespace gpuplan::sim {

// What the clock drives.
class Timeline {
 public:
  virtual ~Timeline() = default;
  // Time of the next event, >= now; negative when there is none.
  virtual double next_event() = 0;
  // It is `now`: do what is due.
  virtual void advance(double now) = 0;
};

// Drives `timeline`, whose time is `now`, until it has no next event. std::logic_error from within a run.
void run_clock(Timeline& timeline, double now);

}  // namespace gpuplan::sim
