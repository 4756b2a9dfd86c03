// Operations limited by memory or links, and the two that show how the memory hierarchy behaves.
#pragma once

#include <vector>

#include "hwmodels/kernels/occupancy.h"
#include "hwmodels/kernels/operations.h"
#include "sim/kernels/operation.h"

namespace gpuplan::sim {

inline constexpr json::Range kBytes{.min = 1, .max = 1e13};

struct RowPassSpec {
  kernels::RowPass op;
  std::vector<kernels::RowPass::Step> steps;
  void check(const OperationSource& source, std::vector<Problem>& problems);
  [[nodiscard]] KernelOutcome price(const KernelPricing& pricing, kernels::Explanation* why) const;
};
template <class V>
void describe(V& v, RowPassSpec& s) {
  constexpr json::Range size{.min = 1, .max = 1 << 24};
  v.field("rows", s.op.rows, "rows of the tensor (tokens)", size, json::required);
  v.field("cols", s.op.cols, "elements of a row", size, json::required);
  v.field("steps", s.steps, "one to four, in order", json::required);
  v.field("precision", s.op.wide, "of everything that is not quantised");
  v.field("narrow", s.op.narrow, "what quantise writes and dequantise reads");
  v.field("fused", s.op.fused, "one kernel; else a kernel a step");
}

struct ElementwiseSpec {
  kernels::Elementwise::Kind pass = kernels::Elementwise::Kind::copy;
  double elements = 1.0;
  int inputs = 1;
  Precision precision = Precision::bf16;
  [[nodiscard]] KernelOutcome price(const KernelPricing& pricing, kernels::Explanation* why) const;
};
template <class V>
void describe(V& v, ElementwiseSpec& s) {
  v.field("pass", s.pass, "what it does", json::required);
  v.field("elements", s.elements, "that it writes", kBytes, json::required);
  v.field("inputs", s.inputs, "tensors of that size that it reads", json::Range{.min = 0, .max = 16});
  v.field("precision", s.precision, "of all of them");
}

struct SamplingSpec {
  kernels::Sampling op;
  [[nodiscard]] KernelOutcome price(const KernelPricing& pricing, kernels::Explanation* why) const;
};
template <class V>
void describe(V& v, SamplingSpec& s) {
  constexpr json::Range size{.min = 1, .max = 1 << 24};
  v.field("sequences", s.op.sequences, "rows of logits", size, json::required);
  v.field("vocab", s.op.vocab, "columns", size, json::required);
  v.field("greedy", s.op.greedy, "arg-max; else top-k or top-p");
}

struct CopySpec {
  kernels::Copy op;
  void check(const OperationSource& source, std::vector<Problem>& problems);
  [[nodiscard]] KernelOutcome price(const KernelPricing& pricing, kernels::Explanation* why) const;
};
template <class V>
void describe(V& v, CopySpec& s) {
  v.field("bytes", s.op.bytes, "to copy", kBytes, json::required);
  v.field("path", s.op.path, "from where to where");
  v.field("pinned", s.op.pinned, "host memory is page-locked");
  v.field("blocking", s.op.blocking, "the call returns when the data are there");
  v.field("other_way_busy", s.op.other_way_busy, "another copy runs in the other direction");
}

struct AllReduceSpec {
  kernels::AllReduce op;
  [[nodiscard]] KernelOutcome price(const KernelPricing& pricing, kernels::Explanation* why) const;
};
template <class V>
void describe(V& v, AllReduceSpec& s) {
  v.field("bytes", s.op.bytes, "of the buffer", kBytes, json::required);
  v.field("gpus", s.op.gpus, "of one node", json::Range{.min = 2, .max = 1024}, json::required);
  v.field("custom_kernel", s.op.custom_kernel, "an inference engine's one-shot kernel for small buffers");
}

// A kernel that streams `bytes` with the occupancy that its resources leave it: Little's law.
struct StreamSpec {
  Bytes bytes{1e9};
  kernels::KernelResources block;
  double loads = 1.0, stores = 0.0;
  int access = 4;
  std::int64_t stride = 1;
  [[nodiscard]] KernelOutcome price(const KernelPricing& pricing, kernels::Explanation* why) const;
};
template <class V>
void describe(V& v, StreamSpec& s) {
  v.field("bytes", s.bytes, "to read and write", kBytes);
  v.field("threads", s.block.threads_per_block, "of a block", json::Range{.min = 1, .max = 1024});
  v.field("registers", s.block.registers_per_thread, "of a thread", json::Range{.min = 1, .max = 1024});
  v.field("shared", s.block.shared_per_block, "shared memory of a block (B)",
          json::Range{.min = 0, .max = 1 << 20});
  v.field("loads", s.loads, "independent loads that a thread has in flight",
          json::Range{.min = 0, .max = 64});
  v.field("stores", s.stores, "stores for them", json::Range{.min = 0, .max = 64});
  v.field("access", s.access, "bytes of an access", json::Range{.min = 1, .max = 16});
  v.field("stride", s.stride, "elements between the accesses of neighbouring threads",
          json::Range{.min = 1, .max = 1 << 20});
}

struct FootprintSpec {
  Bytes footprint{1e6};
  bool private_to_sm = false;
  [[nodiscard]] KernelOutcome price(const KernelPricing& pricing, kernels::Explanation* why) const;
};
template <class V>
void describe(V& v, FootprintSpec& s) {
  v.field("footprint", s.footprint, "bytes read again and again", kBytes, json::required);
  v.field("private_to_sm", s.private_to_sm, "each SM has so many of its own; else all share them");
}

}  // namespace gpuplan::sim
