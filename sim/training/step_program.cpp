#include "sim/training/step_program.h"

#include <array>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <tuple>

#include "sim/training/step_works.h"
#include "workloads/pipeline/schedule.h"
#include "workloads/training/stages.h"

namespace gpuplan::sim {

namespace {

using pipeline::Pass;
using pipeline::PipelineOp;

pipeline::ScheduleKind kind_of(const TrainingJob& job) {
  using pipeline::ScheduleKind;
  static constexpr std::array kinds = {ScheduleKind::gpipe, ScheduleKind::one_f_one_b,
                                       ScheduleKind::interleaved, ScheduleKind::zero_bubble,
                                       ScheduleKind::dualpipe};
  return job.parallelism.pipeline == 1 ? ScheduleKind::one_f_one_b
                                       : kinds[static_cast<std::size_t>(job.schedule())];
}

pipeline::PipelineShape shape_of(const TrainingJob& job) {
  return {job.parallelism.pipeline, job.parallelism.virtual_stages, job.micro_batches()};
}

// Where a pass of a micro-batch on a part of the model starts.
using Entry = std::tuple<bool, int, int>;  // backward, micro-batch, position
using Entries = std::map<Entry, std::uint32_t>;

struct Layer {
  std::size_t block;  // of StepWorks
  bool recomputed;
};
constexpr std::size_t index_of(Block block) { return static_cast<std::size_t>(block); }

class StageBuilder {
 public:
  StageBuilder(const StepWorks& works, const TrainingJob& job, const TrainingStep& step,
               const pipeline::PipelineSchedule& schedule, int stage)
      : works_(works),
        job_(job),
        step_(step),
        schedule_(schedule),
        stage_(stage),
        once_(works.stages[static_cast<std::size_t>(stage)]) {}

  void build() {
    take_input();
    gather_parameters();
    const auto& order = schedule_.order[static_cast<std::size_t>(stage_)];
    std::map<std::pair<int, int>, std::size_t> last;  // pass that completes the gradients of a part
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (order[i].pass == Pass::backward || order[i].pass == Pass::backward_weight) {
        last[{part_of(order[i]), 0}] = i;
      }
    }
    for (std::size_t i = 0; i < order.size(); ++i) {
      const bool completes = last.count({part_of(order[i]), 0}) > 0 && last.at({part_of(order[i]), 0}) == i;
      pass(order[i], completes);
    }
    finish();
  }

  StageProgram program;
  Entries entries;
  std::vector<std::tuple<std::uint32_t, int, Entry>> sends;  // the operation, and whom it feeds

 private:
  static constexpr std::uint32_t kNone = ~0U;

  // Two directions pass different parts of the model through a stage.
  [[nodiscard]] int part_of(const PipelineOp& op) const { return op.position; }

  std::uint32_t add(std::uint32_t work, int micro_batch, std::initializer_list<std::uint32_t> after) {
    const auto id = static_cast<std::uint32_t>(program.ops.size());
    StepOp op;
    op.work = work;
    op.micro_batch = micro_batch;
    program.ops.push_back(op);
    program.waits.push_back(0);
    next_.emplace_back();
    std::uint32_t& before = previous_[static_cast<std::size_t>(works_.works[work].stream)];
    wait(id, before);
    for (const std::uint32_t one : after) {
      if (one != before) {
        wait(id, one);
      }
    }
    before = id;
    return id;
  }

  void wait(std::uint32_t id, std::uint32_t on) {
    if (on != kNone) {
      next_[on].push_back(id);
      ++program.waits[id];
    }
  }

  [[nodiscard]] std::uint32_t previous(StepStream stream) const {
    return previous_[static_cast<std::size_t>(stream)];
  }

  // A layer's share each, in the order in which the first forward passes need them.
  void gather_parameters() {
    const int slices = once_.parameters.empty() ? 0 : once_.parameters_hide ? step_layers() : 1;
    for (int i = 0; i < slices; ++i) {
      for (const std::uint32_t work : once_.parameters) {
        add(work, -1, {});
      }
      gathered_.push_back(previous(StepStream::data));
    }
  }
  [[nodiscard]] int step_layers() const {
    return std::max(1, step_.stages[static_cast<std::size_t>(stage_)].layers);
  }

  // Layers of the part of the model at `position` of its chain, first to last.
  std::vector<Layer> layers_of(const PipelineOp& op) const {
    const auto& chain = schedule_.chain_of(op.micro_batch);
    const int parts = static_cast<int>(chain.size()), p = job_.parallelism.pipeline;
    // Stages by position: chunks of one stage lie p apart. DualPipe's second chain holds another stage's
    // part.
    const auto model_stage = static_cast<std::size_t>(op.position % p);
    const StageWork& stage = step_.stages[model_stage];
    const int chunk = op.position / p, chunks = std::max(1, parts / p);
    // Where layers do not divide, embedding and head stand for a layer: the first chunk has fewer, or the
    // last.
    const int more = stage.last && !stage.first ? chunks - 1 : 0;
    const int from = (stage.layers * chunk + more) / chunks,
              to = (stage.layers * (chunk + 1) + more) / chunks;
    std::vector<Layer> out;
    if (op.position == 0) {
      out.push_back({index_of(Block::embedding), false});
    }
    for (int i = from; i < to; ++i) {
      const Block alike = i < stage.layers - stage.moe_layers ? Block::dense : Block::sparse;
      out.push_back({step_.chain.empty() ? index_of(alike) : kBlocks + static_cast<std::size_t>(i),
                     i < stage.recomputed});
    }
    if (op.position + 1 == parts) {
      out.push_back({index_of(Block::head), false});
    }
    return out;
  }

  // `completes`: the gradients of these layers.
  void pass(const PipelineOp& op, bool completes) {
    std::vector<Layer> layers = layers_of(op);
    const bool forward = op.pass == Pass::forward;
    if (!forward) {
      std::reverse(layers.begin(), layers.end());
    }
    const auto& chain = schedule_.chain_of(op.micro_batch);
    const int from = forward ? op.position - 1 : op.position + 1;
    const bool receives = op.pass != Pass::backward_weight && from >= 0 &&
                          from < static_cast<int>(chain.size()) &&
                          chain[static_cast<std::size_t>(from)] != stage_;
    const auto first = static_cast<std::uint32_t>(program.ops.size());
    std::uint32_t entry = kNone;
    if (receives && works_.rejoin) {
      entry = add(*works_.rejoin, op.micro_batch, {sent_});
    }
    run_layers(op, layers, completes);
    if (entry == kNone && layers.empty()) {
      entry = add(works_.nothing, op.micro_batch, {sent_});
    } else if (entry == kNone) {  // the first on the compute stream
      entry = first;
      while (works_.works[program.ops[entry].work].stream != StepStream::compute) {
        ++entry;
      }
    }
    if (op.pass != Pass::backward_weight) {
      entries[{!forward, op.micro_batch, op.position}] = entry;
      send(op, forward);
    }
  }

  void run_layers(const PipelineOp& op, const std::vector<Layer>& layers, bool completes) {
    const bool reduces = once_.reduce_hides && completes, stores = once_.store_slice && completes;
    std::vector<std::uint32_t> ready(layers.size(), kNone);  // gathered weights
    // Ahead of the layer that runs; without a limit, as soon as the links are free.
    const TrainingParallelism& split = job_.parallelism;
    const auto ahead = static_cast<std::size_t>(std::max(1, split.prefetch));
    const auto gather = [&](std::size_t i) {
      if (i < layers.size() && op.pass != Pass::backward_weight) {
        const BlockWorks& block = works_.blocks[layers[i].block];
        const std::optional<std::uint32_t>& load =
            op.pass == Pass::forward ? block.load_forward : block.load_backward;
        std::uint32_t loaded = kNone;
        if (load) {
          loaded =
              add(*load, op.micro_batch, {block.load_hides ? before_last_ : previous(StepStream::compute)});
          ready[i] = loaded;
        }
        for (const std::uint32_t work :
             op.pass == Pass::forward ? block.gather_forward : block.gather_backward) {
          const std::uint32_t room =
              block.hides ? (split.limit_all_gathers ? before_last_ : kNone) : previous(StepStream::compute);
          ready[i] = add(work, op.micro_batch, {room, loaded});
          loaded = kNone;
        }
      }
    };
    for (std::size_t i = 0; i <= ahead; ++i) {
      gather(i);
    }
    const bool beside = reduces || used_ < gathered_.size();
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const BlockWorks& block = works_.blocks[layers[i].block];
      const bool inner =
          layers[i].block != index_of(Block::embedding) && layers[i].block != index_of(Block::head);
      const std::uint32_t before = previous(StepStream::compute);
      const std::uint32_t weights = op.pass == Pass::forward && inner ? parameters_of() : kNone;
      const ComputeWork& computes = work_of(op.pass, block, layers[i].recomputed);
      const auto waits = {ready[i], sent_, scattered_, weights};
      if (beside || !block.scatter.empty()) {
        add(computes.parts[0], op.micro_batch, waits);
        add(computes.parts[1], op.micro_batch, {});
      } else {
        add(computes.whole, op.micro_batch, waits);
      }
      sent_ = scattered_ = kNone;
      before_last_ = before;
      gather(i + 1 + ahead);
      if (op.pass == Pass::backward || op.pass == Pass::backward_weight) {
        for (const std::uint32_t work : block.scatter) {
          const std::uint32_t id = add(work, op.micro_batch, {previous(StepStream::compute)});
          scattered_ = block.hides ? kNone : id;
        }
        for (std::size_t k = 0; reduces && inner && k < once_.reduce.size(); ++k) {
          add(once_.reduce[k], op.micro_batch, {previous(StepStream::compute)});
        }
        if (reduces) {
          ++completed_;
          reduce_buckets(completed_, op.micro_batch);
        }
        if (stores && inner) {
          const bool exchanged =
              !block.scatter.empty() || (reduces && !(once_.reduce.empty() && once_.buckets.empty()));
          add(*once_.store_slice, op.micro_batch,
              {previous(StepStream::compute), exchanged ? previous(StepStream::data) : kNone});
        }
      }
    }
  }

  // Those whose blocks have all been differentiated.
  void reduce_buckets(int completed, int micro_batch) {
    for (; reduced_ < once_.buckets.size() && once_.buckets[reduced_].second <= completed; ++reduced_) {
      add(once_.buckets[reduced_].first, micro_batch, {previous(StepStream::compute)});
    }
  }

  // The next slice of the weights, on the first passes only.
  std::uint32_t parameters_of() { return used_ < gathered_.size() ? gathered_[used_++] : kNone; }

  static const ComputeWork& work_of(Pass pass, const BlockWorks& block, bool recomputed) {
    switch (pass) {
      case Pass::forward:
        return block.forward;
      case Pass::backward:
        return block.backward[recomputed ? 1 : 0];
      case Pass::backward_input:
        return block.inputs[recomputed ? 1 : 0];
      case Pass::backward_weight:
        return block.weights;
    }
    return block.forward;
  }

  void send(const PipelineOp& op, bool forward) {
    const auto& chain = schedule_.chain_of(op.micro_batch);
    const int to = forward ? op.position + 1 : op.position - 1;
    if (to < 0 || to >= static_cast<int>(chain.size())) {
      return;
    }
    const int stage = chain[static_cast<std::size_t>(to)];
    const Entry entry{!forward, op.micro_batch, to};
    if (stage == stage_) {
      return;  // the same compute stream: in order
    }
    const std::uint32_t id = add(*works_.send, op.micro_batch, {previous(StepStream::compute)});
    sends.emplace_back(id, stage, entry);
    if (!*job_.software.overlap_pipeline) {
      sent_ = id;
    }
  }

  void finish() {
    const std::uint32_t computed = previous(StepStream::compute);
    if (!once_.reduce_hides) {
      for (const std::uint32_t work : once_.reduce) {
        add(work, -1, {computed});
      }
    }
    reduce_buckets(std::numeric_limits<int>::max(), -1);  // where nothing hides them
    const std::uint32_t reduced = previous(StepStream::data);
    if (once_.host_pass) {
      update_on_host(reduced);
    } else if (once_.optimizer) {
      add(*once_.optimizer, -1, {reduced, sent_});
      add(once_.host, -1, {});
    } else {
      add(once_.host, -1, {reduced, sent_});
    }
    for (std::size_t i = 0; i < next_.size(); ++i) {
      StepOp& op = program.ops[i];
      op.first_next = static_cast<std::uint32_t>(program.next.size());
      op.next_count = static_cast<std::uint32_t>(next_[i].size());
      program.next.insert(program.next.end(), next_[i].begin(), next_[i].end());
    }
  }

  // Prefetched: what later steps need runs beside this one, a pageable copy in front of it.
  void take_input() {
    if (!works_.input_loader || !step_.stages[static_cast<std::size_t>(stage_)].first) {
      return;
    }
    const std::uint32_t loader = add(*works_.input_loader, -1, {});
    if (works_.input_prefetches) {
      const std::uint32_t copy = add(*works_.input_copy, -1, {});
      sent_ = works_.input_blocks ? copy : kNone;
    } else {
      sent_ = add(*works_.input_copy, -1, {loader});
    }
  }

  void update_on_host(std::uint32_t reduced) {
    const std::uint32_t computed = previous(StepStream::compute);
    if (once_.store) {
      add(*once_.store, -1, {computed, reduced});
    }
    const std::uint32_t stored = previous(StepStream::store);
    const std::uint32_t pass = add(*once_.host_pass, -1, {reduced, sent_, stored});
    std::uint32_t loaded = kNone;
    if (once_.load) {  // as the CPU writes them, or behind it
      loaded = once_.store_slice ? add(*once_.load, -1, {computed, reduced, stored})
                                 : add(*once_.load, -1, {pass});
    }
    add(once_.host, -1, {loaded});
  }

  const StepWorks& works_;
  const TrainingJob& job_;
  const TrainingStep& step_;
  const pipeline::PipelineSchedule& schedule_;
  int stage_;
  const StageWorks& once_;
  std::vector<std::vector<std::uint32_t>> next_;
  std::array<std::uint32_t, kStepStreams> previous_{kNone, kNone, kNone, kNone, kNone, kNone};
  int completed_ = 0;                               // blocks whose gradients are complete
  std::size_t reduced_ = 0;                         // buckets that are on their way
  std::uint32_t before_last_ = kNone;               // the compute operation before the last one
  std::uint32_t sent_ = kNone, scattered_ = kNone;  // what the next computation waits for, if at all
  std::vector<std::uint32_t> gathered_;             // the last operation of each slice
  std::size_t used_ = 0;
};

}  // namespace

std::span<const std::string_view> enum_names(StepPart /*tag*/) {
  static constexpr std::array<std::string_view, 9> names = {
      "forward", "backward", "optimizer", "host", "weights", "gradients", "send", "load", "input"};
  return names;
}

std::size_t StepProgram::operations() const {
  return std::accumulate(stages.begin(), stages.end(), std::size_t{0},
                         [](std::size_t sum, const StageProgram& s) { return sum + s.ops.size(); });
}

bool schedule_can_be_played(const TrainingJob& job) {
  return pipeline::broken_rule(kind_of(job), shape_of(job)).empty();
}

StepProgram make_step_program(const TrainingEstimator& estimator, const TrainingJob& job,
                              const TrainingStep& step) {
  StepProgram out;
  StepWorks works = price_works(estimator, job, step);
  const pipeline::PipelineSchedule schedule = pipeline::make_schedule(kind_of(job), shape_of(job));
  std::vector<Entries> entries;
  std::vector<std::vector<std::tuple<std::uint32_t, int, Entry>>> sends;
  for (int stage = 0; stage < job.parallelism.pipeline; ++stage) {
    StageBuilder builder(works, job, step, schedule, stage);
    builder.build();
    out.stages.push_back(std::move(builder.program));
    entries.push_back(std::move(builder.entries));
    sends.push_back(std::move(builder.sends));
  }
  for (std::size_t stage = 0; stage < sends.size(); ++stage) {
    for (const auto& [id, to, entry] : sends[stage]) {
      StepOp& op = out.stages[stage].ops[id];
      op.to_stage = to;
      op.to_op = entries[static_cast<std::size_t>(to)].at(entry);
      ++out.stages[static_cast<std::size_t>(to)].waits[op.to_op];
    }
  }
  out.resources = resources_of(estimator);
  out.works = std::move(works.works);
  return out;
}

}  // namespace gpuplan::sim
