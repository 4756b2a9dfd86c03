// Azure LLM inference traces (2023: no zone, 7 digits; 2024: zone "+00:00", 6 digits), and Nanoflow's, which
// has "XXX" for every timestamp: lengths only.
#include <array>

#include "workloads/traffic/trace_format.h"

namespace gpuplan {

namespace {

// Digits of text[at, at + count) as a number; -1 when they are none.
int digits(std::string_view text, std::size_t at, std::size_t count) {
  if (at + count > text.size()) {
    return -1;
  }
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (text[i] < '0' || text[i] > '9') {
      return -1;
    }
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

// Days since 1970-01-01 of a Gregorian date: whole 400-year eras of 146,097 days, years from March on.
std::int64_t days_since_epoch(int year, int month, int day) {
  const int y = month <= 2 ? year - 1 : year;
  const int month_from_march = (month + 9) % 12;
  const int era = y / 400;
  const int year_of_era = y - era * 400;
  const int day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
  const int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return std::int64_t{era} * 146097 + day_of_era - 719468;
}

int days_in_month(int year, int month) {
  constexpr std::array<int, 12> kDays{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return kDays.at(static_cast<std::size_t>(month - 1)) + (month == 2 && leap ? 1 : 0);
}

// Nanoseconds since 1970 of "2023-11-16 18:15:46.6805900", with 1 to 9 digits or no fraction, with "Z",
// "+hh:mm" or no zone (UTC). Years 1970 to 2200, so that 64 bits hold them.
bool parse_timestamp(std::string_view text, std::int64_t& nanoseconds) {
  const int year = digits(text, 0, 4);
  const int month = digits(text, 5, 2);
  const int day = digits(text, 8, 2);
  const int hour = digits(text, 11, 2);
  const int minute = digits(text, 14, 2);
  const int second = digits(text, 17, 2);
  if (year < 1970 || year > 2200 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) ||
      hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 || text[4] != '-' ||
      text[7] != '-' || (text[10] != ' ' && text[10] != 'T') || text[13] != ':' || text[16] != ':') {
    return false;
  }
  std::size_t at = 19;
  std::int64_t fraction = 0;
  if (at < text.size() && text[at] == '.') {
    std::size_t count = 0;
    for (++at; count < 9 && digits(text, at, 1) >= 0; ++at, ++count) {
      fraction = fraction * 10 + digits(text, at, 1);
    }
    if (count == 0) {
      return false;
    }
    for (; count < 9; ++count) {
      fraction *= 10;
    }
  }
  int zone = 0;  // minutes east
  const std::string_view rest = text.substr(at);
  if (rest.size() == 6 && (rest[0] == '+' || rest[0] == '-') && rest[3] == ':') {
    const int hours = digits(rest, 1, 2);
    const int rest_of_hour = digits(rest, 4, 2);
    if (hours < 0 || hours > 14 || rest_of_hour < 0 || rest_of_hour > 59) {
      return false;
    }
    zone = (hours * 60 + rest_of_hour) * (rest[0] == '-' ? -1 : 1);
  } else if (!rest.empty() && rest != "Z") {
    return false;
  }
  const std::int64_t minutes =
      days_since_epoch(year, month, day) * 1440 + std::int64_t{hour} * 60 + minute - zone;
  const std::int64_t seconds = minutes * 60 + second;
  nanoseconds = seconds * 1000000000 + fraction;
  return true;
}

class Azure final : public TraceFormat {
 public:
  Azure(std::size_t columns, std::size_t time, std::size_t prompt, std::size_t output)
      : row_(columns), time_(time), prompt_(prompt), output_(output) {}

  void read(std::string_view line, Request& request) override {
    row_.split(line);
    const bool is_blank = row_[time_] == "XXX";
    if (first_line_) {
      has_arrivals_ = !is_blank;
    } else if (is_blank == has_arrivals_) {
      throw LineError{"timestamp " + quoted(row_[time_]),
                      has_arrivals_ ? "a date and time, as above" : "XXX, as above", ""};
    }
    if (has_arrivals_) {
      std::int64_t time = 0;
      if (!parse_timestamp(row_[time_], time)) {
        throw LineError{"timestamp " + quoted(row_[time_]),
                        "a date and time such as 2023-11-16 18:15:46.6805900", ""};
      }
      origin_ = first_line_ ? time : origin_;
      request.arrival =
          Seconds(static_cast<double>(time - origin_) * 1e-9);  // exact difference, then rounded
    }
    first_line_ = false;
    request.prompt_tokens = parse_tokens(row_[prompt_], "ContextTokens");
    request.output_tokens = parse_tokens(row_[output_], "GeneratedTokens");
  }
  [[nodiscard]] bool has_arrivals() const override { return has_arrivals_; }
  [[nodiscard]] std::string_view name() const override {
    return has_arrivals_ ? "Azure CSV" : "Azure CSV without timestamps";
  }

 private:
  CsvRow row_;
  std::size_t time_;
  std::size_t prompt_;
  std::size_t output_;
  std::int64_t origin_ = 0;
  bool first_line_ = true;
  bool has_arrivals_ = true;
};

}  // namespace

std::unique_ptr<TraceFormat> azure_format(std::span<const std::string_view> header) {
  const std::size_t time = find_column(header, {"TIMESTAMP"});
  const std::size_t prompt = find_column(header, {"ContextTokens"});
  const std::size_t output = find_column(header, {"GeneratedTokens"});
  if (time == kNoColumn || prompt == kNoColumn || output == kNoColumn) {
    return nullptr;
  }
  return std::make_unique<Azure>(header.size(), time, prompt, output);
}

}  // namespace gpuplan
