#include "sim/serving/replica.h"

#include <algorithm>
#include <array>

namespace gpuplan::sim {

Replica::Replica(std::size_t index, const ReplicaSpec& spec, std::unique_ptr<Scheduler> scheduler,
                 StepCost& cost, Engine& engine, ReplicaResources resources, ServingOutcome& outcome,
                 RequestSink& sink, ServingObserver* observer)
    : index_(index),
      spec_(spec),
      scheduler_(std::move(scheduler)),
      cost_(cost),
      engine_(engine),
      resources_(resources),
      outcome_(outcome),
      sink_(sink),
      observer_(observer),
      record_batches_(observer != nullptr && observer->wants_batches()) {
  state_.kv = spec.kv;
  state_.limits = spec.limits;
}

ReplicaLoad Replica::load() const {
  return {static_cast<std::int64_t>(state_.waiting.size() + state_.swapped.size()),
          static_cast<std::int64_t>(state_.running.size())};
}

bool Replica::submit(const Request& request, std::int64_t order) {
  const std::int64_t prompt = request.prompt_tokens;
  const std::int64_t output = std::min<std::int64_t>(request.output_tokens, spec_.max_model_len - prompt);
  const bool too_long = output < 1 || state_.kv.blocks_for(prompt + output) > state_.kv.total ||
                        (!state_.limits.chunked_prefill && prompt > state_.limits.max_num_batched_tokens);
  if (too_long) {
    return false;
  }
  SequenceId id = 0;
  if (free_slots_.empty()) {
    id = static_cast<SequenceId>(state_.sequences.size());
    state_.sequences.emplace_back();
  } else {
    id = free_slots_.back();
    free_slots_.pop_back();
  }
  Sequence& sequence = state_.sequences[id];
  sequence = Sequence{};
  sequence.order = order;
  sequence.prompt = static_cast<std::int32_t>(prompt);
  sequence.output = static_cast<std::int32_t>(output);
  sequence.priority = request.priority;
  sequence.arrival = request.arrival;
  sequence.first_token = Seconds(-1.0);
  sequence.admitted = Seconds(-1.0);
  enqueue_waiting(state_, id);
  if (!busy_) {
    begin_step();
  } else if (run_) {
    cut_run_for(sequence);
  }
  return true;
}

void Replica::account_kv(Seconds now) {
  const std::int64_t used = state_.kv.total - state_.kv.free;
  outcome_.kv_block_seconds += static_cast<double>(used) * (now - kv_since_).si();
  outcome_.kv_blocks_max = std::max(outcome_.kv_blocks_max, used);
  kv_since_ = now;
}

void Replica::begin_step() {
  const Seconds now = engine_.now();
  account_kv(now);
  plan_.clear();
  scheduler_->plan(state_, plan_);
  account_kv(now);
  if (plan_.chunks.empty() && plan_.swap_out_blocks == 0) {
    // Only an empty system may idle: whoever is admissible alone is always admitted.
    assert(state_.running.empty() && state_.waiting.empty() && state_.swapped.empty());
    busy_ = false;
    return;
  }
  busy_ = true;
  run_ = false;
  const std::int64_t blocks = plan_.swap_in_blocks + plan_.swap_out_blocks;
  if (blocks == 0) {
    start_flow();
    return;
  }
  const double bytes = spec_.bytes_per_block.si() * static_cast<double>(blocks);
  const std::array<Demand, 2> demands = {Demand{resources_.hbm, bytes}, Demand{resources_.pcie, bytes}};
  started_ = now;
  outcome_.swap_bytes += bytes;
  engine_.start({.demands = demands, .alone = Bytes(bytes) / spec_.pcie_bandwidth},
                Callback::of<&Replica::copies_done>(this));
}

void Replica::copies_done(std::uint64_t /*tag*/) {
  const Seconds now = engine_.now();
  outcome_.swap_seconds += (now - started_).si();
  if (observer_ != nullptr) {
    const double blocks = static_cast<double>(plan_.swap_in_blocks + plan_.swap_out_blocks);
    observer_->on_step({.replica = index_,
                        .start = started_,
                        .end = now,
                        .copy = true,
                        .copied = spec_.bytes_per_block * blocks});
  }
  if (plan_.chunks.empty()) {  // everything was swapped out
    begin_step();
  } else {
    start_flow();
  }
}

void Replica::start_flow() {
  const Seconds now = engine_.now();
  started_ = now;
  decodes_ = prefill_tokens_ = prefills_ = 0;
  decode_context_ = 0.0;
  std::int64_t emitting = 0;
  StepUse prefill_use;
  for (const Chunk& chunk : plan_.chunks) {
    Sequence& sequence = state_.sequences[chunk.sequence];
    if (sequence.admitted.si() < 0.0) {
      sequence.admitted = now;
    }
    const std::int64_t context = sequence.computed + chunk.tokens;
    emitting += chunk.tokens == sequence.remaining() ? 1 : 0;
    if (sequence.decoding()) {
      ++decodes_;
      decode_context_ += static_cast<double>(context);
    } else {
      ++prefills_;
      prefill_tokens_ += chunk.tokens;
      prefill_use += cost_.prefill_attention(chunk.tokens, context);
    }
  }

  run_ = prefills_ == 0 && !plan_.preempted && plan_.swap_in_blocks == 0 &&
         plan_.chunks.size() == state_.running.size();
  if (run_) {
    plan_run();
  } else {
    use_ = cost_.body(plan_.tokens);
    use_ += cost_.head(emitting);
    use_ += prefill_use;
    if (decodes_ > 0) {
      use_ += cost_.decode_attention(decodes_, decode_context_ / static_cast<double>(decodes_));
    }
    overhead_ = cost_.overhead(static_cast<std::int64_t>(plan_.chunks.size()), plan_.tokens, use_.time);
    planned_ = use_.time + overhead_;
  }

  const std::array<Demand, 3> demands = {Demand{resources_.sm, use_.flops},
                                         Demand{resources_.hbm, use_.hbm_bytes},
                                         Demand{resources_.link, use_.link_bytes}};
  flow_ = engine_.start({.demands = demands, .alone = Seconds(planned_)},
                        Callback::of<&Replica::step_done>(this));
}

std::int64_t Replica::longest_run() const {
  std::int64_t steps = spec_.max_run_steps;
  for (const Chunk& chunk : plan_.chunks) {
    const Sequence& sequence = state_.sequences[chunk.sequence];
    steps = std::min<std::int64_t>(steps, sequence.output - sequence.generated);
  }
  // Blocks: the first step's are taken; further ones must fit what is free.
  const auto blocks_needed = [&](std::int64_t run) {
    std::int64_t need = 0;
    for (const Chunk& chunk : plan_.chunks) {
      const Sequence& sequence = state_.sequences[chunk.sequence];
      need += state_.kv.blocks_for(sequence.computed + run) - sequence.blocks;
    }
    return need;
  };
  const std::int64_t batch = static_cast<std::int64_t>(plan_.chunks.size());
  const bool plenty = batch * (steps / state_.kv.block_size + 1) <= state_.kv.free;
  if (!plenty && blocks_needed(steps) > state_.kv.free) {
    std::int64_t fits = 1;  // the plan itself took the blocks of one step
    std::int64_t fails = steps;
    while (fails - fits > 1) {
      const std::int64_t middle = fits + (fails - fits) / 2;
      (blocks_needed(middle) <= state_.kv.free ? fits : fails) = middle;
    }
    steps = fits;
  }
  return steps;
}

void Replica::plan_run() {
  const std::int64_t batch = decodes_;
  const double mean_context = decode_context_ / static_cast<double>(batch);
  const StepUse& body = cost_.body(batch);
  const StepUse& head = cost_.head(batch);
  run_steps_ = static_cast<std::size_t>(longest_run());
  step_ends_.resize(run_steps_);

  // Durations step by step; attention use is taken at the middle of the run (it is affine in the context).
  const double fixed = body.time + head.time;
  overhead_ = cost_.overhead(batch, batch, fixed + cost_.decode_attention_time(batch, mean_context));
  double end = 0.0;
  double attention = 0.0;
  for (std::size_t i = 0; i < run_steps_; ++i) {
    const double step = cost_.decode_attention_time(batch, mean_context + static_cast<double>(i));
    attention += step;
    end += fixed + step + overhead_;
    step_ends_[i] = end;
  }
  planned_ = end;
  const double steps = static_cast<double>(run_steps_);
  StepUse decode = cost_.decode_attention(batch, mean_context + 0.5 * (steps - 1.0));
  decode = decode * (attention / decode.time);
  StepUse both = body;
  both += head;
  use_ = both * steps;
  use_ += decode;
  overhead_ *= steps;
}

void Replica::cut_run_for(const Sequence& arrival) {
  const std::int64_t tokens =
      std::min<std::int64_t>(arrival.remaining(), state_.limits.max_num_batched_tokens);
  const bool seat = static_cast<std::int64_t>(state_.running.size()) < state_.limits.max_num_seqs;
  // The blocks free at the start of the run: if even they do not suffice nothing can be admitted.
  if (!seat || run_steps_ <= 1 || state_.kv.free - state_.kv.blocks_for(tokens) < 0 ||
      !engine_.active(flow_)) {
    return;
  }
  const double done = engine_.progress(flow_) * planned_;
  const auto current = std::lower_bound(step_ends_.begin(),
                                        step_ends_.begin() + static_cast<std::ptrdiff_t>(run_steps_), done);
  const std::size_t steps = static_cast<std::size_t>(current - step_ends_.begin()) + 1;
  if (steps < run_steps_) {
    run_steps_ = steps;
    engine_.resize(flow_, step_ends_[steps - 1] / planned_);
  }
}

void Replica::step_done(std::uint64_t /*tag*/) {
  const Seconds now = engine_.now();
  const Seconds took = now - started_;
  const double share = run_ ? step_ends_[run_steps_ - 1] / planned_ : 1.0;
  outcome_.use += use_ * share;
  outcome_.overhead_seconds += overhead_ * share;
  outcome_.busy_seconds += took.si();
  outcome_.running_seconds += took.si() * static_cast<double>(state_.running.size());
  if (observer_ != nullptr) {
    observer_->on_step({.replica = index_,
                        .start = started_,
                        .end = now,
                        .steps = run_ ? static_cast<std::int64_t>(run_steps_) : 1,
                        .decodes = decodes_,
                        .prefill_tokens = prefill_tokens_,
                        .prefills = prefills_,
                        .running = static_cast<std::int64_t>(state_.running.size()),
                        .waiting = load().waiting,
                        .kv_blocks_used = state_.kv.total - state_.kv.free});
  }
  if (record_batches_) {
    record_batch();
  }
  account_kv(now);
  run_ ? finish_run(now, took) : finish_plain_step(now, took);
  retire(now);
  begin_step();
}

void Replica::record_batch() {
  prompts_.clear();
  std::int64_t emitting = 0;
  for (const Chunk& chunk : plan_.chunks) {
    const Sequence& sequence = state_.sequences[chunk.sequence];
    emitting += chunk.tokens == sequence.remaining() ? 1 : 0;
    if (!sequence.decoding()) {
      prompts_.push_back({chunk.tokens, sequence.computed + chunk.tokens});
    }
  }
  observer_->on_batch({.steps = run_ ? static_cast<std::int64_t>(run_steps_) : 1,
                       .tokens = plan_.tokens,
                       .emitting = emitting,
                       .decodes = decodes_,
                       .decode_context = decodes_ > 0 ? decode_context_ / static_cast<double>(decodes_) : 0.0,
                       .prompts = prompts_});
}

void Replica::emit(Sequence& sequence, Seconds now) {
  if (sequence.generated == 0) {
    sequence.first_token = now;
  } else {
    outcome_.itl.add((now - sequence.last_token).si());
  }
  ++sequence.generated;
  sequence.last_token = now;
}

void Replica::finish_plain_step(Seconds now, Seconds took) {
  ++outcome_.steps;
  outcome_.computed_tokens += static_cast<double>(plan_.tokens);
  // Decodes that got a token at the step's start too share one gap.
  double common = 0.0;
  for (const Chunk& chunk : plan_.chunks) {
    Sequence& sequence = state_.sequences[chunk.sequence];
    const bool samples = chunk.tokens == sequence.remaining();
    sequence.computed += chunk.tokens;
    if (!samples) {
      continue;
    }
    if (sequence.generated > 0 && sequence.last_token == started_) {
      common += 1.0;
      ++sequence.generated;
      sequence.last_token = now;
    } else {
      emit(sequence, now);
    }
  }
  if (common > 0.0) {
    outcome_.itl.add(took.si(), common);
  }
}

void Replica::finish_run(Seconds now, Seconds took) {
  const std::int32_t steps = static_cast<std::int32_t>(run_steps_);
  const double batch = static_cast<double>(plan_.chunks.size());
  const double planned = step_ends_[run_steps_ - 1];
  const double stretch = took.si() / planned;  // contention slows all steps alike
  outcome_.steps += steps;
  outcome_.decode_steps += steps;
  outcome_.computed_tokens += batch * steps;
  outcome_.decode_seconds += took.si();
  outcome_.decode_sequence_seconds += took.si() * batch;
  outcome_.context_token_seconds += took.si() * (decode_context_ + 0.5 * batch * (steps - 1));

  const Seconds first_end = started_ + Seconds(step_ends_[0] * stretch);
  double common = 0.0;
  for (const Chunk& chunk : plan_.chunks) {
    Sequence& sequence = state_.sequences[chunk.sequence];
    if (sequence.last_token == started_) {
      common += 1.0;
    } else {
      outcome_.itl.add((first_end - sequence.last_token).si());
    }
    sequence.computed += steps;
    sequence.generated += steps;
    sequence.last_token = now;
    const std::int64_t blocks = state_.kv.blocks_for(sequence.computed);
    state_.kv.free -= blocks - sequence.blocks;
    sequence.blocks = static_cast<std::int32_t>(blocks);
  }
  assert(state_.kv.free >= 0);
  if (common > 0.0) {
    outcome_.itl.add(step_ends_[0] * stretch, common);
  }
  for (std::size_t i = 1; i < run_steps_; ++i) {
    outcome_.itl.add((step_ends_[i] - step_ends_[i - 1]) * stretch, batch);
  }
}

void Replica::retire(Seconds now) {
  account_kv(now);
  // Erase first, then tell: the sink may submit the next request of a closed loop to this very replica.
  std::vector<SequenceId> done;
  std::erase_if(state_.running, [&](SequenceId id) {
    const bool ended = state_.sequences[id].generated >= state_.sequences[id].output;
    if (ended) {
      done.push_back(id);
    }
    return ended;
  });
  run_ = false;  // nothing to cut while the sink submits
  for (const SequenceId id : done) {
    state_.kv.release(state_.sequences[id]);
  }
  for (const SequenceId id : done) {
    const Sequence sequence = state_.sequences[id];
    free_slots_.push_back(id);
    if (observer_ != nullptr) {
      observer_->on_finish({.order = sequence.order,
                            .replica = index_,
                            .prompt = sequence.prompt,
                            .output = sequence.output,
                            .preemptions = sequence.preemptions,
                            .arrival = sequence.arrival,
                            .admitted = sequence.admitted,
                            .first_token = sequence.first_token,
                            .finish = now});
    }
    sink_.request_done(sequence, index_);
  }
}

}  // namespace gpuplan::sim
