#include "calibrate/fit/split.h"

#include <algorithm>
#include <cstdint>

namespace gpuplan::calibrate {

namespace {

using kernels::AllReduce;
using kernels::AttentionDecode;
using kernels::AttentionPrefill;
using kernels::Gemm;
using kernels::GroupedExperts;

// FNV-1a over numbers, then a final mix: the same everywhere.
class Hash {
 public:
  Hash& add(double value) {
    std::uint64_t bits = 0;
    static_assert(sizeof bits == sizeof value);
    std::copy_n(reinterpret_cast<const unsigned char*>(&value), sizeof value,
                reinterpret_cast<unsigned char*>(&bits));
    for (int i = 0; i < 8; ++i) {
      state_ = (state_ ^ ((bits >> (8 * i)) & 0xff)) * 0x100000001b3ull;
    }
    return *this;
  }
  [[nodiscard]] double uniform() const {
    std::uint64_t x = state_;
    x ^= x >> 31;
    x *= 0x9e3779b97f4a7c15ull;
    x ^= x >> 29;
    return static_cast<double>(x >> 11) * 0x1p-53;
  }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325ull;
};

struct RowKey {
  Hash shape, row;
};

RowKey key_of(const MeasuredKernel& measured) {
  RowKey key;
  std::visit(
      [&](const auto& op) {
        using Op = std::decay_t<decltype(op)>;
        const auto d = [](auto x) { return static_cast<double>(x); };
        if constexpr (std::is_same_v<Op, Gemm>) {
          key.shape.add(d(op.n)).add(d(op.k));
          key.row = key.shape;
          key.row.add(d(op.m));
        } else if constexpr (std::is_same_v<Op, AttentionPrefill>) {
          key.shape.add(op.heads).add(op.kv_heads).add(op.head_dim).add(d(op.window));
          key.row = key.shape;
          key.row.add(d(op.batch)).add(d(op.queries));
        } else if constexpr (std::is_same_v<Op, AttentionDecode>) {
          key.shape.add(op.heads).add(op.kv_heads).add(op.head_dim).add(d(op.window));
          key.row = key.shape;
          key.row.add(d(op.batch)).add(op.context);
        } else if constexpr (std::is_same_v<Op, GroupedExperts>) {
          key.shape.add(d(op.hidden))
              .add(d(op.expert_ffn))
              .add(op.experts)
              .add(op.local_experts)
              .add(op.top_k);
          key.row = key.shape;
          key.row.add(d(op.tokens));
        } else {
          key.row.add(op.bytes.si())
              .add(op.gpus)
              .add(d(measured.line));  // sizes are no shapes: none is unseen
          key.shape.add(1.0);
        }
      },
      measured.operation);
  return key;
}

}  // namespace

FitShare share_of(const MeasuredKernel& row, const SplitShares& shares) {
  const RowKey key = key_of(row);
  if (!std::holds_alternative<AllReduce>(row.operation) && key.shape.uniform() < shares.unseen) {
    return FitShare::unseen;
  }
  return key.row.uniform() < shares.held_out ? FitShare::held_out : FitShare::train;
}

bool sets_spread(const MeasuredKernel& row, const SplitShares& shares) {
  return key_of(row).shape.uniform() < 0.5 * shares.unseen;
}

double weight_of(const MeasuredKernel& measured) {
  return std::visit(
      [](const auto& op) {
        using Op = std::decay_t<decltype(op)>;
        if constexpr (std::is_same_v<Op, Gemm>) {
          const std::int64_t smaller = std::min(op.n, op.k), larger = std::max(op.n, op.k);
          return smaller >= 1024 && larger <= 65536 ? 1.0 : smaller >= 512 ? 0.4 : 0.1;
        } else if constexpr (std::is_same_v<Op, AttentionPrefill>) {
          return (op.head_dim == 128 ? 1.0 : 0.25) * (op.kv_heads <= 8 ? 1.0 : 0.5) *
                 (op.queries >= 64 ? 1.0 : 0.3);
        } else if constexpr (std::is_same_v<Op, AttentionDecode>) {
          return (op.head_dim == 128 ? 1.0 : 0.25) * (op.kv_heads <= 8 ? 1.0 : 0.5) *
                 (op.batch <= 512 && op.context >= 64.0 ? 1.0 : 0.3);
        } else {
          return 1.0;
        }
      },
      measured.operation);
}

}  // namespace gpuplan::calibrate
