// What a collective scenario may add up: the collectives of a training step or of a token, beside the
// computation that hides a part of them; and all-to-all of uneven parts.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hwmodels/catalogue/catalogue.h"
#include "hwmodels/collectives/communicator.h"
#include "hwmodels/json/describe.h"

namespace gpuplan::sim {

struct MoveSpec {
  collectives::Collective collective = collectives::Collective::all_reduce;
  double bytes = 0.0;
  double count = 1.0;
};
template <class V>
void describe(V& v, MoveSpec& s) {
  v.field("collective", s.collective, "what moves the data");
  v.field("bytes", s.bytes, "of one, as nccl-tests counts them (B)", json::Range{.min = 1, .max = 1e14},
          json::required);
  v.field("count", s.count, "how many of them", json::Range{.min = 1, .max = 1e9});
}

// How tokens travel to experts (dispatch) and back (combine).
enum class ExpertFormat { bf16, fp8, fp8_block };
std::span<const std::string_view> enum_names(ExpertFormat tag);
double element_bytes(ExpertFormat format);

struct ExpertMoveSpec {
  double tokens = 1.0, hidden = 0.0, top_k = 1.0, layers = 1.0;
  ExpertFormat dispatch = ExpertFormat::bf16, combine = ExpertFormat::bf16;
  bool once_per_rank = false;
};
template <class V>
void describe(V& v, ExpertMoveSpec& s) {
  v.field("tokens", s.tokens, "of each GPU", json::Range{.min = 1, .max = 1e9}, json::required);
  v.field("hidden", s.hidden, "elements of a token", json::Range{.min = 1, .max = 1e7}, json::required);
  v.field("top_k", s.top_k, "experts of a token", json::Range{.min = 1, .max = 1024});
  v.field("layers", s.layers, "layers with experts", json::Range{.min = 1, .max = 1e5});
  v.field("dispatch", s.dispatch, "format of tokens on their way to the experts");
  v.field("combine", s.combine, "format of results on their way back");
  v.field("once_per_rank", s.once_per_rank, "a token whose experts share a GPU travels there once");
}

struct ComputeSpec {
  double parameters = 0.0, tokens = 0.0, mfu = 0.4;
  Seconds time{0.0};
};
template <class V>
void describe(V& v, ComputeSpec& s) {
  v.field("parameters", s.parameters, "of the model, that every token meets", json::not_negative());
  v.field("tokens", s.tokens, "of a step, per GPU", json::not_negative());
  v.field("mfu", s.mfu, "share of the datasheet's dense bf16 peak that computing reaches (assumed)",
          json::Range{.min = 0, .max = 1, .open_min = true});
  v.field("time", s.time, "seconds, instead of 6 parameters tokens / (peak mfu)", json::not_negative());
}

struct CommunicationSpec {
  std::string name;
  std::vector<MoveSpec> moves;
  std::optional<ExpertMoveSpec> experts;
  std::optional<ComputeSpec> compute;
  double overlap = 0.0;
};
template <class V>
void describe(V& v, CommunicationSpec& s) {
  v.field("name", s.name, "shown in reports", json::required);
  v.field("moves", s.moves, "collectives, one after the other");
  v.field("experts", s.experts, "tokens to experts and back: two all-to-all a layer");
  v.field("compute", s.compute, "what the GPU computes meanwhile");
  v.field("overlap", s.overlap, "share of the computation during which collectives run beside it",
          json::fraction());
}

struct UnevenSpec {
  std::optional<double> imbalance, power_law;
  std::vector<double> peers;
};
template <class V>
void describe(V& v, UnevenSpec& s) {
  v.field("imbalance", s.imbalance, "largest part over the mean", json::Range{.min = 1, .max = 1e6});
  v.field("power_law", s.power_law, "exponent a of parts that shrink as 1, 2^-a, 3^-a, ...",
          json::Range{.min = 0, .max = 10});
  v.field("peers", s.peers, "relative size of the part for each rank", json::not_negative());
}

// Moves of a workload with those of its experts, over `ranks` GPUs.
std::vector<MoveSpec> moves_of(const CommunicationSpec& spec, int ranks);

// Time that the GPU computes; 0 without `compute`.
Seconds compute_time(const CommunicationSpec& spec, const Gpu& gpu);

// Largest part over the mean.
double imbalance_of(const UnevenSpec& spec, int ranks);

// Problems of specs that no field alone shows, with paths below `at` ("S.json: $").
void check(const std::vector<CommunicationSpec>& workloads, const std::optional<UnevenSpec>& uneven,
           const Gpu& gpu, int ranks, const std::string& at, std::vector<Problem>& problems);

}  // namespace gpuplan::sim
