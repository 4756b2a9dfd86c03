#include "sim/sweep/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "sim/sweep/definition.h"

namespace gpuplan::sweep {

namespace {

constexpr std::string_view kBegin = "{\"gpuplan_sweep\":1,";
constexpr std::size_t kLimit = std::size_t{1} << 33u;

[[noreturn]] void refuse(const std::string& path, const std::string& found, const std::string& expected) {
  throw InputError(Problem{path, found, expected, ""});
}

std::optional<json::Value> parsed(std::string_view line) {
  try {
    return json::parse(line, "journal");
  } catch (const InputError&) {
    return std::nullopt;
  }
}

}  // namespace

std::string header_line(const json::Value& definition) {
  json::Object out;
  out.emplace_back("gpuplan_sweep", json::Value(1));
  out.emplace_back("fingerprint", json::Value(fingerprint_of(definition)));
  out.emplace_back("definition", definition);
  return json::dump(json::Value(std::move(out))) + "\n";
}

JournalText read_journal(std::string_view text, const std::string& name) {
  JournalText out;
  const std::size_t first = text.find('\n');
  const std::optional<json::Value> header = first != std::string_view::npos && text.starts_with(kBegin)
                                                ? parsed(text.substr(0, first))
                                                : std::nullopt;
  const json::Value* definition = header ? header->find("definition") : nullptr;
  const json::Value* print = header ? header->find("fingerprint") : nullptr;
  if (definition == nullptr || print == nullptr || !print->is_string() ||
      print->string() != fingerprint_of(*definition)) {
    refuse(name, "no journal of a sweep", "a file that gpuplan sweep has written");
  }
  out.definition = *definition;
  std::size_t at = first + 1;
  for (std::size_t end = text.find('\n', at); end != std::string_view::npos; end = text.find('\n', at)) {
    const std::optional<json::Value> line = parsed(text.substr(at, end - at));
    std::optional<Answer> answer = line ? answer_of(*line) : std::nullopt;
    if (answer) {
      out.answers.push_back(std::move(*answer));
    } else {
      ++out.unreadable;
    }
    at = end + 1;
  }
  out.whole_bytes = at;
  return out;
}

JournalText read_journal_file(const std::string& path) {
  return read_journal(json::read_file(path, kLimit), path);
}

Journal::Journal(std::string path, const json::Value& definition, bool must_exist) : path_(std::move(path)) {
  file_ = open(path_.c_str(), O_RDWR | O_APPEND | O_CLOEXEC | (must_exist ? 0 : O_CREAT), 0666);
  if (file_ < 0) {
    refuse(path_, std::strerror(errno),
           must_exist ? "the journal of a sweep that was begun (--resume)" : "a file that can be written");
  }
  try {
    lock_and_read(definition);
  } catch (...) {
    close(file_);
    throw;
  }
}

void Journal::lock_and_read(const json::Value& definition) {
  if (flock(file_, LOCK_EX | LOCK_NB) != 0) {
    refuse(path_, errno == EWOULDBLOCK ? "a journal that another sweep is writing" : std::strerror(errno),
           "a journal of its own (--journal), or the end of that sweep");
  }
  synced_at_ = std::chrono::steady_clock::now();
  const std::string text = json::read_file(path_, kLimit);
  const std::string header = header_line(definition);
  // Begun here, or the header itself was torn.
  if (text.size() < header.size() && header.compare(0, text.size(), text) == 0) {
    if (ftruncate(file_, 0) != 0) {
      refuse(path_, std::strerror(errno), "a file that can be written");
    }
    write_line(header);
    return;
  }
  JournalText read = read_journal(text, path_);
  if (read.definition != definition) {
    std::string found = "the journal of another sweep";
    for (const std::string& difference : differences(read.definition, definition)) {
      found += "; " + difference;
    }
    refuse(path_, found, "the same sweep, or another --journal");
  }
  if (read.whole_bytes < text.size() && ftruncate(file_, static_cast<off_t>(read.whole_bytes)) != 0) {
    refuse(path_, std::strerror(errno), "a file that can be written");
  }
  answers_ = std::move(read.answers);
  unreadable_ = read.unreadable;
}

Journal::~Journal() {
  if (unsynced_) {
    fdatasync(file_);
  }
  close(file_);  // and the lock with it
}

void Journal::write_line(const std::string& line) {
  const ssize_t written = write(file_, line.data(), line.size());
  if (written != static_cast<ssize_t>(line.size())) {
    refuse(path_, written < 0 ? std::strerror(errno) : "no room left", "room to write");
  }
  unsynced_ = true;
}

void Journal::append(const Answer& answer) {
  write_line(json::dump(to_json(answer)) + "\n");
  answers_.push_back(answer);
  if (std::chrono::steady_clock::now() - synced_at_ > std::chrono::milliseconds(100)) {
    sync();
  }
}

void Journal::sync() {
  if (unsynced_ && fdatasync(file_) != 0 && errno != EINVAL && errno != EROFS) {  // EINVAL: not a disk file
    refuse(path_, std::strerror(errno), "a disk that keeps what is written");
  }
  unsynced_ = false;
  synced_at_ = std::chrono::steady_clock::now();
}

void Journal::discard_if_empty() {
  if (answers_.empty() && unreadable_ == 0) {
    unlink(path_.c_str());
  }
}

std::vector<std::optional<Answer>> by_run(std::vector<Answer> answers, std::size_t runs,
                                          const std::string& where) {
  std::vector<std::optional<Answer>> out(runs);
  for (Answer& answer : answers) {
    if (answer.run >= runs) {
      refuse(where, fmt::format("run {}", answer.run), fmt::format("runs 0 to {} of the sweep", runs - 1));
    }
    std::optional<Answer>& known = out[answer.run];
    if (!known || known->outcome == Outcome::failed) {
      if (!known || answer.outcome != Outcome::failed) {
        known = std::move(answer);
      }
    } else if (answer.outcome != Outcome::failed && !same(*known, answer)) {
      refuse(where, fmt::format("two different answers of run {}", answer.run),
             "the same answer whenever a run is done");
    }
  }
  return out;
}

}  // namespace gpuplan::sweep
