// Trace readers: every format, the published traces where they are at hand, and every way to be malformed.
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "hwmodels/json/problem.h"
#include "workloads/traffic/trace.h"

using namespace gpuplan;

namespace {

std::vector<Request> read_all(TraceReader& reader) {
  std::vector<Request> out;
  Request request;
  while (reader.next(request)) {
    out.push_back(request);
  }
  CHECK_FALSE(reader.next(request));  // and stays at the end
  return out;
}

std::unique_ptr<TraceReader> open_text(const std::string& text) {
  return open_trace(std::make_unique<std::istringstream>(text), "file.csv");
}
std::vector<Request> read_text(const std::string& text) { return read_all(*open_text(text)); }

// The one problem of a text that cannot be read.
Problem problem_of(const std::string& text) {
  try {
    read_text(text);
  } catch (const InputError& error) {
    REQUIRE(error.problems().size() == 1);
    return error.problems().front();
  }
  FAIL("no problem found in " << text.substr(0, 200));
  return {};
}

const std::string kAzure = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
const std::string kPlain = "arrived_at,num_prefill_tokens,num_decode_tokens\n";

}  // namespace

TEST_CASE("Azure CSV") {
  SECTION("differences of times are exact to 100 ns") {
    const auto requests = read_text(kAzure +
                                    "2023-11-16 18:15:46.6805900,374,44\n"
                                    "2023-11-16 18:15:50.9951690,396,109\n"
                                    "2023-11-16 18:15:50.9951690,7,8\n");
    REQUIRE(requests.size() == 3);
    CHECK(requests[0].arrival == Seconds(0));
    CHECK(requests[0].prompt_tokens == 374);
    CHECK(requests[0].output_tokens == 44);
    CHECK(requests[1].arrival.si() == Approx(4.314579).epsilon(1e-15));  // 50.9951690 - 46.6805900
    CHECK(requests[2].arrival == requests[1].arrival);
  }
  SECTION("over midnight, month, leap day and with zones") {
    const auto requests = read_text(kAzure +
                                    "2024-02-28 23:59:59.5,1,1\n"
                                    "2024-02-29 00:00:00.000000+00:00,1,1\n"
                                    "2024-03-01 00:00:00Z,1,1\n"
                                    "2024-03-01T02:00:01+02:00,1,1\n");
    REQUIRE(requests.size() == 4);
    CHECK(requests[1].arrival.si() == 0.5);
    CHECK(requests[2].arrival.si() == 86400.5);
    CHECK(requests[3].arrival.si() == 86401.5);
  }
  SECTION("XXX for timestamps: lengths only") {
    const auto reader = open_text(kAzure + "XXX,42,285\nXXX,19,82\n");
    CHECK_FALSE(reader->has_arrivals());
    const auto requests = read_all(*reader);
    REQUIRE(requests.size() == 2);
    CHECK(requests[1].prompt_tokens == 19);
    CHECK(problem_of(kAzure + "XXX,42,285\n2023-11-16 18:15:46.68,19,82\n").path == "file.csv:3");
    CHECK(problem_of(kAzure + "2023-11-16 18:15:46.68,19,82\nXXX,42,285\n").path == "file.csv:3");
  }
}

TEST_CASE("plain CSV under its usual names") {
  for (const std::string header :
       {"arrived_at,num_prefill_tokens,num_decode_tokens", "arrival_s,prompt_tokens,output_tokens",
        "Arrival Time,Input Tokens,Output Tokens", "timestamp,input_length,output_length",
        "arrival_timestamp,prompt_size,token_size"}) {
    INFO(header);
    const auto reader = open_text(header + "\n10.5,100,20\n12,5.0,7\n");
    CHECK(reader->has_arrivals());
    CHECK(reader->format() == "CSV");
    const auto requests = read_all(*reader);
    REQUIRE(requests.size() == 2);
    CHECK(requests[0].arrival.si() == 0);
    CHECK(requests[1].arrival.si() == 1.5);
    CHECK(requests[1].prompt_tokens == 5);
    CHECK(requests[1].output_tokens == 7);
  }
  SECTION("lengths only, other columns and order") {
    const auto reader =
        open_text("num_decode_tokens,num_total_tokens,num_prefill_tokens,pd_ratio\n3,10,7,2.3\n");
    CHECK_FALSE(reader->has_arrivals());
    const auto requests = read_all(*reader);
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].prompt_tokens == 7);
    CHECK(requests[0].output_tokens == 3);
  }
  SECTION("priority and session") {
    const auto requests = read_text("arrival,prompt_tokens,output_tokens,priority,session_id\n0,1,2,3,4\n");
    REQUIRE(requests.size() == 1);
    CHECK(requests[0].priority == 3);
    CHECK(requests[0].session == 4);
  }
}

TEST_CASE("BurstGPT CSV skips failed requests and counts them") {
  const auto reader = open_text(
      "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
      "5,ChatGPT,472,18,490,Conversation log\n"
      "45,ChatGPT,1087,0,1087,Conversation log\n"
      "118,GPT-4,417,276,693,\"API, log\"\n");
  CHECK(reader->format() == "BurstGPT CSV");
  const auto requests = read_all(*reader);
  REQUIRE(requests.size() == 2);
  CHECK(requests[1].arrival.si() == 113);
  CHECK(requests[1].output_tokens == 276);
  CHECK(reader->skipped() == 1);
  const auto sessions = read_text(
      "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
      "5,12,0.1,ChatGPT,472,18,490,Conversation log\n6,,0.1,ChatGPT,472,18,490,API log\n");
  REQUIRE(sessions.size() == 2);
  CHECK(sessions[0].session == 12);
  CHECK(sessions[1].session == 0);
}

TEST_CASE("Mooncake and Qwen JSON lines") {
  const auto reader = open_text(
      "{\"timestamp\": 1000, \"input_length\": 600, \"output_length\": 5, \"hash_ids\": [0, 1]}\n"
      "\n"
      "{\"timestamp\": 4500, \"input_length\": 1025, \"output_length\": 6, \"hash_ids\": [0, 2, 3]}\n");
  CHECK(reader->format() == "Mooncake JSON lines");
  CHECK(reader->block_tokens() == 512);
  Request request;
  REQUIRE(reader->next(request));
  CHECK(request.prompt_tokens == 600);
  CHECK(std::vector<std::uint64_t>(reader->prefix_blocks().begin(), reader->prefix_blocks().end()) ==
        std::vector<std::uint64_t>{0, 1});
  REQUIRE(reader->next(request));
  CHECK(request.arrival.si() == 3.5);
  CHECK(reader->prefix_blocks().size() == 3);
  CHECK_FALSE(reader->next(request));

  const auto qwen = open_text(
      "{\"chat_id\": 1, \"parent_chat_id\": -1, \"timestamp\": 2.5, \"input_length\": 20, \"output_length\": "
      "5, "
      "\"type\": \"text\", \"turn\": 1, \"hash_ids\": [7, 8]}\n"
      "{\"chat_id\": 2, \"parent_chat_id\": 1, \"timestamp\": 4, \"input_length\": 20, \"output_length\": "
      "5}");
  CHECK(qwen->block_tokens() == 16);
  const auto requests = read_all(*qwen);
  REQUIRE(requests.size() == 2);
  CHECK(requests[1].arrival.si() == 1.5);
}

TEST_CASE("line ends, byte order mark, blank lines, quotes") {
  const std::string bom = "\xEF\xBB\xBF";
  for (const std::string& text :
       {bom + kPlain + "0,1,2\n3,4,5\n",
        std::string("arrived_at,num_prefill_tokens,num_decode_tokens\r\n0,1,2\r\n3,4,5"),
        "\n\n" + kPlain + "\r\n  \n0,1,2\n\n3,4,5\n\n",
        std::string("\"arrived_at\",\"num_prefill_tokens\",\"num_decode_tokens\",\"a \"\"note\"\", quoted\"\n"
                    "0,\"1\",2,\"x,y\"\n\"3\",4,\"5\",\"\"\n"),
        kPlain + " 0 , 1 ,2\n3,4\t, 5\n"}) {
    INFO(text);
    const auto requests = read_text(text);
    REQUIRE(requests.size() == 2);
    CHECK(requests[1].arrival.si() == 3);
    CHECK(requests[1].prompt_tokens == 4);
    CHECK(requests[1].output_tokens == 5);
  }
}

TEST_CASE("what cannot be read is named by line") {
  SECTION("nothing to read") {
    CHECK(problem_of("").found == "an empty file");
    CHECK(problem_of("\n\n  \r\n").found == "an empty file");
    CHECK(problem_of(kAzure).found == "no requests");
    CHECK(problem_of(kPlain + "\n\n").found == "no requests");
    CHECK(problem_of(kPlain + "0,0,5\n1,5,0\n").found == "only requests of no prompt or output tokens");
    CHECK(problem_of("").path == "file.csv");
  }
  SECTION("unknown content") {
    for (const std::string text :
         {"hello\n", "a,b,c\n1,2,3\n", "{\"timestamp\": 1}\n", "1,2,3\n4,5,6\n", "prompt_tokens\n5\n"}) {
      CHECK(problem_of(text).path == "file.csv:1");
      CHECK(problem_of(text).expected.find("header") != std::string::npos);
    }
    CHECK(problem_of(std::string("\0\1\2\3", 4)).path == "file.csv:1");
  }
  SECTION("numbers") {
    CHECK(problem_of(kPlain + "0,1,2\n1,-5,2\n").path == "file.csv:3");
    CHECK(problem_of(kPlain + "0,1,2\n1,-5,2\n").found == "prompt tokens \"-5\"");
    for (const char* bad :
         {"-5", "x", "", "1.5", "99999999999", "1e30", "nan", "inf", "0x10", "5 6", "1e-3"}) {
      INFO(bad);
      CHECK(problem_of(kPlain + "0,1," + bad + "\n").path == "file.csv:2");
    }
    for (const char* bad : {"x", "", "nan", "inf", "1e400", "1e16", "12:30"}) {
      INFO(bad);
      CHECK(problem_of(kPlain + bad + ",1,1\n").path == "file.csv:2");
    }
  }
  SECTION("times") {
    for (const char* bad : {"2023-11-16", "2023-11-16 18:15", "2023-13-16 18:15:46", "2023-02-29 18:15:46",
                            "2023-11-16 25:15:46", "2023-11-16 18:15:46.", "2023-11-16 18:15:46.1234567890",
                            "2023-11-16 18:15:46 UTC", "16/11/2023 18:15:46", "1700158546", "xxx",
                            "9999-11-16 18:15:46", "2023-11-16 18:15:46+99:00"}) {
      INFO(bad);
      CHECK(problem_of(kAzure + bad + ",1,1\n").path == "file.csv:2");
    }
    const Problem falling = problem_of(kPlain + "0,1,1\n5,1,1\n4.5,1,1\n");
    CHECK(falling.path == "file.csv:4");
    CHECK(falling.suggestion == "sort the trace by arrival");
    CHECK(problem_of(kAzure + "2023-11-16 18:15:47,1,1\n2023-11-16 18:15:46,1,1\n").path == "file.csv:3");
  }
  SECTION("a last line that breaks off") {
    const std::string start = kAzure + "2023-11-16 18:15:46.6805900,374,44\n";
    for (const char* bad : {"2023-11-16 18:15:50.99", "2023-11-16 18:15:50.9951690,396",
                            "2023-11-16 18:15:50.9951690,396,", "2023-11-"}) {
      INFO(bad);
      CHECK(problem_of(start + bad).path == "file.csv:3");
    }
    CHECK(
        problem_of("{\"timestamp\": 1, \"input_length\": 6, \"output_length\": 5}\n{\"timestamp\": 2, \"inp")
            .path == "file.csv:2");
  }
  SECTION("fields") {
    CHECK(problem_of(kPlain + "0,1\n").found == "2 fields in \"0,1\"");
    CHECK(problem_of(kPlain + "0,1,2,3\n").expected == "3 fields, as in the header");
    CHECK(problem_of(kPlain + "0,1,\"2\n").path == "file.csv:2");
  }
  SECTION("JSON") {
    const std::string good = "{\"timestamp\": 1, \"input_length\": 6, \"output_length\": 5}\n";
    for (const char* bad :
         {"[1, 2]", "3", "null", "{}", "{\"timestamp\": 1, \"input_length\": 6}",
          "{\"timestamp\": \"1\", \"input_length\": 6, \"output_length\": 5}",
          "{\"timestamp\": 2, \"input_length\": -6, \"output_length\": 5}",
          "{\"timestamp\": 2, \"input_length\": 1e300, \"output_length\": 5}",
          "{\"timestamp\": 2, \"input_length\": 6.5, \"output_length\": 5}",
          "{\"timestamp\": 1e300, \"input_length\": 6, \"output_length\": 5}",
          "{\"timestamp\": 2, \"input_length\": 6, \"output_length\": 5, \"hash_ids\": 5}",
          "{\"timestamp\": 2, \"input_length\": 6, \"output_length\": 5, \"hash_ids\": [\"a\"]}"}) {
      INFO(bad);
      CHECK(problem_of(good + bad + "\n").path == "file.csv:2");
    }
    CHECK(problem_of("{ nonsense\n").path == "file.csv:1");
  }
  SECTION("a line without end") {
    CHECK(problem_of(std::string(10'000'000, 'x')).found == "a line of more than 4 MiB");
    CHECK(problem_of(kPlain + "0,1,1\n" + std::string(10'000'000, '1')).path == "file.csv:3");
  }
  SECTION("files") {
    CHECK_THROWS_AS(open_trace("/no/such/trace.csv"), InputError);
    CHECK_THROWS_WITH(open_trace(std::filesystem::temp_directory_path().string()),
                      Catch::Contains("a directory"));
  }
}

TEST_CASE("the published traces") {
  const std::string dir = GPUPLAN_SOURCE_DIR "/../shared/data/traces";
  if (!std::filesystem::exists(dir)) {
    WARN("skipped: no traces in " << dir);
    return;
  }
  struct Totals {
    std::size_t count = 0;
    double prompt = 0;
    double output = 0;
    double duration = 0;
    double milliseconds = 0;
  };
  const auto read = [&](const std::string& file) {
    const auto begin = std::chrono::steady_clock::now();
    const auto reader = open_trace(dir + "/" + file);
    Totals totals;
    Request request;
    while (reader->next(request)) {
      ++totals.count;
      totals.prompt += request.prompt_tokens;
      totals.output += request.output_tokens;
      totals.duration = request.arrival.si();
      if (!reader->prefix_blocks().empty()) {  // ceil(input_length / 512) of them, as the format says
        REQUIRE(reader->prefix_blocks().size() ==
                static_cast<std::size_t>((request.prompt_tokens + 511) / 512));
      }
    }
    CHECK(reader->skipped() == 0);
    totals.milliseconds =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    totals.prompt /= static_cast<double>(totals.count);
    totals.output /= static_cast<double>(totals.count);
    UNSCOPED_INFO(file << ": " << totals.count << " requests, mean " << totals.prompt << " in, "
                       << totals.output << " out, " << totals.duration << " s, read in "
                       << totals.milliseconds << " ms");
    return totals;
  };
  const Totals conv = read("AzureLLMInferenceTrace_conv.csv");
  CHECK(conv.count == 19366);
  CHECK(conv.prompt == Approx(1155).margin(0.5));
  CHECK(conv.output == Approx(211).margin(0.5));
  CHECK(conv.duration == Approx(3500).epsilon(0.01));
  CHECK(read("AzureLLMInferenceTrace_code.csv").count == 8819);
  CHECK(read("mooncake_conversation_trace.jsonl").count == 12031);
  CHECK(read("sharegpt_llama3.1-8b_300_lengths.csv").count == 300);
  CHECK_FALSE(open_trace(dir + "/nanoflow_sharegpt.csv")->has_arrivals());
  CHECK(read("nanoflow_sharegpt.csv").duration == 0);
}
