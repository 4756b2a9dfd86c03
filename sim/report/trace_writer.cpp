#include "sim/report/trace_writer.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "hwmodels/json/problem.h"
#include "hwmodels/json/value.h"

namespace gpuplan::sim {

namespace {
constexpr int kStepLane = 1, kCopyLane = 2;
double us(Seconds time) { return time.si() * 1e6; }
}  // namespace

ChromeTraceWriter::ChromeTraceWriter(std::string path, int replicas, const std::string& title)
    : path_(std::move(path)), file_(std::fopen(path_.c_str(), "w")) {
  if (file_ == nullptr) {
    throw InputError(Problem{"--trace " + path_, std::strerror(errno), "a file that can be written", ""});
  }
  std::setvbuf(file_, nullptr, _IOFBF, 1u << 20u);
  const std::string header =
      fmt::format("{{\"displayTimeUnit\":\"ms\",\"otherData\":{{\"title\":{}}},\"traceEvents\":[\n",
                  json::dump(json::Value(title)));
  failed_ = std::fputs(header.c_str(), file_) < 0;
  for (int i = 0; i < replicas; ++i) {
    write(fmt::format(R"({{"ph":"M","pid":{},"tid":0,"name":"process_name","args":{{"name":"replica {}"}}}})",
                      i, i));
    write(fmt::format(R"({{"ph":"M","pid":{},"tid":{},"name":"thread_name","args":{{"name":"steps"}}}})", i,
                      kStepLane));
    write(fmt::format(R"({{"ph":"M","pid":{},"tid":{},"name":"thread_name","args":{{"name":"copies"}}}})", i,
                      kCopyLane));
  }
}

ChromeTraceWriter::~ChromeTraceWriter() {
  if (file_ != nullptr) {
    std::fclose(file_);
  }
}

void ChromeTraceWriter::write(const std::string& event) {
  if (failed_) {
    return;
  }
  const bool ok = std::fputs(first_ ? "" : ",\n", file_) >= 0 && std::fputs(event.c_str(), file_) >= 0;
  first_ = false;
  if (!ok) {
    failed_ = true;
    error_ = errno;
  }
}

void ChromeTraceWriter::on_step(const StepRecord& s) {
  const char* name = s.copy ? "swap" : s.prefills > 0 ? (s.decodes > 0 ? "mixed" : "prefill") : "decode";
  write(fmt::format(
      R"({{"ph":"X","pid":{},"tid":{},"ts":{:.3f},"dur":{:.3f},"cat":"step","name":"{}","args":{{"steps":{},"decodes":{},"prompt_tokens":{},"running":{}}}}})",
      s.replica, s.copy ? kCopyLane : kStepLane, us(s.start), us(s.end - s.start), name, s.steps, s.decodes,
      s.prefill_tokens, s.running));
  if (!s.copy) {
    write(fmt::format(
        R"({{"ph":"C","pid":{},"ts":{:.3f},"name":"sequences","args":{{"running":{},"waiting":{}}}}})",
        s.replica, us(s.start), s.running, s.waiting));
    write(fmt::format(R"({{"ph":"C","pid":{},"ts":{:.3f},"name":"KV blocks","args":{{"used":{}}}}})",
                      s.replica, us(s.start), s.kv_blocks_used));
  }
}

void ChromeTraceWriter::on_finish(const RequestRecord& r) {
  // Opened and closed in the order in which they nest, also where times are equal.
  const auto event = [&](char phase, const char* name, Seconds at, const std::string& arguments) {
    write(fmt::format(R"({{"ph":"{}","pid":{},"tid":0,"cat":"request","id":{},"ts":{:.3f},"name":"{}"{}}})",
                      phase, r.replica, r.order, us(at), name, arguments));
  };
  event('b', "request", r.arrival,
        fmt::format(R"(,"args":{{"prompt":{},"output":{},"preemptions":{}}})", r.prompt, r.output,
                    r.preemptions));
  event('b', "queued", r.arrival, "");
  event('e', "queued", r.admitted, "");
  event('b', "prefill", r.admitted, "");
  event('e', "prefill", r.first_token, "");
  event('b', "decode", r.first_token, "");
  event('e', "decode", r.finish, "");
  event('e', "request", r.finish, "");
}

void ChromeTraceWriter::close() {
  if (file_ == nullptr) {
    return;
  }
  const bool tail = !failed_ && std::fputs("\n]}\n", file_) >= 0;
  if (!tail && error_ == 0) {
    error_ = errno;
  }
  const bool closed = std::fclose(file_) == 0;
  if (!closed && error_ == 0) {
    error_ = errno;
  }
  file_ = nullptr;
  if (!tail || !closed) {
    throw InputError(Problem{"--trace " + path_, error_ != 0 ? std::strerror(error_) : "a write error",
                             "room for the trace", ""});
  }
}

}  // namespace gpuplan::sim
