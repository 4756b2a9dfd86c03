// gpuplan sweep and merge as a user runs them: one table however it is made, whatever dies on the way.
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>

#include <chrono>
#include <random>
#include <thread>

#include "tests/ui/cli_testing.h"

namespace {

// 16 points of 40 requests each, two seeds: 32 runs.
const std::string kSmall =
    "sweep " + kScenario +
    " --set traffic.requests=40 --set traffic.warmup_requests=0 --set slo={} "
    "--vary traffic.arrivals.rate=5:20:4 --vary engine.max_num_seqs=1,2,8,64 --repeat 2 ";
constexpr std::size_t kRuns = 32;

std::string in_sandbox(const std::string& name) { return (sandbox().dir / name).string(); }

// The same sweep into a journal and a table of its own.
Answer sweep(const std::string& name, const std::string& more = "") {
  return gpuplan_command(kSmall + "--journal " + in_sandbox(name + ".journal") + " --csv " +
                         in_sandbox(name + ".csv") + " " + more);
}
std::string csv(const std::string& name) { return slurp(in_sandbox(name + ".csv")); }

struct Table {
  std::string text, csv;
};
// Made without anything going wrong.
const Table& table() {
  static const Table made = [] {
    const Answer answer = sweep("plain", "--jobs 1");
    REQUIRE(answer.code == 0);
    return Table{answer.out, csv("plain")};
  }();
  return made;
}

struct Environment {
  std::string name;
  Environment(const std::string& variable, const std::string& value) : name(variable) {
    setenv(variable.c_str(), value.c_str(), 1);
  }
  ~Environment() { unsetenv(name.c_str()); }
};

std::size_t lines_of(const std::string& path) {
  const std::string text = slurp(path);
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

// Starts the small sweep in a process group of its own.
pid_t start(const std::string& journal) {
  const pid_t process = fork();
  if (process == 0) {
    setpgid(0, 0);
    const std::string command = "cd '" GPUPLAN_SOURCE_DIR "' && exec '" GPUPLAN_COMMAND "' " + kSmall +
                                "--quiet --jobs 2 --journal '" + journal + "' > /dev/null 2>&1";
    execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  setpgid(process, process);
  return process;
}

// Waits for that many lines of the journal; false where the process ended before.
bool alive_until(pid_t process, const std::string& journal, std::size_t lines) {
  while (lines_of(journal) < lines) {
    if (waitpid(process, nullptr, WNOHANG) != 0) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace

TEST_CASE("sweep: a row a run, best points and the Pareto set") {
  const std::string& text = table().text;
  CHECK(widest_line(text).first <= 80);
  CHECK(text.find("16 points over traffic.arrivals.rate, engine.max_num_seqs, 2 seeds") != std::string::npos);
  CHECK(text.find("lowest serving.ttft.mean: ") != std::string::npos);
  CHECK(text.find("Pareto set") != std::string::npos);
  CHECK(std::count(table().csv.begin(), table().csv.end(), '\n') == kRuns + 1);
  // The row of a run is what gpuplan run says of that scenario: point 6 is rate 10 and 8 sequences.
  const Answer one = gpuplan_command(
      "run " + kScenario +
      " --set traffic.requests=40 --set traffic.warmup_requests=0 --set slo={} --json --quiet "
      "--set traffic.arrivals.rate=10 --set engine.max_num_seqs=8 --seed 2");
  const Value ttft = *gpuplan::json::parse(one.out, "out").find("metrics")->find("serving.ttft.mean");
  CHECK(table().csv.find("\n6,2,10,8,answered,," + gpuplan::json::dump(ttft) + ",") != std::string::npos);
}

TEST_CASE("sweep: the same table from 2 and 4 processes, again from the journal, and as JSON") {
  for (const char* jobs : {"2", "4"}) {
    const Answer answer = sweep(std::string("jobs") + jobs, std::string("--jobs ") + jobs);
    CHECK(answer.code == 0);
    CHECK(answer.out == table().text);
    CHECK(csv(std::string("jobs") + jobs) == table().csv);
  }
  const Answer again = sweep("jobs2", "--resume");
  CHECK(again.out == table().text);
  CHECK(again.err.find("32 of 32 runs are in ") != std::string::npos);
  const Value out = gpuplan::json::parse(sweep("jobs2", "--json").out, "out");
  CHECK(out.find("rows")->array().size() == kRuns);
  CHECK(out.find("points")->array().size() == 16);
  CHECK(out.find("best")->find("serving.ttft.mean")->find("goal")->string() == "min");
  CHECK(out.find("pareto")->find("points")->array().size() >= 1);
  const Value& row = out.find("rows")->array()[7];  // point 3, seed 2
  CHECK(row.find("point")->integer() == 3);
  CHECK(row.find("seed")->integer() == 2);
  CHECK(row.find("set")->find("engine.max_num_seqs")->integer() == 64);
  CHECK(row.find("uncertainty")->find("serving.ttft.mean")->array().size() == 2);
}

TEST_CASE("sweep: shards and merge give the table of one run; what is missing is named") {
  std::string journals;
  for (const char* shard : {"1", "2", "3"}) {
    const Answer answer = sweep(std::string("shard") + shard, std::string("--shard ") + shard + "/3");
    CHECK(answer.code == 0);
    CHECK(answer.out.empty());
    journals += in_sandbox(std::string("shard") + shard + ".journal") + " ";
  }
  const Answer merged = gpuplan_command("merge " + journals + "--csv " + in_sandbox("merged.csv"));
  CHECK(merged.code == 0);
  CHECK(merged.out == table().text);
  CHECK(csv("merged") == table().csv);

  const Answer part =
      gpuplan_command("merge " + in_sandbox("shard1.journal") + " " + in_sandbox("shard3.journal"));
  CHECK(part.code == 1);
  // Runs 1, 4, 7, ... 31 are those of shard 2 of 3.
  CHECK(part.err.find("11 of 32 runs are missing: 1, 4, 7, 10") != std::string::npos);

  table();
  const Answer other =
      gpuplan_command("sweep " + kScenario +
                      " --set traffic.requests=20 --set "
                      "traffic.warmup_requests=0 --vary traffic.arrivals.rate=5,6 --journal " +
                      in_sandbox("other.journal"));
  REQUIRE(other.code == 0);
  const Answer mixed =
      gpuplan_command("merge " + in_sandbox("plain.journal") + " " + in_sandbox("other.journal"));
  CHECK(mixed.code == 3);
  CHECK(mixed.err.find("document.traffic.requests: 20, and here 40") != std::string::npos);
}

TEST_CASE("sweep: killed at any moment and in the middle of a line, it goes on to the same table") {
  std::mt19937 random(3);
  const std::string journal = in_sandbox("killed.journal");
  int unfinished = 0;
  for (std::size_t wanted : {1U, 4U, 9U, 15U, 20U, 26U}) {
    const pid_t group = start(journal);
    // Until that many lines are there, and a little longer.
    if (alive_until(group, journal, wanted)) {
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 3000));
      kill(wanted % 2 == 0 ? -group : group, SIGKILL);  // the sweep and its workers, or the sweep alone
      waitpid(group, nullptr, 0);
    }
    const std::string text = slurp(journal);
    unfinished += lines_of(journal) < kRuns + 1 ? 1 : 0;
    // As a machine that loses power leaves it: the last line torn.
    const std::size_t last = text.rfind('\n', text.size() - 2) + 1;
    fs::resize_file(journal, last + random() % (text.size() - last));
  }
  CHECK(unfinished >= 3);
  const Answer answer = sweep("killed", "--jobs 2");
  CHECK(answer.code == 0);
  CHECK(answer.out == table().text);
  CHECK(csv("killed") == table().csv);
}

TEST_CASE("sweep: stopped by a signal it says how to go on") {
  const std::string journal = in_sandbox("stopped.journal");
  const pid_t process = start(journal);
  REQUIRE(alive_until(process, journal, 3));
  kill(process, SIGINT);
  int status = 0;
  waitpid(process, &status, 0);
  REQUIRE(WIFEXITED(status));
  // 128 + SIGINT, or it was done before.
  CHECK((WEXITSTATUS(status) == 130 || WEXITSTATUS(status) == 0));
  const Answer answer = sweep("stopped");
  CHECK(answer.out == table().text);
  CHECK(csv("stopped") == table().csv);
}

TEST_CASE("sweep: a worker that dies is replaced and its run done again; twice is a row with the reason") {
  {
    const Environment die("GPUPLAN_SWEEP_DIE", "0@1,7@1,31@1");
    const Answer once = sweep("dies", "--jobs 2");
    CHECK(once.code == 0);
    CHECK(once.out == table().text);
    CHECK(csv("dies") == table().csv);
  }
  {
    const Environment die("GPUPLAN_SWEEP_DIE", "12");
    const Answer failed = sweep("dies2", "--jobs 2");
    CHECK(failed.code == 0);
    CHECK(csv("dies2").find("6,1,10,8,failed,\"its process died, twice: killed by signal 9") !=
          std::string::npos);
  }
  CHECK(sweep("dies2").out != table().text);  // it is not done again by itself
  CHECK(sweep("dies2", "--retry-failed").out == table().text);
  CHECK(csv("dies2") == table().csv);
}

TEST_CASE("sweep: two on one journal, and a journal of another sweep, are refused") {
  table();
  const int file = open(in_sandbox("plain.journal").c_str(), O_RDONLY);
  REQUIRE(flock(file, LOCK_EX | LOCK_NB) == 0);
  const Answer held = sweep("plain");
  CHECK(held.code == 3);
  CHECK(held.err.find("another sweep is writing") != std::string::npos);
  close(file);
  const Answer other = gpuplan_command(kSmall + "--set slo.ttft=1 --journal " + in_sandbox("plain.journal"));
  CHECK(other.code == 3);
  CHECK(other.err.find("document.slo.ttft: nothing, and here 1") != std::string::npos);
  CHECK(sweep("none", "--resume").code == 3);
  CHECK_FALSE(fs::exists(in_sandbox("none.journal")));
}

TEST_CASE("sweep: what is wrong is said before anything runs") {
  const std::string base =
      "sweep " + kScenario + " --set traffic.requests=20 --set traffic.warmup_requests=0 ";
  const std::string journal = "--journal " + in_sandbox("bad.journal") + " ";
  const Answer path = gpuplan_command(base + journal + "--vary traffic.arrivals.rat=1,2");
  CHECK(path.code == 3);
  CHECK(path.err.find("did you mean rate?") != std::string::npos);
  CHECK_FALSE(fs::exists(in_sandbox("bad.journal")));  // nothing was begun
  CHECK(gpuplan_command(base + journal + "--vary traffic.arrivals.rate=3:1:4").code == 3);
  CHECK(gpuplan_command(base + journal).code == 3);
  CHECK(gpuplan_command(base + journal + "--vary a=1 --shard 4/3").code == 2);
  CHECK(gpuplan_command(base + journal + "--vary a=1 --sample grid:4").code == 2);
  CHECK(gpuplan_command(base + journal + "--vary a=1 --plot pie:x").code == 2);
  CHECK(gpuplan_command("sweep nothing.json --vary a=1").code == 3);
  CHECK(gpuplan_command("merge").code == 2);
  CHECK(gpuplan_command("merge " + kScenario).code == 3);

  // Some are refused: rows with the reason, and the rest runs.
  const Answer some = gpuplan_command(base + "--vary engine.policy=fcfs,fcsf,priority --journal " +
                                      in_sandbox("some.journal") + " --csv " + in_sandbox("some.csv"));
  CHECK(some.code == 0);
  CHECK(some.err.find("1 of 3 points are refused; the first, engine.policy=fcsf") != std::string::npos);
  CHECK(csv("some").find("1,fcsf,refused,") != std::string::npos);
  CHECK(csv("some").find("did you mean fcfs?") != std::string::npos);
  CHECK(some.out.find("without figures\n  policy=fcsf: refused: ") != std::string::npos);
  // A metric that there is none of, with the nearest; and nothing is done twice for it.
  const Answer metric = gpuplan_command(base + "--vary engine.policy=fcfs,fcsf,priority --journal " +
                                        in_sandbox("some.journal") + " --metric serving.tftt.mean");
  CHECK(metric.code == 3);
  CHECK(metric.err.find("did you mean serving.ttft.mean") != std::string::npos);
}

TEST_CASE("sweep: what does not fit is a row; where nothing fits the exit code says so") {
  const std::string base =
      "sweep " + kScenario + " --set traffic.requests=20 --set traffic.warmup_requests=0 ";
  const Answer some =
      gpuplan_command(base + "--vary model=llama-2-7b,llama-2-70b --journal " + in_sandbox("fit.journal"));
  CHECK(some.code == 0);
  CHECK(some.out.find("does not fit") != std::string::npos);
  const Answer none =
      gpuplan_command(base + "--vary model=llama-2-70b --journal " + in_sandbox("misfit.journal"));
  CHECK(none.code == 4);
}

TEST_CASE("sweep: a sample of kernels, plots within 80 columns, and an SVG") {
  const std::string scenario =
      sandbox().file("kernel.json",
                     R"({"schema": 1, "kind": "kernel", "name": "gemm", "machine": {"gpu": "H100-SXM5-80GB"},
          "kernels": [{"op": "gemm", "m": 4096, "n": 4096, "k": 4096, "precision": "bf16"}]})");
  const std::string base = "sweep " + scenario + " --journal " + in_sandbox("kernel.journal") +
                           " --vary kernels[0].m=16:8192:6:log --vary kernels[0].n=1024,4096 "
                           "--vary kernels[0].precision=bf16,fp8 ";
  const Answer plots =
      gpuplan_command(base +
                      "--plot heat:m,n,kernel.time --plot line:m,kernel.time --plot tornado:kernel.time "
                      "--plot pareto:kernel.time,max:kernel.flops --svg " +
                      in_sandbox("plots.svg"));
  INFO(plots.err);
  CHECK(plots.code == 0);
  CHECK(widest_line(plots.out).first <= 80);
  CHECK(plots.out.find('\033') == std::string::npos);
  CHECK(plots.out.find("each cell is the mean over the other axes, up to 2 points") != std::string::npos);
  const std::string svg = slurp(in_sandbox("plots.svg"));
  CHECK(svg.starts_with("<svg "));
  CHECK(svg.ends_with("</svg>\n"));
  CHECK(svg.find("prefers-color-scheme:dark") != std::string::npos);
  for (const char* title : {"map of kernel.time", "Pareto set", "each axis alone"}) {
    CHECK(svg.find(title) != std::string::npos);
  }
  const Answer unknown = gpuplan_command(base + "--plot heat:m,nn,kernel.time");
  CHECK(unknown.code == 3);
  CHECK(gpuplan_command(base + "--plot pareto:kernel.time,kernel.flops").err.find("min:kernel.flops") !=
        std::string::npos);

  const Answer sample = gpuplan_command("sweep " + scenario + " --journal " + in_sandbox("sample.journal") +
                                        " --vary kernels[0].m=16:8192:log --vary kernels[0].n=1024,4096 "
                                        "--sample lhs:10 --csv " +
                                        in_sandbox("sample.csv"));
  CHECK(sample.code == 0);
  CHECK(lines_of(in_sandbox("sample.csv")) == 11);
}

TEST_CASE("sweep: MPI with 1, 2 and 4 ranks gives the same table, with a dying worker too") {
#ifdef GPUPLAN_MPI_COMMAND
  const Environment root("OMPI_ALLOW_RUN_AS_ROOT", "1"), confirm("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
  const Environment leaks("ASAN_OPTIONS", "detect_leaks=0");  // Open MPI's own
  const Environment die("GPUPLAN_SWEEP_DIE", "5@1");
  for (const char* ranks : {"1", "2", "4"}) {
    const std::string name = std::string("mpi") + ranks, out = in_sandbox(name + ".out");
    const std::string command = "cd '" GPUPLAN_SOURCE_DIR "' && '" GPUPLAN_MPIRUN
                                "' --oversubscribe --mca plm isolated --mca btl self,vader -n " +
                                std::string(ranks) + " '" GPUPLAN_MPI_COMMAND "' " + kSmall + "--journal " +
                                in_sandbox(name + ".journal") + " --csv " + in_sandbox(name + ".csv") +
                                " > " + out + " 2> " + in_sandbox("mpi.err");
    const int code = WEXITSTATUS(std::system(command.c_str()));
    INFO(slurp(in_sandbox("mpi.err")));
    CHECK(code == 0);
    CHECK(slurp(out) == table().text);
    CHECK(csv(name) == table().csv);
  }
#else
  WARN("skipped: gpuplan-mpi was not built (Debian: libboost-mpi-dev, openmpi-bin)");
#endif
}
