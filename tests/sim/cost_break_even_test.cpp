// Where owning pays: against rent, an API, another machine; and figures that others have published.
#include <catch2/catch.hpp>
#include <cmath>

#include "hwmodels/json/problem.h"
#include "sim/cost/break_even.h"
#include "sim/cost/cost_report.h"
#include "tests/sim/cost_testing.h"

using namespace gpuplan;
using namespace gpuplan::sim;

namespace {

// A machine of so many GPUs that does so much a second.
CostSubject subject_of(const std::string& cost, int gpus, double output_per_s, double all_per_s,
                       const char* gpu = "H100-SXM5-80GB") {
  CostSubject out;
  out.name = "published";
  out.spec = spec_of(cost);
  const Gpu& found = *library().hardware.gpu(gpu);
  const Node* node = library().hardware.default_node(found.name);
  out.machine = cost_machine(found, node != nullptr ? *node : Node{});
  out.gpus = gpus;
  out.work.units_per_s = all_per_s;
  out.work.output_per_s = output_per_s;
  out.work.busy_watts = out.machine.watts(1.0);
  return out;
}
CostReport report(const CostSubject& subject, const std::vector<ApiPrice>& apis = {}) {
  return report_cost(subject, library().hardware, apis);
}
// USD per million output tokens at a given rent.
double per_million_output(double rent, int gpus, double output_per_s) {
  const CostReport r = report(
      subject_of("{\"usd_per_gpu_hour\": " + std::to_string(rent) + "}", gpus, output_per_s, output_per_s));
  return r.way(Acquisition::on_demand)->per_million_output->p50;
}

}  // namespace

TEST_CASE("Rent or buy: the share of hours, by hand") {
  // F = 1.5, E1 = 0.12, E0 = 0.06, rent 2.66: u = 1.56 / (2.66 - 0.06) = 0.6.
  CHECK(break_even_utilisation({.fixed = 1.5, .capital = 1.0, .working = 0.12, .idle = 0.06}, 2.66) ==
        Approx(0.6));
  CHECK(break_even_utilisation({.fixed = 1.5, .working = 0.12, .idle = 0.06}, 1.0) > 1.0);
  CHECK(std::isinf(break_even_utilisation({.fixed = 1.5, .working = 0.2, .idle = 0.1}, 0.05)));
}

TEST_CASE("Rent or buy: at the break-even both cost the same") {
  const std::string rest = R"({"usd_per_gpu_hour": 3, "usd_per_server": 300000, "utilisation": )";
  const CostReport base = report(subject_of(rest + "0.8}", 8, 1000.0, 1000.0));
  REQUIRE(base.rent_or_buy.size() == 4);
  const RentOrBuy& rent = base.rent_or_buy.front();
  REQUIRE(rent.rent == Acquisition::on_demand);
  REQUIRE(rent.break_even);
  REQUIRE(*rent.break_even < 1.0);
  CHECK(rent.owning_is_cheaper == (*rent.break_even < 0.8));
  const CostReport even =
      report(subject_of(rest + std::to_string(*rent.break_even) + "}", 8, 1000.0, 1000.0));
  CHECK(even.way(Acquisition::owned)->usd_per_hour == Approx(even.way(Acquisition::on_demand)->usd_per_hour));
  // A reserved machine is paid for all hours: no share of them decides.
  CHECK_FALSE(base.rent_or_buy[1].break_even);
  CHECK(rent.break_even_spread->p10 <= *rent.break_even);
  CHECK(rent.break_even_spread->p90 >= *rent.break_even);
}

TEST_CASE("Months until the outlay is back") {
  // 36,525 USD at 2.5 - 0.5 an hour: 18,262.5 hours, 25 months of 730.5.
  CHECK(*payback_months(36525.0, 2.5, 0.5, 0.0) == Approx(25.0));
  CHECK_FALSE(payback_months(36525.0, 0.5, 0.6, 0.0));
  // Rents that fall by 30 % a year, added up month by month.
  const double months = *payback_months(20000.0, 2.5, 0.5, 0.3);
  double saved = 0.0;
  constexpr int kSteps = 1000;
  for (int i = 0; i < static_cast<int>(months) * kSteps; ++i) {
    const double year = (i + 0.5) / kSteps / 12.0;
    saved += (2.5 * std::pow(0.7, year) - 0.5) * 730.5 / kSteps;
  }
  saved += (2.5 * std::pow(0.7, months / 12.0) - 0.5) * 730.5 * (months - std::floor(months));
  CHECK(saved == Approx(20000.0).epsilon(0.01));
  CHECK(months > 20000.0 / 2.0 / 730.5);
  CHECK_FALSE(payback_months(200000.0, 2.5, 0.5, 0.3));  // all that is ever saved: less than 7 years of it
}

TEST_CASE("An API: tokens a day from which the machine is cheaper") {
  // 8 GPUs at 3 USD: 576 a day. 1 USD per million output tokens and 0.5 per million prompt tokens, of which
  // four come with each: 3 USD. 192 million a day; the machine makes 3,000 x 86,400 = 259.2 million.
  const CostSubject subject = subject_of(R"({"usd_per_gpu_hour": 3})", 8, 3000.0, 15000.0);
  const std::vector<ApiPrice> apis = asked_api_prices({}, "0.5/1", "--api-price");
  const CostReport r = report(subject, apis);
  REQUIRE(r.apis.size() == 1);
  CHECK(r.apis[0].api_per_million_output == Approx(3.0));
  CHECK(r.apis[0].ways[0].tokens_per_day == Approx(192e6));
  CHECK(r.apis[0].ways[0].pays);
  CHECK_FALSE(
      report(subject_of(R"({"usd_per_gpu_hour": 3})", 8, 2000.0, 10000.0), apis).apis[0].ways[0].pays);
}

TEST_CASE("API prices: the table, and what is typed") {
  const std::vector<ApiPrice> all = load_api_prices(library().data_dir);
  const auto seventy = api_prices_of(all, "llama-3.1-70b");
  REQUIRE(seventy.size() == 1);
  CHECK(seventy[0].seller == "Together");
  CHECK(seventy[0].output == Approx(0.88));
  // The newest of each seller: V3 in July 2025, not R1 in February; that in spring.
  CHECK(api_prices_of(all, "deepseek-v3").front().output == Approx(1.1));
  CHECK(api_prices_of(all, "deepseek-v3", "2025-03-01").front().output == Approx(2.19));
  CHECK(api_prices_of(all, "llama-3.1-405b").size() == 2);
  CHECK(api_prices_of(all, "nothing").empty());
  CHECK(asked_api_prices(all, "groq", "x").size() == 2);
  for (const char* wrong : {"groc", "1/2/3", "-1/2", "0/0", "a/b", "", "nan/1"}) {
    INFO(wrong);
    CHECK_THROWS_AS(asked_api_prices(all, wrong, "--api-price"), InputError);
  }
}

TEST_CASE("Machines: the rent at which two give as much for the money") {
  const CostSubject a = subject_of("{}", 8, 1000.0, 4000.0), b = subject_of("{}", 4, 900.0, 3000.0);
  // A: 8 x 3 USD for 4,000 tokens/s; B gives 3,000 for 4 rents: 24 x 3 / 4 / 4 = 4.5.
  CHECK(equal_rent(a, 3.0, b) == Approx(4.5));
  CHECK(equal_rent(a, 3.0, a) == Approx(3.0));
}

TEST_CASE("Published: DeepSeek's day of V3 and R1") {
  // deepseek-ai/open-infra-index, 202502OpenSourceWeek, day 6: 226.75 nodes of 8 H800 at 2 USD: 87,072 USD a
  // day; 608 billion prompt and 168 billion output tokens; at R1's prices 562,027 USD, a margin of 545 %.
  const double output = 168e9 / 86400.0, all = (608e9 + 168e9) / 86400.0;
  const CostReport r = report(subject_of(R"({"usd_per_gpu_hour": 2})", 1814, output, all));  // 226.75 x 8
  const WayCost& rent = *r.way(Acquisition::on_demand);
  CHECK(rent.usd_per_hour * 24.0 == Approx(87072.0));
  CHECK(rent.per_million_output->p50 == Approx(87072.0 / 168e3));  // 0.518 USD
  CHECK(rent.per_million->p50 == Approx(87072.0 / 776e3));
  // 342 of the 608 billion were held in a cache: 0.14 USD a million, the others 0.55, output 2.19.
  const ApiPrice r1 = api_prices_of(load_api_prices(library().data_dir), "deepseek-v3", "2025-03-01").front();
  const double revenue = 342e3 * *r1.cached_input + 266e3 * r1.input + 168e3 * r1.output;
  CHECK(revenue == Approx(562027.0).epsilon(0.002));
  CHECK(revenue / (rent.usd_per_hour * 24.0) - 1.0 == Approx(5.45).epsilon(0.01));
}

TEST_CASE("Published: USD per million tokens of others, from their rents and throughputs") {
  // NVIDIA on DeepSeek-R1 (April 2026, from InferenceX): GB300 NVL72 at 2.65 USD and 6,000 tokens/s a GPU:
  // 0.12; HGX H200 at 1.41 USD and 90 tokens/s, rounded to ten: 4.20.
  CHECK(per_million_output(2.65, 1, 6000.0) == Approx(0.12).margin(0.005));
  CHECK(per_million_output(1.41, 1, 95.0) < 4.20);
  CHECK(per_million_output(1.41, 1, 85.0) > 4.20);
  // gpuadvisor.com, May 2026: Llama 3.1 8B on a Lambda H100 of 2.49 USD, 5,500 tokens/s: 0.13; 405B on AWS,
  // eight of them at 33.86 USD together, 1,000 tokens/s: 9.41.
  CHECK(per_million_output(2.49, 1, 5500.0) == Approx(0.13).margin(0.005));
  CHECK(per_million_output(33.86 / 8.0, 8, 1000.0) == Approx(9.41).margin(0.005));
  // LMSYS, 5 May 2025: DeepSeek on 96 H100, 22,300 output tokens/s a node: 0.20. That is 2 USD an hour for
  // the nodes that decode; the text names no rent.
  CHECK(per_million_output(2.0, 8, 22300.0) == Approx(0.20).margin(0.005));
}

TEST_CASE("Published: training runs") {
  const auto run = [](double rent, int gpus, double gpu_hours) {
    CostSubject subject = subject_of("{\"usd_per_gpu_hour\": " + std::to_string(rent) + "}", gpus, 0.0, 1e6);
    subject.work.run_hours = gpu_hours / gpus;
    return report(subject).way(Acquisition::on_demand)->per_run->p50;
  };
  // DeepSeek-V3, arXiv 2412.19437, table 1: 2,664 thousand H800 hours to pre-train, 119 to extend the
  // context, 5 after that: 2,788 thousand, at 2 USD 5.576 million.
  CHECK(run(2.0, 2048, 2664e3 + 119e3 + 5e3) == Approx(5.576e6));
  // MosaicML, January 2023: Stable Diffusion 2 in 79,000 A100 hours for less than 160,000 USD.
  CHECK(run(2.0, 256, 79000.0) < 160e3);
  CHECK(run(2.0, 256, 79000.0) > 150e3);
  // Micro-budget diffusion, arXiv 2407.15811: 2.6 days on 8 H100 at 3.75 USD: 1,890 (2.6 is rounded).
  CHECK(run(3.75, 8, 2.65 * 24.0 * 8.0) > 1890.0);
  CHECK(run(3.75, 8, 2.55 * 24.0 * 8.0) < 1890.0);
}

TEST_CASE("Published: what H100 clusters cost to buy and to keep") {
  // 47,000-52,000 USD an H100 with its InfiniBand fabric (tech-talk-cto's sheet, August 2024; catalogue).
  const CostReport then =
      report(subject_of(R"({"acquisition": "owned", "date": "2024-12-31"})", 1024, 1e3, 1e3));
  const double low = library().hardware.tco("cluster_capex_usd_per_h100.low")->value;
  const double high = library().hardware.tco("cluster_capex_usd_per_h100.high")->value;
  CHECK(then.capex / 1024.0 > low);
  CHECK(then.capex / 1024.0 < high);
  // Server 39,625 (thinkmate, 22 August 2024; a board of 31 July at 36,017.75 x 1.135 = 40,880 is the other
  // of two), network 1.23, storage 0.03, spares 1.02.
  CHECK(then.capex / 1024.0 == Approx(39625.0 * 1.26 * 1.02));
  // Three years of an 8-GPU node bought for 300,000-350,000 USD: 450,000-650,000 in all, hosting at 150-250
  // USD a kW and month, nothing taken off for the used machine (v2-pseo-ai's table of GPU TCO).
  const CostReport node = report(subject_of(R"({"acquisition": "owned", "usd_per_server": 325000, "years": 3,
      "price_erosion": 1, "utilisation": 1})",
                                            8, 1e3, 1e3));
  CHECK(node.life_usd > 450e3);
  CHECK(node.life_usd < 650e3);
}
