#include "calibrate/validate/line_reader.h"

#include <zlib.h>

#include <array>

#include "hwmodels/json/problem.h"

namespace gpuplan::calibrate {

namespace {
constexpr std::size_t kLongestLine = std::size_t{64} * 1024;
}

struct LineReader::File {
  gzFile handle = nullptr;  // reads plain files too
  explicit File(const std::string& path) : handle(gzopen(path.c_str(), "rb")) {}
  ~File() {
    if (handle != nullptr) {
      gzclose(handle);
    }
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
};

LineReader::LineReader(const std::string& path, const std::string& content)
    : path_(path), file_(std::make_unique<File>(path)) {
  if (file_->handle == nullptr) {
    throw InputError({path, "no readable file", content, ""});
  }
}

LineReader::~LineReader() = default;
LineReader::LineReader(LineReader&&) noexcept = default;
LineReader& LineReader::operator=(LineReader&&) noexcept = default;

std::string LineReader::where() const { return path_ + ":" + std::to_string(line_); }

bool LineReader::next() {
  text_.clear();
  ++line_;
  std::array<char, 4096> chunk{};
  while (gzgets(file_->handle, chunk.data(), static_cast<int>(chunk.size())) != nullptr) {
    text_ += chunk.data();
    if (!text_.empty() && text_.back() == '\n') {
      text_.pop_back();
      if (!text_.empty() && text_.back() == '\r') {
        text_.pop_back();
      }
      return true;
    }
    if (text_.size() > kLongestLine) {
      throw InputError({where(), "a line longer than 64 KiB", "a row", ""});
    }
  }
  int error = Z_OK;
  const char* message = gzerror(file_->handle, &error);
  if (error != Z_OK && error != Z_STREAM_END) {
    throw InputError(
        {where(), std::string("damaged compressed data (") + message + ")", "a whole gzip file", ""});
  }
  return !text_.empty();
}

}  // namespace gpuplan::calibrate
