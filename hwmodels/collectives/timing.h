// How long a chosen algorithm takes: terms of physics with constants fitted to measurements
// (calibrate/profiles/collectives/<architecture>.json), one set per architecture and NCCL version.
//
//   ring:   T = floor + start_p + steps step_p + S (steps + own)/n / B_p + pipeline
//   NVLS:   T = floor + start + S (1 + 1/n) / B + pipeline
//   p2p:    T = floor + (n-1) peer + min(start_LL + x/B_LL, start + x (n-1 + own) / B + pipeline)
//   between nodes: + hops (step_net + pipeline_net), and the slower of the node's part and the network's
//
// S is the operation's bytes, x = S/n, p the protocol, B_p a share of the GPU's link; `own` is what handling
// a rank's own part costs against one that crosses the link, 1 with LL, where the SMs are the limit. LL hides
// part of its bytes behind its steps: the two add up as powers do. The pipeline of Simple fills a slice per
// step; slices grow with the message up to their buffer. Measured errors stand in each profile (medians of 2
// to 5 % on one node). Known to fail: large all-reduce of 8-bit integers, which NVSwitches cannot add and
// NCCL sends round a ring (26 % slower); networks under load from others.
#pragma once

#include <string>
#include <vector>

#include "hwmodels/collectives/tuner.h"
#include "hwmodels/json/describe.h"

namespace gpuplan::collectives {

// Times in us; shares of the GPU's datasheet link bandwidth per direction; sizes in bytes.
struct TimingConstants {
  double floor = 4.7;  // launch and the first synchronisation
  double ll_step = 0.8, ll_more = 0.2, ll_more_bytes = 4096, ll_share = 0.4, ll_overlap = 1.5;
  double ll128_start = 2.0, ll128_step = 1.8, ll128_share = 0.8;
  double simple_start = 4.0, simple_step = 3.0, simple_share = 0.85;
  double own = 0.4;          // LL128 and Simple
  double reduce = 0.0;       // a byte that is reduced, over one that is only moved, minus 1
  double slice = 3.0;        // us more per step once slices are full
  double slice_bytes = 1e6;  // of a rank's chunk, where half of it is reached
  double nvls_start = 15.0, nvls_share = 0.8, nvls_slice = 30.0, nvls_slice_bytes = 4e6;
  double p2p_peer = 0.2, p2p_ll_start = 1.5, p2p_ll_share = 0.02, p2p_start = 9.0, p2p_share = 0.8,
         p2p_own = 0.3;
  double p2p_slice = 1.0, p2p_slice_bytes = 1e6;
};
template <class V>
void describe(V& v, TimingConstants& s) {
  const json::Range some = json::positive(), any = json::not_negative();
  v.field("floor", s.floor, "launch and the first synchronisation (us)", any);
  v.field("ll_step", s.ll_step, "step of a ring with LL, one channel (us)", any);
  v.field("ll_more", s.ll_more, "of such a step more with several channels (us)", any);
  v.field("ll_more_bytes", s.ll_more_bytes, "chunk at which half of that is reached (B)", some);
  v.field("ll_share", s.ll_share, "bandwidth of LL over the link's", some);
  v.field("ll_overlap", s.ll_overlap, "exponent that adds up steps and bytes of LL; 1: none is hidden",
          json::at_least(1.0));
  v.field("ll128_start", s.ll128_start, "LL128, beyond the floor (us)", any);
  v.field("ll128_step", s.ll128_step, "step of a ring with LL128 (us)", any);
  v.field("ll128_share", s.ll128_share, "bandwidth of LL128 over the link's", some);
  v.field("simple_start", s.simple_start, "Simple, beyond the floor (us)", any);
  v.field("simple_step", s.simple_step, "step of a ring with Simple (us)", any);
  v.field("simple_share", s.simple_share, "bandwidth of Simple over the link's", some);
  v.field("own", s.own, "weight of a rank's own part", any);
  v.field("reduce", s.reduce, "cost of a byte reduced over one only moved, minus 1");
  v.field("slice", s.slice, "longer step with full slices (us)", any);
  v.field("slice_bytes", s.slice_bytes, "chunk at which half of that is reached (B)", some);
  v.field("nvls_start", s.nvls_start, "NVLS, beyond the floor (us)", any);
  v.field("nvls_share", s.nvls_share, "bandwidth of NVLS over the link's", some);
  v.field("nvls_slice", s.nvls_slice, "NVLS with full slices (us)", any);
  v.field("nvls_slice_bytes", s.nvls_slice_bytes, "a head's part at which half is reached (B)", some);
  v.field("p2p_peer", s.p2p_peer, "each further peer of all-to-all (us)", any);
  v.field("p2p_ll_start", s.p2p_ll_start, "all-to-all with LL, beyond the floor (us)", any);
  v.field("p2p_ll_share", s.p2p_ll_share, "bandwidth to one peer with LL over the link's", some);
  v.field("p2p_start", s.p2p_start, "all-to-all with Simple, beyond the floor (us)", any);
  v.field("p2p_share", s.p2p_share, "bandwidth of all-to-all over the link's", some);
  v.field("p2p_own", s.p2p_own, "weight of a rank's own part in all-to-all", any);
  v.field("p2p_slice", s.p2p_slice, "all-to-all with full slices (us)", any);
  v.field("p2p_slice_bytes", s.p2p_slice_bytes, "message to a peer at which half is reached (B)", some);
}

// An inference engine's own all-reduce (TensorRT-LLM's): one shot reads every peer's whole buffer, two shots
// reduce a part each and gather the parts. Above its workspace it hands over to NCCL.
struct CustomConstants {
  double one_start = 2.4, one_peer = 0.1, one_share = 0.4;
  double two_start = 3.0, two_peer = 0.2, two_share = 0.7;
};
template <class V>
void describe(V& v, CustomConstants& s) {
  v.field("one_start", s.one_start, "one shot (us)", json::not_negative());
  v.field("one_peer", s.one_peer, "each peer of one shot (us)", json::not_negative());
  v.field("one_share", s.one_share, "bandwidth of one shot over the link's", json::positive());
  v.field("two_start", s.two_start, "two shots (us)", json::not_negative());
  v.field("two_peer", s.two_peer, "each peer of two shots (us)", json::not_negative());
  v.field("two_share", s.two_share, "bandwidth of two shots over the link's", json::positive());
}

// What a network between nodes adds.
struct NetworkConstants {
  NetworkKind fabric = NetworkKind::infiniband;
  double step = 14.0;        // us, a hop with what the hosts do for it; NCCL's own for Simple
  double share = 0.85;       // of the NICs' datasheet bandwidth
  double slice = 50.0;       // us more a hop once messages fill their buffers
  double slice_bytes = 1e6;  // of the operation, where half of that is reached
};
template <class V>
void describe(V& v, NetworkConstants& s) {
  v.field("fabric", s.fabric, "kind of network", json::required);
  v.field("step", s.step, "a hop between nodes (us)", json::not_negative());
  v.field("share", s.share, "bandwidth reached over the NICs'", json::positive());
  v.field("slice", s.slice, "longer hop with full buffers (us)", json::not_negative());
  v.field("slice_bytes", s.slice_bytes, "bytes of the operation at which half of that is reached (B)",
          json::positive());
}

// A predicted time and its parts, in us; they add up to `total`.
struct TimeParts {
  double network = 0.0;   // hops between nodes, and their buffers
  double fixed = 0.0;     // launch, synchronisation, and what a protocol needs to start
  double steps = 0.0;     // latency of the steps
  double pipeline = 0.0;  // slices on their way
  double transfer = 0.0;  // bytes over bandwidth
  double held = 0.0;      // that a message takes at least since a smaller one does (collective_model.cpp)
  int step_count = 0;
  double wire_bytes = 0.0;     // that a GPU sends over its link
  double net_bytes = 0.0;      // that a node sends through its NICs
  bool network_bound = false;  // `transfer` is the network's
  double link_seconds = 0.0;   // of those bytes at the datasheet's rate
  [[nodiscard]] double total() const { return fixed + steps + pipeline + transfer + network + held; }
};

// Time by `choice` with the constants of the node and, where there are several, of the network.
TimeParts time_of(const TimingConstants& c, const NetworkConstants& net, const Communicator& group,
                  const CollectiveOperation& operation, const Choice& choice);

// Time of an engine's own all-reduce inside one node, by one shot or two.
TimeParts time_of(const CustomConstants& c, const Communicator& group, Bytes bytes, Algorithm algorithm);

}  // namespace gpuplan::collectives
