#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <ctime>
#include <random>

#include "hwmodels/json/describe.h"
#include "hwmodels/json/problem.h"
#include "hwmodels/json/value.h"

using namespace gpuplan;
using json::Value;

namespace {

std::vector<Problem> problems_of(const std::string& text) {
  try {
    json::parse(text, "test.json");
  } catch (const InputError& error) {
    return error.problems();
  }
  return {};
}

bool refused(const std::string& text) { return !problems_of(text).empty(); }

Value random_value(std::mt19937& random, int depth) {
  const auto pick = random() % (depth > 0 ? 8 : 5);
  switch (pick) {
    case 0:
      return {};
    case 1:
      return random() % 2 == 0;
    case 2:
      return static_cast<std::int64_t>(random()) - (std::int64_t{1} << 31);
    case 3:
      return std::ldexp(static_cast<double>(random()) + 0.1, static_cast<int>(random() % 200) - 100);
    case 4:
      return "text \" \\ \n \t \x01 \u00e9 " + std::to_string(random());
    case 5:
    case 6: {
      json::Array out;
      for (auto n = random() % 4; n > 0; --n) {
        out.push_back(random_value(random, depth - 1));
      }
      return out;
    }
    default: {
      json::Object out;
      for (auto n = random() % 40; n > 0; --n) {
        out.emplace_back("key " + std::to_string(n), random_value(random, depth - 1));
      }
      return out;
    }
  }
}

}  // namespace

TEST_CASE("json: dump and parse are inverse") {
  std::mt19937 random(7);
  for (int i = 0; i < 300; ++i) {
    const Value value = random_value(random, 4);
    CHECK(json::parse(json::dump(value), "dump") == value);
    CHECK(json::parse(json::dump(value, 2), "dump") == value);
  }
}

TEST_CASE("json: objects keep the order of the file") {
  const std::string text = R"({"z":1,"a":{"y":2.5,"b":[true,null,"x"]},"m":-3})";
  CHECK(json::dump(json::parse(text, "t")) == text);
}

TEST_CASE("json: numbers") {
  CHECK(json::parse("9223372036854775807", "t").integer() == std::numeric_limits<std::int64_t>::max());
  CHECK(json::parse("-9223372036854775808", "t").integer() == std::numeric_limits<std::int64_t>::min());
  CHECK_FALSE(json::parse("9223372036854775808", "t").is_integer());  // one above: a double
  CHECK(json::parse("9223372036854775808", "t").number() == 9223372036854775808.0);
  CHECK(json::parse("123456789012345678901234567890", "t").number() == Approx(1.2345678901234568e29));
  CHECK(json::parse("1e-400", "t").number() == 0.0);
  CHECK(json::parse("4.9e-324", "t").number() > 0.0);
  CHECK(refused("1e400"));
  CHECK(refused("-1e999999999"));
  CHECK(refused("[" + std::string(5000, '9') + "]"));
  for (const char* text :
       {"NaN", "nan", "Infinity", "-Infinity", "inf", "0x10", "01", "+1", ".5", "1.", "1e", "--1"}) {
    INFO(text);
    CHECK(refused(text));
  }
  CHECK(json::dump(Value(std::nan(""))) == "null");
  CHECK(json::dump(Value(std::numeric_limits<double>::infinity())) == "null");
  CHECK(json::dump(Value(0.1)) == "0.1");
}

TEST_CASE("json: what is no JSON is refused, with the file's name") {
  for (const char* text :
       {"",          " ",       "{",           "[1,",           "[1,]",         "{\"a\":1,}", "{a:1}",
        "{'a':1}",   "\"open",  "tru",         "{\"a\" 1}",     "[1] [2]",      "{} garbage", "1 2",
        "// no\n{}", "\"\\x\"", "\"\\ud800\"", "\"tab\there\"", "\"\xff\xfe\"", "]",          "}"}) {
    INFO(text);
    const std::vector<Problem> problems = problems_of(text);
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].path == "test.json");
    CHECK(to_string(problems[0]).find('\n') == std::string::npos);
    CHECK(to_string(problems[0]).size() < 400);
  }
}

TEST_CASE("json: a key twice is refused, in small and in large objects") {
  CHECK(problems_of(R"({"a":1,"b":2,"a":3})").at(0).found == "key \"a\" twice");
  CHECK(refused(R"({"x":{"a":1,"a":1}})"));
  CHECK_FALSE(refused(R"({"a":{"a":1},"b":{"a":2}})"));
  std::string large = "{\"first\":0";
  for (int i = 0; i < 100; ++i) {
    large += ",\"k" + std::to_string(i) + "\":{\"nested\":1}";
  }
  CHECK_FALSE(refused(large + "}"));
  CHECK(refused(large + ",\"first\":1}"));
  CHECK(refused(large + ",\"k99\":1}"));
}

TEST_CASE("json: depth is limited") {
  const auto nested = [](std::size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  CHECK_FALSE(refused(nested(200)));
  CHECK(refused(nested(201)));
  CHECK(problems_of(std::string(1000000, '[')).at(0).found == "more than 200 levels of nesting");
  std::string objects;
  for (int i = 0; i < 100000; ++i) {
    objects += "{\"a\":";
  }
  CHECK(refused(objects));
}

TEST_CASE("json: large documents take time in proportion") {
  // Eight times the text may take eight times the processor time, and twice that on a busy machine; what
  // grows with the square takes 64 times.
  const auto proportional = [](auto text_of) {
    const auto seconds = [&](std::size_t size) {
      const std::string text = text_of(size);
      double least = 1e9;
      for (int i = 0; i < 3; ++i) {
        const std::clock_t begin = std::clock();
        (void)refused(text);
        least = std::min(least, static_cast<double>(std::clock() - begin));
      }
      return std::max(least, 1e-3 * CLOCKS_PER_SEC);
    };
    return seconds(2u << 20u) < 30.0 * seconds(256u << 10u);
  };
  CHECK(proportional([](std::size_t size) {
    std::string garbage(size, '\0');
    std::mt19937 random(1);
    for (char& c : garbage) {
      c = static_cast<char>(random());
    }
    return garbage;
  }));
  CHECK(proportional([](std::size_t size) { return "\"" + std::string(size, 'x'); }));
  CHECK(proportional([](std::size_t size) { return std::string(size, '1') + "x"; }));
  // Many keys in one object: a search for each would take 10^10 steps.
  const auto keys_of = [](std::size_t size) {
    std::string keys = "{\"k\":0";
    for (int i = 0; keys.size() < size; ++i) {
      keys += ",\"" + std::to_string(i) + "\":0";
    }
    return keys + "}";
  };
  CHECK(proportional(keys_of));
  const std::string keys = keys_of(1u << 20u);
  CHECK(json::dump(json::parse(keys, "keys")) == keys);
}

TEST_CASE("json: files") {
  CHECK_THROWS_AS(json::read_file("/nonexistent/file.json"), InputError);
  CHECK_THROWS_AS(json::read_file("/tmp"), InputError);
  CHECK_THROWS_AS(json::read_file("/dev/zero", 1u << 20u), InputError);
  CHECK_THROWS_AS(json::parse_file("/dev/null"), InputError);  // empty
}

TEST_CASE("json: merge") {
  const auto merged = [](const char* base, const char* patch) {
    Value out = json::parse(base, "base");
    json::merge(out, json::parse(patch, "patch"));
    return json::dump(out);
  };
  CHECK(merged(R"({"a":1,"b":{"c":2,"d":3}})", R"({"b":{"c":9},"e":5})") ==
        R"({"a":1,"b":{"c":9,"d":3},"e":5})");
  CHECK(merged(R"({"a":1,"b":2})", R"({"a":null})") == R"({"b":2})");
  CHECK(merged(R"({"a":[1,2,3]})", R"({"a":[4]})") == R"({"a":[4]})");
  CHECK(merged(R"({"a":1})", "7") == "7");
  CHECK(merged("7", R"({"a":{"b":null,"c":1}})") == R"({"a":{"c":1}})");  // null removes, wherever it stands
  CHECK(merged(R"({"a":"x"})", R"({"a":{"b":1}})") == R"({"a":{"b":1}})");
}

TEST_CASE("json: value access") {
  Value value;
  value["a"]["b"] = Value(1);
  value["list"].push_back(Value("x"));
  CHECK(json::dump(value) == R"({"a":{"b":1},"list":["x"]})");
  CHECK(value.find("none") == nullptr);
  CHECK(Value(1).find("a") == nullptr);
  CHECK(json::excerpt(Value(std::string(500, 'x'))).size() <= 60);
  CHECK(json::excerpt(value) == "an object");
}

TEST_CASE("problems: one line each, with the nearest valid choice") {
  const Problem problem{"s.json: $.gpu", "\"H10O\"", "a GPU", did_you_mean("H10O", {"H100", "H200", "L4"})};
  CHECK(to_string(problem) == "s.json: $.gpu: found \"H10O\"; expected a GPU; did you mean H100?");
  CHECK(did_you_mean("zebra", {"H100", "L4"}).empty());
  CHECK(nearest("b200_sxm", {"A100", "B200-SXM-180GB", "L4"}).at(0) == "B200-SXM-180GB");
  CHECK(nearest("H10O", {"L4", "H100-SXM5-80GB", "A100-80GB-SXM4"}) ==
        std::vector<std::string>{"H100-SXM5-80GB"});
  CHECK(plain_name("H100 SXM5-80GB") == "h100sxm580gb");
  const InputError two({{"a", "1", "2", ""}, {"b\nc", "3", "4", ""}});
  CHECK(std::string(two.what()) == "a: found 1; expected 2\nb c: found 3; expected 4");
}

// A small spec of every kind of field.
namespace pond {

enum class Colour { red, green, blue };
std::span<const std::string_view> enum_names(Colour /*tag*/) {
  static constexpr std::array<std::string_view, 3> kNames = {"red", "green", "blue"};
  return kNames;
}

struct Fish {
  std::string name;
  double weight = 1.5;
};
template <class V>
void describe(V& v, Fish& f) {
  v.field("name", f.name, "what it is called", json::required);
  v.field("weight", f.weight, "in kilograms", json::positive());
}

struct Pond {
  bool frozen = false;
  int ducks = 2;
  std::int64_t drops = 0;
  unsigned stones = 0;
  double share = 0.5;
  Seconds age{10.0};
  Colour colour = Colour::green;
  std::optional<double> depth;
  std::vector<Fish> fish;
  Fish pet{.name = "Wanda"};
  Value remark;
};
template <class V>
void describe(V& v, Pond& p) {
  v.field("frozen", p.frozen, "whether it is");
  v.field("ducks", p.ducks, "how many", json::Range{.min = 0, .max = 1e12});
  v.field("drops", p.drops, "how many");
  v.field("stones", p.stones, "how many");
  v.field("share", p.share, "of the garden", json::fraction());
  v.field("age", p.age, "since it was dug", json::not_negative());
  v.field("colour", p.colour, "of the water");
  v.field("depth", p.depth, "where it is known", json::positive());
  v.field("fish", p.fish, "who lives there");
  v.field("pet", p.pet, "the favourite");
  v.field("remark", p.remark, "anything");
}

std::pair<Pond, std::vector<Problem>> read(const std::string& text) {
  Pond pond;
  std::vector<Problem> problems;
  json::read(json::parse(text, "pond.json"), "pond.json: $", pond, problems);
  return {pond, problems};
}

// The single problem of a text; its path and what was expected.
Problem problem(const std::string& text) {
  auto [pond, problems] = read(text);
  INFO(text);
  REQUIRE(problems.size() == 1);
  return problems[0];
}

}  // namespace pond

TEST_CASE("describe: absent fields keep their defaults, given ones are read") {
  const auto [pond, problems] = pond::read(
      R"({"frozen":true,"ducks":4,"age":2.5,"colour":"blue","depth":3,"fish":[{"name":"a"},{"name":"b","weight":2}],
          "remark":{"x":[1]},"//":"a comment","$schema":"x"})");
  CHECK(problems.empty());
  CHECK(pond.frozen);
  CHECK(pond.ducks == 4);
  CHECK(pond.age == Seconds(2.5));
  CHECK(pond.colour == pond::Colour::blue);
  CHECK(pond.depth == 3.0);
  REQUIRE(pond.fish.size() == 2);
  CHECK(pond.fish[0].weight == 1.5);
  CHECK(pond.fish[1].weight == 2.0);
  CHECK(pond.share == 0.5);
  CHECK(pond.pet.name == "Wanda");
  CHECK(json::dump(pond.remark) == R"({"x":[1]})");
}

TEST_CASE("describe: each mistake is one problem with its path") {
  CHECK(to_string(pond::problem(R"({"ducks":-3})")) ==
        "pond.json: $.ducks: found -3; expected a whole number >= 0 and <= 1000000000000");
  CHECK(pond::problem(R"({"ducks":2.5})").path == "pond.json: $.ducks");
  CHECK(pond::problem(R"({"ducks":3e9})").path == "pond.json: $.ducks");  // no int can hold it
  CHECK(pond::problem(R"({"drops":1e300})").path == "pond.json: $.drops");
  CHECK(pond::problem(R"({"stones":-1})").path == "pond.json: $.stones");
  CHECK(pond::problem(R"({"share":1.01})").expected == "a number >= 0 and <= 1");
  CHECK(pond::problem(R"({"share":"NaN"})").found == "\"NaN\"");
  CHECK(pond::problem(R"({"share":null})").found == "null");
  CHECK(pond::problem(R"({"age":-0.5})").expected == "a number >= 0");
  CHECK(pond::problem(R"({"depth":0})").expected == "a number > 0");
  CHECK(pond::problem(R"({"frozen":1})").expected == "true or false");
  CHECK(pond::problem(R"({"fish":{}})").expected == "an array");
  CHECK(pond::problem(R"({"fish":[{"name":"a"},{"weight":1}]})").path == "pond.json: $.fish[1].name");
  CHECK(pond::problem(R"({"pet":{"name":7}})").path == "pond.json: $.pet.name");
  CHECK(pond::problem(R"({"colour":"geen"})").suggestion == "did you mean green?");
  CHECK(pond::problem(R"({"colour":"geen"})").expected == "one of red, green, blue");
  CHECK(pond::problem(R"({"colour":2})").found == "2");
  CHECK(pond::problem(R"({"duck":1})").suggestion == "did you mean ducks?");
  CHECK(pond::problem("[]").expected == "an object");
  CHECK(pond::problem("7").path == "pond.json: $");
}

TEST_CASE("describe: a value that is no number leaves the default") {
  const auto [pond, problems] = pond::read(R"({"share":-1,"age":"old","ducks":[],"colour":"pink"})");
  CHECK(problems.size() == 4);  // all are collected
  CHECK(pond.share == 0.5);
  CHECK(pond.age == Seconds(10.0));
  CHECK(pond.ducks == 2);
  CHECK(pond.colour == pond::Colour::green);
}

TEST_CASE("describe: no range lets NaN or infinity in") {
  for (const json::Range range :
       {json::Range{}, json::not_negative(), json::fraction(), json::at_least(-5)}) {
    CHECK_FALSE(json::inside(range, std::nan("")));
    CHECK_FALSE(json::inside(range, std::numeric_limits<double>::infinity()));
    CHECK(json::inside(range, 1.0));
  }
  pond::Pond pond;
  std::vector<Problem> problems;
  json::read(Value(json::Object{{"share", Value(std::nan(""))}}), "built", pond, problems);
  CHECK(problems.size() == 1);
}

TEST_CASE("describe: what is written reads back the same") {
  const auto [pond, problems] =
      pond::read(R"({"ducks":7,"colour":"red","depth":0.25,"fish":[{"name":"a"}]})");
  const Value written = json::write(pond);
  pond::Pond again;
  std::vector<Problem> none;
  json::read(written, "again", again, none);
  CHECK(none.empty());
  CHECK(json::write(again) == written);
  CHECK(written.find("colour")->string() == "red");
  CHECK(written.find("age")->number() == 10.0);
  CHECK(json::write(pond::Pond{}).find("depth") == nullptr);
}

TEST_CASE("describe: the schema has types, bounds, defaults and required fields") {
  const Value schema = json::schema_of<pond::Pond>();
  const auto at = [&](std::string_view field) { return *schema.find("properties")->find(field); };
  CHECK(json::dump(at("share")) ==
        R"({"type":"number","minimum":0.0,"maximum":1.0,"description":"of the garden","default":0.5})");
  CHECK(at("ducks").find("type")->string() == "integer");
  CHECK(at("frozen").find("default")->boolean() == false);
  CHECK(json::dump(*at("colour").find("enum")) == R"(["red","green","blue"])");
  CHECK(json::dump(*at("fish").find("items")->find("required")) == R"(["name"])");
  CHECK(at("depth").find("exclusiveMinimum")->number() == 0.0);
  CHECK(schema.find("additionalProperties")->boolean() == false);
  CHECK(at("//").find("type")->string() == "string");
}
