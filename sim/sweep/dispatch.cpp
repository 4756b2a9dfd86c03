#include "sim/sweep/dispatch.h"

#include <deque>
#include <map>

namespace gpuplan::sweep {

namespace {

constexpr int kAttempts = 2;

struct Pending {
  std::size_t run;
  int attempt;
};

Answer given_up(std::size_t run, const std::string& death) {
  Answer answer;
  answer.run = run;
  answer.outcome = Outcome::failed;
  answer.reason = "its process died, twice: " + death;
  return answer;
}

Answer read_answer(const Reply& reply) {
  std::optional<Answer> answer;
  try {
    answer = answer_of(json::parse(reply.line, "worker process"));
  } catch (const InputError&) {
    answer.reset();  // refused below
  }
  if (!answer || answer->run != reply.run) {
    throw InputError(Problem{"worker process", "\"" + reply.line.substr(0, 80) + "\"", "an answer", ""});
  }
  return std::move(*answer);
}

}  // namespace

bool work_off(const Dispatch& dispatch, Workforce& workforce) {
  std::deque<Pending> pending;
  for (const std::size_t run : dispatch.runs) {
    pending.push_back({run, 1});
  }
  std::map<std::size_t, int> going;  // attempt by run
  while (!pending.empty() || !going.empty()) {
    while (!pending.empty() && workforce.idle() > 0) {
      const Pending next = pending.front();
      pending.pop_front();
      Request request = dispatch.request(next.run);
      request.attempt = next.attempt;
      request.check_only = dispatch.check_only;
      workforce.hand(next.run, line_of(request));
      going[next.run] = next.attempt;
    }
    for (const Reply& reply : workforce.wait(std::chrono::milliseconds(200))) {
      const int attempt = going[reply.run];
      going.erase(reply.run);
      if (!reply.line.empty()) {
        dispatch.on_answer(read_answer(reply));
      } else if (attempt < kAttempts) {
        pending.push_front({reply.run, attempt + 1});
      } else {
        dispatch.on_answer(given_up(reply.run, reply.death));
      }
    }
    if (dispatch.stop != nullptr && *dispatch.stop != 0) {
      return false;
    }
  }
  return true;
}

}  // namespace gpuplan::sweep
