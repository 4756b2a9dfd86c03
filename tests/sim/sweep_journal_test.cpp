// The journal of a sweep: what it keeps, what it refuses, what a torn one loses.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "sim/sweep/definition.h"
#include "sim/sweep/journal.h"

using namespace gpuplan;
using namespace gpuplan::sweep;

namespace {

namespace fs = std::filesystem;

struct Folder {
  fs::path dir = fs::temp_directory_path() / ("gpuplan-journal-" + std::to_string(getpid()));
  Folder() { fs::create_directories(dir); }
  ~Folder() { fs::remove_all(dir); }
  std::string path(const std::string& name) const { return (dir / name).string(); }
};

SweepSpec spec_with(const std::string& axis) {
  SweepSpec spec;
  spec.name = "test";
  spec.base_dir = ".";
  spec.document = json::parse(R"({"kind": "serving", "name": "t", "traffic": {"rate": 1.5}})", "test");
  spec.axes.push_back(parse_axis(axis));
  return spec;
}

json::Value definition(const std::string& axis = "a=1,2,3") {
  return definition_of(spec_with(axis), Build{"0.1.0", "e", "d"});
}

Answer answer(std::size_t run, double value) {
  Answer out;
  out.run = run;
  out.figures = {{"x.time", json::Value(value), std::array{0.1 * value, 10.0 * value}},
                 {"x.limiter", json::Value("compute"), std::nullopt}};
  return out;
}

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void spill(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string refusal(const std::string& path, const json::Value& of, bool must_exist = false) {
  try {
    const Journal journal(path, of, must_exist);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("answers survive the line of JSON they are written as") {
  Answer one = answer(3, 1.0 / 3.0);
  Answer back = *answer_of(json::parse(json::dump(to_json(one)), "test"));
  CHECK(back.run == 3);
  CHECK(same(one, back));
  CHECK(back.figures[0].interval80 == one.figures[0].interval80);
  CHECK_FALSE(back.figures[1].interval80);
  one.outcome = Outcome::refused;
  one.figures.clear();
  one.problems = {{"a: $.b", "1", "2", "did you mean 3?"}};
  back = *answer_of(json::parse(json::dump(to_json(one)), "test"));
  CHECK(same(one, back));
  CHECK(back.problems[0].suggestion == "did you mean 3?");
  for (const char* text :
       {"{}", "[]", "1", R"({"run": -1, "outcome": "answered"})", R"({"run": 1, "outcome": "answered"})",
        R"({"run": 1, "outcome": "?"})",
        R"({"run": 1, "outcome": "answered", "metrics": {"a": 1}, "uncertainty": {"a": 1}})"}) {
    INFO(text);
    CHECK_FALSE(answer_of(json::parse(text, "test")));
  }
}

TEST_CASE("a journal keeps what was appended, whole lines only") {
  const Folder folder;
  const std::string path = folder.path("j");
  {
    Journal journal(path, definition(), false);
    journal.append(answer(2, 0.25));
    journal.append(answer(0, 0.5));
  }
  const std::string whole = slurp(path);
  // However many bytes of the last line are there, the first answer is, and the journal goes on.
  const std::size_t last = whole.rfind('\n', whole.size() - 2) + 1;
  for (std::size_t cut = last; cut < whole.size(); cut += 7) {
    spill(path, whole.substr(0, cut));
    {
      Journal journal(path, definition(), true);
      REQUIRE(journal.answers().size() == 1);
      CHECK(journal.answers()[0].run == 2);
      CHECK(journal.unreadable() == 0);
      journal.append(answer(0, 0.5));
    }
    CHECK(slurp(path) == whole);
  }
  // The header torn: nothing was done yet.
  const std::size_t header = whole.find('\n') + 1;
  for (const std::size_t cut : {std::size_t{0}, std::size_t{1}, header / 2, header - 1}) {
    spill(path, whole.substr(0, cut));
    Journal journal(path, definition(), false);
    CHECK(journal.answers().empty());
    CHECK(slurp(path) == whole.substr(0, header));
  }
}

TEST_CASE("a broken line in the middle costs its own run only") {
  const Folder folder;
  const std::string path = folder.path("j");
  {
    Journal journal(path, definition(), false);
    for (const std::size_t run : {0U, 1U, 2U}) {
      journal.append(answer(run, 1.0));
    }
  }
  std::string text = slurp(path);
  const std::size_t second = text.find("{\"run\":1");
  text.replace(second, 5, std::string(5, '\0'));
  spill(path, text);
  const Journal journal(path, definition(), true);
  CHECK(journal.unreadable() == 1);
  REQUIRE(journal.answers().size() == 2);
  CHECK(journal.answers()[1].run == 2);
}

TEST_CASE("a journal of another sweep, another program, or no journal is refused and left alone") {
  const Folder folder;
  const std::string path = folder.path("j");
  { const Journal journal(path, definition("a=1,2,3"), false); }
  const std::string before = slurp(path);
  const std::string other = refusal(path, definition("a=1,2,4"));
  CHECK(other.find("the journal of another sweep") != std::string::npos);
  CHECK(other.find("axes[0].values[2]: 3, and here 4") != std::string::npos);
  const std::string program = refusal(path, definition_of(spec_with("a=1,2,3"), Build{"0.1.0", "new", "d"}));
  CHECK(program.find("program.executable: \"e\", and here \"new\"") != std::string::npos);
  CHECK(slurp(path) == before);
  CHECK(refusal(path, definition("a=1,2,3")).empty());

  spill(path, "{\"kind\": \"serving\"}\n");
  CHECK(refusal(path, definition()).find("no journal of a sweep") != std::string::npos);
  spill(path, "x");
  CHECK(refusal(path, definition()).find("no journal of a sweep") != std::string::npos);
  CHECK(slurp(path) == "x");
  CHECK(refusal(folder.path("none"), definition(), true).find("--resume") != std::string::npos);
  CHECK_FALSE(fs::exists(folder.path("none")));
  CHECK_FALSE(refusal(folder.path("no/such/folder"), definition()).empty());
  // A definition that was edited does not match its own fingerprint.
  std::string edited = before;
  edited.replace(edited.find("1.5"), 3, "2.5");
  spill(path, edited);
  CHECK(refusal(path, definition()).find("no journal of a sweep") != std::string::npos);
}

TEST_CASE("two writers of one journal are refused") {
  const Folder folder;
  const Journal first(folder.path("j"), definition(), false);
  CHECK(refusal(folder.path("j"), definition()).find("another sweep is writing") != std::string::npos);
}

TEST_CASE("answers by run: the same one twice is one, a failure gives way, two different ones are refused") {
  Answer failed = answer(1, 0.0);
  failed.outcome = Outcome::failed;
  failed.figures.clear();
  const auto table = by_run({failed, answer(0, 1.0), answer(1, 2.0), answer(0, 1.0), failed}, 3, "test");
  REQUIRE(table.size() == 3);
  CHECK(table[0]->figures[0].value.number() == 1.0);
  CHECK(table[1]->outcome == Outcome::answered);
  CHECK_FALSE(table[2]);
  CHECK_THROWS_AS(by_run({answer(0, 1.0), answer(0, 1.5)}, 3, "test"), InputError);
  CHECK_THROWS_AS(by_run({answer(3, 1.0)}, 3, "test"), InputError);
}

TEST_CASE("a definition holds files that the scenario names, and describes its sweep") {
  const Folder folder;
  spill(folder.path("trace.csv"), "0,1,1\n");
  SweepSpec spec = spec_with("traffic.rate=1.0:2.0:3");
  spec.base_dir = folder.dir.string();
  spec.document["traffic"]["trace"] = json::Value("trace.csv");
  spec.samples = 5;
  spec.repeat = 2;
  const Build build{"0.1.0", "e", "d"};
  const json::Value before = definition_of(spec, build);
  const SweepSpec back = spec_of(before, "test");
  CHECK(back.axes[0].range == spec.axes[0].range);
  CHECK(back.axes[0].values == spec.axes[0].values);
  CHECK(back.samples == spec.samples);
  CHECK(back.repeat == 2);
  CHECK(back.document == spec.document);
  spill(folder.path("trace.csv"), "0,1,2\n");
  const std::vector<std::string> changed = differences(before, definition_of(spec, build));
  REQUIRE(changed.size() == 1);
  CHECK(changed[0].starts_with("files.trace.csv: "));
  CHECK_THROWS_AS(spec_of(json::Value("x"), "test"), InputError);
}

TEST_CASE("fingerprints are FNV-1a of 64 bits") {
  // Test vectors of the authors (isthe.com/chongo/tech/comp/fnv).
  CHECK(fingerprint("") == "cbf29ce484222325");
  CHECK(fingerprint("a") == "af63dc4c8601ec8c");
  CHECK(fingerprint("foobar") == "85944171f73967e8");
}
