// gpuplan cost, and the price table, as a user runs them.
#include "tests/ui/cli_testing.h"

namespace {

const std::string kBuy = "scenarios/cost/rent-or-buy-70b-8xh100.json ";

Value answer_json(const std::string& arguments) {
  const Answer answer = gpuplan_command(arguments);
  INFO(answer.err);
  REQUIRE(answer.code == 0);
  return gpuplan::json::parse(answer.out, "out");
}

}  // namespace

TEST_CASE("cli: cost sets the ways side by side, in 80 columns", "[cli]") {
  const Answer answer = gpuplan_command("cost " + kBuy);
  REQUIRE(answer.code == 0);
  for (const char* text :
       {"on demand", "reserved 1y", "spot", "owned", "USD/M output", "capital", "hosting", "rent or buy",
        "owning pays above", "Together", "what moves the cost of work, owned"}) {
    INFO(text);
    CHECK(answer.out.find(text) != std::string::npos);
  }
  CHECK(answer.out.find('~') == std::string::npos);  // nothing cut
  CHECK(widest_line(answer.out).first <= 80);
  const Answer sources = gpuplan_command("cost " + kBuy + "--sources");
  CHECK(sources.out.find("price erosion: 0.3306 (0.2953 .. 0.37), assumed") != std::string::npos);
}

TEST_CASE("cli: cost as JSON agrees with the run's metrics", "[cli]") {
  const Value cost = answer_json("cost --json " + kBuy), run = answer_json("run --json --quiet " + kBuy);
  const Value& owned = cost.find("ways")->array()[4];
  REQUIRE(owned.find("acquisition")->string() == "owned");
  const Value& metrics = *run.find("metrics");
  CHECK(owned.find("usd_per_hour")->number() == Approx(metrics.find("cost.usd_per_hour")->number()));
  CHECK(owned.find("usd_per_million_output_tokens")->array()[1].number() ==
        Approx(metrics.find("cost.usd_per_million_output_tokens")->number()));
  CHECK(run.find("uncertainty")->find("cost.usd_per_hour") != nullptr);
  // In explain too, with where the number comes from.
  const Answer why = gpuplan_command("explain " + kBuy + "cost.usd_per_hour");
  CHECK(why.code == 0);
  CHECK(why.out.find("owned: USD") != std::string::npos);
}

TEST_CASE("cli: cost of training, of a run and by the formula", "[cli]") {
  const Answer text = gpuplan_command("cost --estimate scenarios/cost/rent-or-buy-13b-training.json");
  REQUIRE(text.code == 0);
  CHECK(text.out.find("USD/run") != std::string::npos);
  CHECK(widest_line(text.out).first <= 80);
  const Value cost = answer_json("cost --json --estimate scenarios/cost/rent-or-buy-13b-training.json");
  const Value& rent = cost.find("ways")->array()[0];
  CHECK(rent.find("usd_to_train")->array()[1].number() ==
        Approx(rent.find("usd_per_hour")->number() * cost.find("work")->find("run_hours")->number()));
}

TEST_CASE("cli: several machines side by side", "[cli]") {
  const std::string both =
      "scenarios/cost/memory-70b-h100-80gb.json scenarios/cost/memory-70b-h200-141gb.json";
  const Answer text = gpuplan_command("cost " + both);
  REQUIRE(text.code == 0);
  CHECK(text.out.find("side by side") != std::string::npos);
  CHECK(text.out.find("gives as much for the money") != std::string::npos);
  CHECK(widest_line(text.out).first <= 80);
  CHECK(answer_json("cost --json " + both).find("scenarios")->array().size() == 2);
}

TEST_CASE("cli: cost takes an API's price, and names what it cannot read", "[cli]") {
  const Value typed = answer_json("cost --json --api-price 0.5/1.5 --api-price groq " + kBuy);
  REQUIRE(typed.find("apis")->array().size() == 3);
  CHECK(typed.find("apis")->array()[0].find("usd_per_million_output")->number() == 1.5);
  const auto refused = [](const std::string& arguments, int code, const std::string& text) {
    const Answer answer = gpuplan_command(arguments);
    INFO(arguments << "\n" << answer.err << answer.out);
    CHECK(answer.code == code);
    CHECK((answer.err + answer.out).find(text) != std::string::npos);
  };
  refused("cost --api-price groc " + kBuy, 3, "did you mean Groq");
  refused("cost", 2, "scenario file");
  refused("cost " + kBuy + "--jsn", 2, "--json");
  refused("cost scenarios/kernel/fp8-vs-bf16.json", 3, "serving or training");
  refused("cost scenarios/training/fsdp-or-tensor-7b-64xh100.json", 3, "one scenario");
  refused("cost " + kBuy + "--set cost.date=2025-02-30", 3, "$.cost.date: found \"2025-02-30\"");
  refused("cost " + kBuy + "--set cost.acquisition=on-demand", 3, "did you mean on_demand");
  refused("cost " + kBuy + "--set cost.utilisation=0", 3, "$.cost.utilisation: found 0");
  refused("cost " + kBuy + "--set cost.usd_per_gpo=1", 3, "did you mean usd_per_gpu");
  refused("cost " + kBuy + "--set 'cost.vendor=Lamda Labs'", 3, "did you mean Lambda Labs");
  refused("cost " + kBuy +
              "--set machine.gpu=H200-SXM-141GB --set parallelism.tensor_parallel=1 "
              "--set precision.weights=bf16",
          4, "short");
  refused("run " + kBuy + "--set machine.gpu=MI325X --set precision.weights=bf16 --set precision.kv=bf16", 3,
          "$.cost.usd_per_gpu: found nothing");
}

TEST_CASE("cli: prices of a day and of a seller", "[cli]") {
  const Answer text = gpuplan_command("catalog prices");
  REQUIRE(text.code == 0);
  CHECK(text.out.find("% a year") != std::string::npos);
  CHECK(widest_line(text.out).first <= 80);
  const Value rows = answer_json("catalog prices H100 --json --date 2024-12-31 --vendor lambda");
  CHECK(rows.array().size() == 5);  // June 2023; January, July, September and November 2024
  for (const Value& row : rows.array()) {
    CHECK(row.find("date")->string() <= "2024-12-31");
    CHECK(row.find("vendor")->string() == "Lambda Labs");
    CHECK(row.find("gpu")->string() == "H100-SXM5-80GB");
  }
  // What a purchase buys, and a GPU that only sellers know.
  const Value b200 = answer_json("catalog prices B200 --json");
  CHECK(b200.array()[0].find("purchase_covers")->string() == "server");
  CHECK(gpuplan_command("catalog prices 'NVIDIA A10G'").code == 0);
  CHECK(gpuplan_command("catalog prices --date tomorrow").code == 3);
  CHECK(gpuplan_command("catalog gpus --date 2024-12-31").code == 2);
  CHECK(gpuplan_command("catalog prices H10O").code == 3);
}
