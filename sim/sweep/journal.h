// The journal of a sweep: one line of JSON for what is swept, then one for each run that has ended, in any
// order. A line is appended with one write(), so that whatever ends the process, a reader sees whole lines
// and at most one torn one at the end; it is brought to the disk ten times a second and at the end. Nothing
// but runs that were going on is lost, and the table of a sweep is made from its journal alone.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "sim/sweep/answer.h"

namespace gpuplan::sweep {

struct JournalText {
  json::Value definition;
  std::vector<Answer> answers;  // in the order of the file
  std::size_t unreadable = 0;   // whole lines that are no answers: their runs are done again
  std::size_t whole_bytes = 0;  // up to the end of the last whole line
};
// Reads the text of a journal; a torn last line is left out. InputError where it is none.
JournalText read_journal(std::string_view text, const std::string& name);
JournalText read_journal_file(const std::string& path);
// The first line.
std::string header_line(const json::Value& definition);

// A journal that is written to. One process at a time holds it.
class Journal {
 public:
  // Opens `path`, or begins it. InputError where another process holds it, or it is no journal or one of
  // another sweep (with what differs), or `must_exist` and there is none.
  Journal(std::string path, const json::Value& definition, bool must_exist);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  // Read and appended so far.
  [[nodiscard]] const std::vector<Answer>& answers() const { return answers_; }
  // Hands them over; the journal is not for use any more.
  std::vector<Answer> take_answers() { return std::move(answers_); }
  [[nodiscard]] std::size_t unreadable() const { return unreadable_; }
  // InputError where the disk is full.
  void append(const Answer& answer);
  void sync();
  // Removes a journal that has no answers.
  void discard_if_empty();

 private:
  void lock_and_read(const json::Value& definition);
  void write_line(const std::string& line);

  std::string path_;
  int file_ = -1;
  std::vector<Answer> answers_;
  std::size_t unreadable_ = 0;
  bool unsynced_ = false;
  std::chrono::steady_clock::time_point synced_at_;
};

// The answer of each of `runs` runs; a run that failed gives way to one that did not. InputError naming
// `where` when two answers of one run differ, or a run is none of the sweep's.
std::vector<std::optional<Answer>> by_run(std::vector<Answer> answers, std::size_t runs,
                                          const std::string& where);

}  // namespace gpuplan::sweep
